"""The same defect is the same from one run to the next, and no other is."""

from __future__ import annotations

import json.decoder
import shutil
import textwrap
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.action.state.database_redactor import DatabaseRedactor
from claude_pool_gh.conversation.lookups.code_lookup import whereabouts
from claude_pool_gh.findings.definitions import definition_of
from claude_pool_gh.findings.identity import (
    carried,
    fingerprint,
    hides,
    located,
    merged,
    moved,
    named_apart,
    same_defect,
    still_there,
    with_title_digest,
)
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.reports.redact import Redactor
from claude_pool_gh.terms.severity import Severity
from tests.findings.make import finding

TWICE = """\
def first(x):
    if x:
        y = 1
        return y / x

class B:
    def second(self, x):
        y = 1
        return y / x

    def third(self, x):
        y = 1
        return y / x
        y = 1
"""


def at(line: int, text: str = TWICE, **fields: Any) -> Finding:
    """A finding on one line of a text, as the host places it."""
    code = text.splitlines()[line - 1]
    return located(finding(start_line=line, end_line=line, evidence=code, **fields), text)


# names


@pytest.mark.parametrize(
    "change",
    [
        {"start_line": 40, "end_line": 44},
        {"side": "LEFT"},
        {"severity": "low"},
        {"title": "other"},
        {"body": "other"},
        {"scenario": "other"},
        {"confidence": 0.1},
        {"suggestion": "x"},
        {"evidence": "return total - rebate\n"},
        {"evidence": "\t\treturn  total -\n rebate"},
        {"evidence": "return total - rebate\r\n"},
    ],
)
def test_a_fingerprint_stays_when_lines_move_or_words_change(change: dict[str, Any]) -> None:
    assert fingerprint(finding(**change)) == fingerprint(finding())


@pytest.mark.parametrize(
    "change",
    [
        {"path": "shop/price.py"},
        {"category": "security"},
        {"evidence": "    return total + rebate"},
    ],
)
def test_another_place_harm_or_code_is_another_defect(change: dict[str, Any]) -> None:
    assert fingerprint(finding(**change)) != fingerprint(finding())


def test_the_fingerprint_of_an_older_row_is_the_same_for_ever() -> None:
    assert fingerprint(finding()) == "50208d9a1da542119638"


def test_a_finding_that_was_placed_before_digests_were_kept_has_the_name_that_it_had_then() -> None:
    """A review that was begun before an upgrade names open findings so: under another name none would be settled."""
    then = at(4).model_copy(update={"within_digest": "", "title_digest": ""})
    assert fingerprint(then) == "2077f07804822cbb539b"
    now = still_there(then, "\n" + TWICE)
    assert now is not None
    assert fingerprint(now) == fingerprint(then) != fingerprint(at(4))


def test_of_a_known_place_the_definition_counts_and_not_the_category() -> None:
    assert fingerprint(at(4)) != fingerprint(at(9)) != fingerprint(at(13))
    assert fingerprint(at(4, category="security")) == fingerprint(at(4))
    assert fingerprint(at(12)) != fingerprint(at(14)), (
        "the same line twice in one definition is two places"
    )


def test_a_name_is_kept_through_everything_that_a_later_run_finds_out() -> None:
    before = finding()
    for later in (moved(before, "b.py"), carried(before, at(9, path="c.py")), moved(at(4), "b.py")):
        assert later.mark
        assert fingerprint(later) == later.mark
    assert fingerprint(moved(before, "b.py")) == fingerprint(before)
    assert Finding.model_validate(moved(before, "b.py").model_dump(mode="json")) == moved(
        before, "b.py"
    )


def test_a_name_that_is_taken_is_not_given_again() -> None:
    one = at(4)
    assert named_apart(one, ()) == one
    other = named_apart(one, {fingerprint(one)})
    assert fingerprint(other) != fingerprint(one)
    assert fingerprint(named_apart(one, {fingerprint(one), fingerprint(other)})) not in {
        fingerprint(one),
        fingerprint(other),
    }


# definitions


