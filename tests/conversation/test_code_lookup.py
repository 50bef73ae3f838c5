"""Where a finding stands at the present head, and all that whoever fixes it is told."""

from __future__ import annotations

import pytest

from claude_pool_gh.conversation.changes import trial
from claude_pool_gh.conversation.lookups.code_lookup import Whereabouts, described, whereabouts
from tests.findings.make import finding

QUOTE = "    return a / b\n    # b may be 0"
STATED = finding(
    path="app/calc.py", start_line=2, end_line=3, evidence=QUOTE, title="Divides by zero"
)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"app/calc.py": f"def f():\n{QUOTE}\n"}, Whereabouts("app/calc.py", 2, 3)),
        ({"app/calc.py": f"x = 1\ny = 2\ndef f():\n{QUOTE}\n"}, Whereabouts("app/calc.py", 4, 5)),
        (
            {"app/calc.py": f"if x:\n    return a / b\n    # b may be 0\n{QUOTE}"},
            Whereabouts("app/calc.py", 2, 3),
        ),
        ({"app/calc.py": "pass\n", "lib/calc.py": f"{QUOTE}\n"}, Whereabouts("lib/calc.py", 1, 2)),
        ({"lib/calc.py": f"{QUOTE}\n"}, Whereabouts("lib/calc.py", 1, 2)),
        ({"a.py": QUOTE, "b.py": QUOTE}, Whereabouts("app/calc.py")),
        ({"app/calc.py": "    return a / max(b, 1)\n"}, Whereabouts("app/calc.py")),
        ({}, Whereabouts("app/calc.py")),
        ({"app/calc.py": f"{QUOTE}\nx = 1\ny = 2\n{QUOTE}"}, Whereabouts("app/calc.py", 1, 2)),
        ({"app/calc.py": "x\n" * 9 + f"{QUOTE}\n{QUOTE}\n"}, Whereabouts("app/calc.py", 10, 11)),
        ({"app/calc.py": f"{QUOTE}\n{QUOTE}\nx"}, Whereabouts("app/calc.py", 1, 2)),
        ({"app/calc.py": f"x\ny\n{QUOTE}"}, Whereabouts("app/calc.py", 3, 4)),
        ({"app/calc.py": "x", "a.py": QUOTE, "b.py": "y"}, Whereabouts("a.py", 1, 2)),
    ],
    ids=[
        "there",
        "moved down",
        "nearest of two",
        "moved to a file",
        "renamed",
        "anywhere",
        "changed",
        "no file",
        "nearest above",
        "nearest below",
        "as near as another",
        "at the very end",
        "not in the others",
    ],
)
def test_the_quoted_lines_are_looked_for_at_the_present_head(
    files: dict[str, str], found: Whereabouts
) -> None:
    assert whereabouts(STATED, files) == found


@pytest.mark.parametrize(
    ("evidence", "found"),
    [
        ("\r\n    return a / b\r\n", Whereabouts("app/calc.py", 2, 2)),
        ("return a / b\n\n    # b may be 0", Whereabouts("app/calc.py", 2, 4)),
        ("  \n\t\n", Whereabouts("app/calc.py")),
    ],
    ids=["line ends around it", "a blank line in it", "nothing but blanks"],
)
def test_blank_lines_belong_to_a_quote_within_it_and_are_none_by_themselves(
    evidence: str, found: Whereabouts
) -> None:
    stated = STATED.model_copy(update={"evidence": evidence})
    text = "def f():\n    return a / b\n\n    # b may be 0\n"
    assert whereabouts(stated, {"app/calc.py": text}) == found


def test_where_it_stands_still_nothing_is_said_of_another_line() -> None:
    told = described(STATED, "m", Whereabouts("app/calc.py", 2, 3))
    assert "It stands at app/calc.py, lines 2 to 3.\n" in told
    quoted = STATED.model_copy(update={"evidence": "\n    x = 1\n", "start_line": 2})
    told = described(quoted, "m", Whereabouts("app/calc.py", 2, 2))
    assert "It stands at app/calc.py, line 2.\nThe lines at fault:\n        x = 1\n" in told


def test_whoever_fixes_it_is_told_the_quote_the_scenario_and_the_suggestion() -> None:
    stated = STATED.model_copy(update={"suggestion": "    return a / (b or 1)"})
    told = described(stated, "0123456789abcdef", Whereabouts("app/calc.py", 12, 13))
    assert told.startswith("Finding 0123456789, ")
    assert "It stands at app/calc.py, lines 12 to 13. It was stated at line 2." in told
    assert "The lines at fault:\n        return a / b\n        # b may be 0\n" in told
    assert f"When it goes wrong: {STATED.scenario}" in told
    assert told.endswith(
        "The reviewer suggests, in place of these lines:\n        return a / (b or 1)"
    )


def test_a_suggestion_that_is_kept_without_a_secret_is_handed_to_nobody() -> None:
    stated = STATED.model_copy(update={"suggestion": "key = '[redacted]'"})
    assert "suggests" not in described(stated, "abc", Whereabouts(stated.path, 2, 2))
    whole = STATED.model_copy(update={"suggestion": "key = load()"})
    assert "suggests" in described(whole, "abc", Whereabouts(whole.path, 2, 2)), "the control"


def test_a_place_that_is_gone_or_elsewhere_is_said() -> None:
    assert "changed, moved or already fixed. Look before" in described(
        STATED, "m", Whereabouts("app/calc.py")
    )
    moved = described(STATED, "m", Whereabouts("lib/calc.py", 1, 1))
    assert "It stands at lib/calc.py, line 1, now; it was stated in app/calc.py." in moved
    assert "suggests" not in moved


def test_checks_of_exactly_this_work_are_not_run_again() -> None:
    tried = {
        "digest": "d1",
        "failed": True,
        "feedback": "f",
        "checks": "",
        "checked": [{"name": "a"}],
    }
    assert trial.known({"brief": {}, "check": tried}, "d1") == {
        "checks": "",
        "checked": [{"name": "a"}],
    }
    assert trial.known({"check": tried}, "d2") == {}
    assert trial.known({"mend": [{"text": "x"}], "check": None}, "d1") == {}
    assert (
        trial.known(
            {"check": {"digest": "d1", "checks": "**not checked**: why", "failed": False}}, "d1"
        )
        == {}
    )


def test_a_patch_is_shown_as_material_and_bounded() -> None:
    lines = trial.fenced(b"--- a\n+++ b\n").splitlines()
    assert lines[0] == lines[-1]
    assert lines[0].startswith("=== material ")
    assert trial.fenced(b"") == "(nothing was changed)"
    assert "(the rest is left out; read the files)" in trial.fenced(b"x" * 90_000)