@pytest.mark.parametrize(
    ("text", "line", "wanted"),
    [
        (TWICE, 4, "def first(x):"),
        (TWICE, 9, "class B:\ndef second(self, x):"),
        (TWICE, 1, ""),
        (
            "int f(int x)\n{\n    if (x)\n    {\n        return 1 / x;\n    }\n}\n",
            5,
            "int f(int x)",
        ),
        ("def f(\n    a,\n    b,\n):\n    return a\n", 5, "def f("),
        (
            "func (s *S) Do() error {\n\tif err != nil {\n\t\treturn err\n\t}\n}\n",
            3,
            "func (s *S) Do() error {",
        ),
        (
            "class A {\n  go(x) {\n    try {\n      x()\n    } catch (e) {\n      log(e)\n    }\n  }\n}\n",
            6,
            "class A {\ngo(x) {",
        ),
        (
            "class A\n  def b\n    @x\n  end\n  # word\n  def c\n    @x\n  end\nend\n",
            7,
            "class A\ndef c",
        ),
        ("@app.get\n# note\ndef f():\n\n    return 1\n", 5, "def f():"),
        ("x = 1\ny = 2\n", 2, ""),
    ],
)
def test_the_definitions_around_a_line_are_found_in_any_language(
    text: str, line: int, wanted: str
) -> None:
    assert definition_of(text.splitlines(), line) == wanted


# the same, and still there


def test_moved_lines_stay_the_same_finding() -> None:
    for line in (4, 9, 13):
        before = at(line)
        now = still_there(before, "import os\n\n\n" + TWICE)
        assert now is not None
        assert (now.start_line, now.end_line) == (line + 3, line + 3)
        assert fingerprint(now) == fingerprint(before)
        assert same_defect(before, now)


def test_what_stands_in_another_definition_now_is_not_simply_still_there() -> None:
    assert still_there(at(4), TWICE.replace("def first(x)", "def primary(x)")) is None
    assert (
        still_there(
            at(4), TWICE.replace("    if x:\n        y = 1\n        return y / x\n", "    pass\n")
        )
        is None
    )
    assert still_there(at(4), TWICE.replace("y / x", "y / (x or 1)")) is None
    assert still_there(at(4), "") is None


def test_of_an_older_row_the_code_must_stand_in_one_place() -> None:
    old = finding(evidence="        return y / x", start_line=4, end_line=4)
    assert still_there(old, TWICE) is None
    only = still_there(old, TWICE.replace("self, x", "self, z").replace("y / x", "y / 2", 2))
    assert only is not None
    assert (only.start_line, only.within, fingerprint(only)) == (
        13,
        "class B:\ndef third(self, z):",
        fingerprint(old),
    )


def test_a_quote_that_is_a_part_of_a_line_becomes_the_line() -> None:
    part = located(finding(start_line=4, end_line=4, evidence="y / x"), TWICE)
    assert part.evidence == "        return y / x"
    assert fingerprint(part) == fingerprint(at(4))


STDLIB = [json.decoder, shutil, textwrap]


@pytest.mark.parametrize("module", STDLIB, ids=lambda module: module.__name__)
def test_in_real_files_no_other_line_ever_counts_as_the_same(module: ModuleType) -> None:
    """The measure of the rule: of what is alike but different, none."""
    text = Path(str(module.__file__)).read_text()
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip()][:1200]
    found = [at(number, text) for number in lines]
    keys = Counter(
        (each.path, each.side, each.within, each.nth, " ".join(each.evidence.split()))
        for each in found
    )
    assert max(keys.values()) == 1, "two lines of one file are told apart"
    assert len({fingerprint(each) for each in found}) == len(found)
    some = found[:: max(1, len(found) // 25)]
    assert [
        (a.start_line, b.start_line)
        for a in some
        for b in found
        if a is not b and same_defect(a, b)
    ] == []
    retold = [each.model_copy(update={"title": "x"}) for each in found]
    assert [
        a.start_line
        for a in some
        for b, again in zip(found, retold, strict=True)
        if a is not b and hides(a, again)
    ] == []
    assert all(
        still_there(each, text) == each.model_copy(update={"mark": fingerprint(each)})
        for each in some
    )


# dismissals


ALIKE = [
    ("    return a / b", "    return b / a"),
    ("    return a / b", "    return a / c"),
    ("    return a / b", "    return a % b"),
    ("if err != nil {", "if err == nil {"),
    ("os.remove(path)", "os.rename(path, b)"),
    ("except Exception:", "except Exception as e:"),
    ('db.run("DELETE FROM users")', 'db.run("DELETE FROM orders")'),
]


@pytest.mark.parametrize(("dismissed", "other"), ALIKE)
def test_a_dismissal_hides_no_other_code(dismissed: str, other: str) -> None:
    for title in ("t", "other"):
        assert not hides(
            finding(evidence=dismissed, title="t"), finding(evidence=other, title=title)
        )
        assert not same_defect(
            finding(evidence=dismissed, title="t"), finding(evidence=other, title=title)
        )


def test_a_dismissal_hides_the_same_fault_of_the_same_code_at_the_same_place() -> None:
    assert hides(
        at(4, title="Divides by zero"), at(4, title="divides  by zero", category="security")
    )
    assert hides(at(4), at(4, title="In other words"))
    assert not hides(at(4), at(4, title="In other words", category="security")), (
        "another harm in the same line"
    )
    assert not hides(at(4, severity="low"), at(4, title="In other words", severity="critical")), (
        "a worse one"
    )
    assert not hides(at(4, title="Divides by zero"), at(9, title="Divides by zero")), (
        "in another function"
    )
    assert not hides(at(4), at(4, path="b.py"))
    assert hides(at(4), at(4, path="b.py"), old_path="shop/prices.py")
    assert not hides(at(4), at(9, title="other", path="b.py"), old_path="shop/prices.py")
    old = finding(evidence="        return y / x")
    assert not hides(old, at(4, title="other")), "where an older row stood is not known"
    assert hides(old, at(4))


# one run


def test_code_with_a_secret_is_still_there_though_its_quote_was_kept_without() -> None:
    """A job's state holds no secret, and an open finding about one would be asked about anew each time."""
    text = 'import os\n\ndef f():\n    key = "AKIAIOSFODNN7EXAMPLE"\n    return key\n'
    quote = '    key = "AKIAIOSFODNN7EXAMPLE"'
    known = located(finding(evidence=quote, start_line=4, end_line=4), text)
    kept = known.model_copy(update={"evidence": Redactor()(known.evidence), "code_digest": ""})
    assert "AKIA" not in kept.evidence
    found = still_there(kept, "x = 1\n" + text)
    assert found is not None
    assert (found.start_line, found.evidence) == (5, quote)
    assert fingerprint(found) == fingerprint(kept)
    assert still_there(kept, text.replace('"AKIAIOSFODNN7EXAMPLE"', "os.environ['KEY']")) is None
    assert not hides(kept, known), "which key was dismissed is not known any more"


SECRETS = {
    "AWS": '    key = "AKIA' + "A1" * 8 + '"',
    "Stripe": '    key = "sk_live_' + "x1Y" * 8 + '"',
    "random": '    key = "kJ8zQ2vLx0Wn5RtYb7Hc3Md9Pf4Gs6AeUi1o"',
    "alone": "kJ8zQ2vLx0Wn5RtYb7Hc3Md9Pf4Gs6AeUi1o",
    "PEM": "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("secret", SECRETS)
def test_a_finding_about_a_secret_is_the_same_when_it_comes_back_from_a_job(secret: str) -> None:
    """What the Action keeps has no secret in it, and a dismissed finding would be posted anew in each run."""
    code = SECRETS[secret]
    text = f"import os\n\ndef f():\n{code}\n    return key\n"
    length = code.count("\n") + 1
    now = located(finding(evidence=code, start_line=4, end_line=3 + length), text)
    row = now.model_dump(mode="json")
    kept = Finding.model_validate({n: _kept(each) for n, each in row.items()})
    assert code not in kept.evidence
    assert hides(kept, now)
    assert same_defect(kept, now)
    found = still_there(kept, "x = 1\n" + text)
    assert found is not None
    assert (found.start_line, found.end_line, found.evidence) == (5, 4 + length, code)
    assert whereabouts(kept, {kept.path: "x = 1\n" + text}).start == 5
    other = text.replace(code, code.replace("k", "q").replace("A", "B"))
    assert not hides(kept, located(now.model_copy(update={"code_digest": ""}), other)), (
        "another secret in its place"
    )


@pytest.mark.parametrize("secret", ["AWS", "Stripe", "random"])
def test_a_finding_below_a_header_with_a_secret_is_the_same_when_it_comes_back(secret: str) -> None:
    """Also where the secret stands in what is around its code, or in its title."""
    value = SECRETS[secret].partition("= ")[2]
    header = f"client = Client({value},"
    text = f"import os\n\n{header}\n    timeout=0)\n"
    stated = finding(
        evidence="    timeout=0)", start_line=4, end_line=4, title=f"No time for {value}"
    )
    now = located(stated, text)
    assert now.within == header, "the control"
    row = with_title_digest(now).model_dump(mode="json")
    kept = Finding.model_validate({n: _kept(each) for n, each in row.items()})
    assert header != kept.within
    assert kept.title != now.title
    assert same_defect(kept, now)
    assert fingerprint(kept) == fingerprint(now)
    assert hides(kept, now.model_copy(update={"severity": Severity.critical})), "by its title"
    found = still_there(kept, "x = 1\n" + text)
    assert found is not None
    assert (found.start_line, found.within) == (5, header)
    elsewhere = located(stated, text.replace("Client(", "Server("))
    assert not same_defect(kept, elsewhere)


def _kept(value: Any) -> Any:
    return DatabaseRedactor().text(value) if isinstance(value, str) else value


def test_overlapping_statements_are_one_and_the_worst_stays() -> None:
    stated = [
        finding(start_line=1, end_line=2, evidence="x = 1\ny = 2", severity="medium", title="a"),
        finding(
            start_line=2,
            end_line=2,
            evidence="y = 2",
            severity="critical",
            category="security",
            title="b",
        ),
        finding(start_line=2, end_line=3, evidence="y = 2\nz = 3", severity="high", title="c"),
    ]
    for order in (stated, stated[::-1]):
        (one,) = merged(order)
        assert one.finding.title == "b"
        assert [each.title for each in one.others] == ["c", "a"]


def test_what_does_not_overlap_stays_apart() -> None:
    apart = [at(4), at(9), at(13), at(4, path="b.py"), at(4).model_copy(update={"side": "LEFT"})]
    assert len(merged(apart)) == 5
    chain = [
        finding(start_line=n, end_line=n + 1, severity="low" if n % 2 else "high")
        for n in range(1, 9)
    ]
    assert len(merged(chain)) > 1, "no chain of neighbours melts into one"


def test_the_worst_comes_first_then_the_surest_then_by_place() -> None:
    wanted = [
        finding(start_line=1, end_line=1, severity="critical", confidence=0.1),
        finding(start_line=2, severity="high", confidence=0.9),
        finding(severity="high", confidence=0.8, path="a"),
        finding(severity="high", confidence=0.8, path="b", start_line=1, end_line=1),
        finding(severity="high", confidence=0.8, path="b", start_line=5, end_line=5),
        finding(start_line=6, end_line=6, severity="medium"),
        finding(start_line=7, end_line=7, severity="low"),
    ]
    assert [each.finding for each in merged(wanted[::-1])] == wanted


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 30), st.integers(0, 4), st.sampled_from(list(Severity)), st.floats(0, 1)
        ),
        max_size=12,
    )
)
def test_nothing_is_lost_by_merging(stated: list[tuple[int, int, Severity, float]]) -> None:
    found = [
        finding(start_line=first, end_line=first + more, severity=severity, confidence=sure)
        for first, more, severity, sure in stated
    ]
    kept = merged(found)
    assert sorted(map(id, found)) == sorted(
        id(f) for one in kept for f in (one.finding, *one.others)
    )
    for one in kept:
        assert all(one.finding.severity.rank >= other.severity.rank for other in one.others)
