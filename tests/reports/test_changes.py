"""A change as people decide on it: what git says of it, never what the agent says."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.commands.lines import command_lines
from claude_pool_gh.reports import changes, refusals
from claude_pool_gh.reports.changes import body, facts, files_of, summary, waiting
from claude_pool_gh.reports.headline import headline
from claude_pool_gh.reports.neutralize import neutralize
from claude_pool_gh.reports.views import (
    ChangeReport,
    ChangeStatus,
    CheckEnd,
    CheckResult,
    FileChange,
    HandInReport,
    Suspect,
)
from claude_pool_gh.reports.words import checks_in_short
from tests.reports.judge import life
from tests.reports.make import change
from tests.reports.patches import Tree, patch

LONG = b"".join(b"line %d\n" % number for number in range(30))
PICTURE = bytes(range(256))
HEADER = b"diff --git a/q b/q\n--- a/q\n+++ b/q\n@@ -1 +1 @@\n-a\n+b\n"

TREES: dict[str, tuple[Tree, Tree, list[FileChange]]] = {
    "an edited file": ({"a": b"1\n2\n"}, {"a": b"1\n3\n"}, [FileChange("a", 1, 1)]),
    "a new file": ({}, {"s/a": b"1\n2\n"}, [FileChange("s/a", 2, 0, "new")]),
    "a new empty file": ({}, {"a/__init__.py": b""}, [FileChange("a/__init__.py", 0, 0, "new")]),
    "a deleted file": ({"a": b"1\n2\n"}, {}, [FileChange("a", 0, 2, "deleted")]),
    "a deleted empty file": ({"a": b""}, {}, [FileChange("a", 0, 0, "deleted")]),
    "a file without a last newline": ({"a": b"1"}, {"a": b"2"}, [FileChange("a", 1, 1)]),
    "a file with CRLF": ({"a": b"1\r\n2\r\n"}, {"a": b"1\r\n3\r\n"}, [FileChange("a", 1, 1)]),
    "a file of Latin 1": ({"a": b"\xe9\n"}, {"a": b"\xe8\n"}, [FileChange("a", 1, 1)]),
    "strange line ends": (
        {"a": "1\u2028\x0c2\r3\n".encode()},
        {"a": "1\u2028\x0c4\r3\n".encode()},
        [FileChange("a", 1, 1)],
    ),
    "two files": (
        {"a": b"1\n", "b": b"1\n"},
        {"a": b"2\n", "b": b"2\n3\n"},
        [FileChange("a", 1, 1), FileChange("b", 2, 1)],
    ),
    "a renamed file": (
        {"old": LONG},
        {"new": LONG},
        [FileChange("old", 0, 0, "renamed to new"), FileChange("new", 0, 0, "renamed from old")],
    ),
    "a renamed and edited file": (
        {"old": LONG},
        {"s/new": LONG + b"more\n"},
        [
            FileChange("old", 0, 0, "renamed to s/new"),
            FileChange("s/new", 1, 0, "renamed from old"),
        ],
    ),
    "a new picture": ({}, {"a.png": PICTURE}, [FileChange("a.png", 0, 0, "new, binary")]),
    "another picture": (
        {"a.png": PICTURE},
        {"a.png": PICTURE[:9]},
        [FileChange("a.png", 0, 0, "binary")],
    ),
    "a deleted picture": ({"a.png": PICTURE}, {}, [FileChange("a.png", 0, 0, "deleted, binary")]),
    "a new link": ({}, {"l": "/etc/passwd"}, [FileChange("l", 1, 0, "new, mode 120000")]),
    "a file that becomes a link": (
        {"l": b"x\n"},
        {"l": "/etc"},
        [FileChange("l", 0, 1, "deleted"), FileChange("l", 1, 0, "new, mode 120000")],
    ),
    "content that looks like a diff": ({"a": b"x\n"}, {"a": HEADER}, [FileChange("a", 6, 1)]),
    "content that looks like a header": (
        {"a": b"x\n-- b/z\n"},
        {"a": b"x\n++ b/.github/x\n"},
        [FileChange("a", 1, 1)],
    ),
    "a name with an umlaut": ({}, {"s/wörk": b"x\n"}, [FileChange("s/wörk", 1, 0, "new")]),
    "a name that is edited with an umlaut": (
        {"s/wörk": b"y\n"},
        {"s/wörk": b"x\n"},
        [FileChange("s/wörk", 1, 1)],
    ),
    "a name that is no UTF-8": (
        {},
        {os.fsdecode(b"s/\xe9"): b"x\n"},
        [FileChange("s/\ufffd", 1, 0, "new")],
    ),
    "a name with quotes": ({}, {'s/a"b': b"x\n"}, [FileChange('s/a"b', 1, 0, "new")]),
    "a name with a tab": ({}, {"s/a\tb": b"x\n"}, [FileChange("s/a\tb", 1, 0, "new")]),
    "a name of two lines": ({}, {"s/a\nb": b"x\n"}, [FileChange("s/a\nb", 1, 0, "new")]),
    "a name with a space": ({}, {"s/a b": b"x\n"}, [FileChange("s/a b", 1, 0, "new")]),
    "a name like a header's, empty": (
        {},
        {"s/a b/s/a": b""},
        [FileChange("s/a b/s/a", 0, 0, "new")],
    ),
    "a name like a header's, binary": (
        {},
        {"s/a b/s/a": PICTURE},
        [FileChange("s/a b/s/a", 0, 0, "new, binary")],
    ),
    "names that begin like git's prefixes": (
        {"b/a": b"y\n"},
        {"b/a": b"x\n", "a/b/c": b"x\n"},
        [FileChange("a/b/c", 1, 0, "new"), FileChange("b/a", 1, 1)],
    ),
    "a renamed name with umlauts": (
        {"s/wö": LONG},
        {"öx": LONG},
        [FileChange("s/wö", 0, 0, "renamed to öx"), FileChange("öx", 0, 0, "renamed from s/wö")],
    ),
    "nothing": ({"a": b"1\n"}, {"a": b"1\n"}, []),
}


@pytest.mark.parametrize("case", TREES)
def test_the_hosts_facts_are_what_git_says(case: str, tmp_path: Path) -> None:
    before, after, wanted = TREES[case]
    assert list(files_of(patch(tmp_path, before, after))) == wanted


def test_a_file_that_is_made_executable_says_so(tmp_path: Path) -> None:
    made = patch(
        tmp_path, {"run": b"x\n"}, {"run": b"x\n", "new": b"x\n"}, frozenset({"run", "new"})
    )
    assert files_of(made) == (
        FileChange("new", 1, 0, "new, mode 100755"),
        FileChange("run", 0, 0, "mode 100755"),
    )


@pytest.mark.parametrize(
    "text", [b"hello", b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", b"diff --git a/a b/a\n@@ -1"]
)
def test_what_is_no_patch_of_gits_is_refused(text: bytes) -> None:
    if text.startswith(b"diff"):
        assert files_of(text) == (FileChange("a", 0, 0, "its lines cannot be counted"),)
    else:
        with pytest.raises(ValueError, match="not a unified diff"):
            files_of(text)


def test_a_file_whose_part_of_a_patch_cannot_be_read_is_named_and_costs_no_other(
    tmp_path: Path,
) -> None:
    whole = patch(tmp_path, {"a": LONG, "b": b"x\n"}, {"a": b"0\n" + LONG + b"1\n", "b": b"y\n"})
    broken = whole.replace(b"\n+1\n", b"\n")
    assert files_of(broken) == (
        FileChange("a", 0, 0, "its lines cannot be counted"),
        FileChange("b", 1, 1),
    )


@pytest.mark.parametrize(
    "name", ["docs/Über uns.md", "plan b/notes.md", "a b.txt", 'é "q".txt', " b/ b/x y"]
)
def test_an_added_file_with_an_ordinary_name_is_read(tmp_path: Path, name: str) -> None:
    assert files_of(patch(tmp_path, {"k": b"1\n"}, {"k": b"1\n", name: b"x\n"})) == (
        FileChange(name, 1, 0, "new"),
    )


# ---- what is shown

TABLE = """\
| file | added | removed |  |
| --- | --: | --: | --- |
| `shop/prices.py` | 3 | 1 |  |
| `.github/workflows/ci.yml` | 0 | 9 | deleted, **protected** |"""
FACTS = f"{TABLE}\n\nNew commit `ccccccccc`, patch `dddddddddddd`. Checks: **not checked**."
SETTLED = f"{TABLE}\n\nChecks: **not checked**."
COPY = """\
To push exactly this patch, comment:

```
/pool approve 0123456789
```

To ask for changes: `/pool reject 0123456789 what should be different`."""
SAYS = """\
<details><summary>What the agent says</summary>

It asks `@mona` no more.

</details>"""
PATCH = """\
```diff
-a
+b
```"""
FOLDED = f"<details><summary>The patch</summary>\n\n{PATCH}\n\n</details>"

PASSED = CheckResult(name="tests", end=CheckEnd.passed, status=0, elapsed_ms=83_000)
FAILED = CheckResult(
    name="lint", end=CheckEnd.failed, status=2, elapsed_ms=4_100, output="a.py: ``` @mona\n"
)
SAID: dict[CheckEnd, str] = {
    CheckEnd.passed: "✅ passed",
    CheckEnd.failed: "❌ **failed** (exit status 2), but passes without this change",
    CheckEnd.failed_before: "⚠️ **inconclusive**: fails (exit status 2), and fails without this change too",
    CheckEnd.timed_out: "❌ **timed out**",
    CheckEnd.flooded: "❌ **ended**: exceeded its output limit",
    CheckEnd.out_of_memory: "❌ **ended**: exceeded its memory limit",
    CheckEnd.not_run: "⚠️ **not checked**: could not be started",
}

DECISIONS: dict[str, tuple[dict[str, Any], str]] = {
    "waiting": ({}, COPY),
    "waiting for one more": (
        {"approved_by": ("mona", "hubot"), "still_needed": "1 more person must approve (why)."},
        f"Approved so far by `mona`, `hubot`. 1 more person must approve (why). {COPY}",
    ),
    "rejected before": (
        {"rejections": 1, "most_rejections": 3},
        f"{COPY} Rejected 1 of 3 times so far.",
    ),
    "stale": (
        {"stale": "the head has moved to @mona"},
        "This patch is outdated: the head has moved to `@mona`. To make a new one: `/pool retry`",
    ),
    "writing": (
        {"fate": ChangeStatus.writing, "approved_by": ("mona",)},
        "Approved by `mona`; pushing to `topic`.",
    ),
    "pushed": (
        {"fate": ChangeStatus.pushed, "approved_by": ("mona", "hubot")},
        "Pushed `ccccccccc` to `topic`, approved by `mona`, `hubot`.",
    ),
    "proposed": (
        {"fate": ChangeStatus.proposed, "approved_by": ("mona",), "pull": 12},
        "Opened pull request #12 with `ccccccccc`, approved by `mona`.",
    ),
    "refused": (
        {
            "fate": ChangeStatus.refused,
            "approved_by": ("mona",),
            "refused": "the head moved, @mona",
        },
        f"Approved by `mona`, but not pushed: the head moved, `@mona`. {refusals.KEEPS}",
    ),
    "a fork": (
        {"fate": ChangeStatus.patch_only, "gate": ""},
        (
            "This is a fork, and the bot does not push to forks. The patch is below; apply it at `000000000` with "
            "`git apply`."
        ),
    ),
    "a fork with a download": (
        {"fate": ChangeStatus.patch_only, "gate": "", "download": "https://pool.example/p"},
        (
            "This is a fork, and the bot does not push to forks. [Download the patch](https://pool.example/p); "
            "apply it at `000000000` with `git apply`."
        ),
    ),
}


@pytest.mark.parametrize("case", DECISIONS)
def test_a_change_that_waits_shows_the_patch_and_then_what_to_copy_and_any_other_says_first_what_came_of_it(
    case: str,
) -> None:
    fields, decision = DECISIONS[case]
    shown = body(change(**fields))
    match fields.get("fate", ChangeStatus.waiting):
        case ChangeStatus.waiting if "stale" not in fields:
            assert shown == [FACTS, PATCH, decision, SAYS]
        case ChangeStatus.waiting:
            assert shown == [decision, FACTS, FOLDED, SAYS]
        case ChangeStatus.patch_only:
            assert shown == [decision, SETTLED, PATCH, SAYS]
        case _:
            assert shown == [decision, SETTLED, FOLDED, SAYS]


@pytest.mark.parametrize(("lines", "is_open"), [(39, True), (40, False)])
def test_a_patch_is_open_below_forty_lines(lines: int, is_open: bool) -> None:
    shown = body(change(files=(FileChange("a", lines, 0),)))
    assert (PATCH in shown, FOLDED in shown) == (is_open, not is_open)


def test_a_patch_of_few_but_endless_lines_is_folded() -> None:
    assert "<details><summary>The patch</summary>" in body(change(patch=f"+{'x' * 6_000}\n"))[1]


def test_commits_are_links_where_the_repository_is_known() -> None:
    pushed = body(
        change(fate=ChangeStatus.pushed, approved_by=("mona",)), "https://github.com/o/w"
    )[0]
    assert pushed.startswith(
        f"Pushed [`ccccccccc`](https://github.com/o/w/commit/{'c' * 40}) to `topic`"
    )


def test_every_fate_is_shown() -> None:
    shown = {fields.get("fate", ChangeStatus.waiting) for fields, _ in DECISIONS.values()}
    assert shown | {ChangeStatus.nothing} == set(ChangeStatus)


def test_nothing_changed_shows_what_the_agent_says_of_it() -> None:
    assert body(change(files=(), fate=ChangeStatus.nothing)) == ["It asks `@mona` no more."]
    assert body(change(files=(), fate=ChangeStatus.nothing, prose="")) == []


def test_questions_come_instead_of_a_change() -> None:
    asked = change(
        files=(),
        fate=ChangeStatus.nothing,
        questions=["Which @mona?\n/pool x", *map(str, range(20))],
    )
    [shown] = body(asked)
    assert shown.startswith("- Which `@mona`? /pool x\n- 0\n")
    assert f"\n{shown}".count("\n- ") == 10
    assert shown.endswith("\n\nAnswer in a comment, then start it again: `/pool retry`")


def test_what_was_handed_in_at_a_gate_of_a_workflow_has_the_same_lines_to_copy() -> None:
    copied = COPY.replace("push exactly this patch", "continue with exactly this")
    assert waiting(HandInReport(text="", gate="0123456789")) == copied
    assert waiting(
        HandInReport(text="", gate="0123456789", approved_by=("mona",), still_needed="One more.")
    ) == (f"Approved so far by `mona`. One more. {copied}")
    assert "approve 0123456789" not in waiting(
        HandInReport(text="", gate="0123456789", stale="closed")
    )


def test_a_long_patch_is_not_shown_but_can_be_downloaded() -> None:
    long = change(patch="x" * 30_001)
    assert body(long)[1].split("\n")[2] == "The patch is too long to be shown here."
    assert (
        "here. [Download it](https://pool.example/p)."
        in body(replace(long, download="https://pool.example/p"))[1]
    )
    assert "too long" not in body(change(patch="x" * 30_000))[1]


def test_more_files_than_a_person_reads_are_counted() -> None:
    many = change(files=tuple(FileChange(f"f{n}", 1, 0) for n in range(63)))
    assert "\n| `f59` | 1 | 0 |\n| and 3 more |  |  |\n" in facts(many), "no notes, no column"
    noted = change(files=(*many.files[:62], FileChange("f62", 1, 0, "new")))
    assert "\n| `f59` | 1 | 0 |  |\n| and 3 more |  |  |  |\n" in facts(noted)


def test_a_change_in_a_sentence() -> None:
    assert summary(change()) == "2 files, +3 -10, including 1 protected path"
    assert summary(change(protected=())) == "2 files, +3 -10"


PROSE = st.text(max_size=60) | st.sampled_from(
    [
        "| `x` | 9 | 9 | |",
        "**protected**",
        "Checks: all green.",
        "</details>",
        "```",
        "patch `0`",
        "\n\n|a|\n|-|\n",
    ]
)


@settings(deadline=None)
@given(PROSE, PROSE, st.lists(PROSE, max_size=2), PROSE)
def test_no_word_of_the_agents_is_among_the_hosts_facts(
    prose: str, title: str, questions: list[str], text: str
) -> None:
    said = change(prose=prose, title=title, questions=tuple(questions), patch=text)
    assert facts(said) == FACTS
    if not questions:
        assert body(said)[0] == FACTS
        assert COPY in body(said)


@settings(deadline=None)
@given(
    st.sampled_from(["path", "note"]),
    st.text(max_size=60)
    | st.sampled_from(
        [
            "a | b",
            "@mona",
            "x` **protected** `",
            "a\n| `y` | 0 | 0 | |",
            "<b>",
            "/pool approve x",
            "![](x)",
            "``",
            "`|`",
        ]
    ),
)
def test_a_name_of_a_file_is_one_dead_cell_whatever_it_is(field: str, name: str) -> None:
    file = FileChange(name, 1, 2) if field == "path" else FileChange("a", 1, 2, name)
    shown = facts(change(files=(file,), protected=()))
    assert command_lines(shown) == []
    assert life(shown) == []
    assert len(shown.split("\n")) == 5


@pytest.mark.parametrize("guard", ["neutralize", "neutralize_line", "code"])
def test_these_tests_would_see_it_if_the_guard_were_off(
    guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = change(files=(FileChange("@mona", 1, 1, "@mona"),), prose="@mona", stale="@mona")
    assert [line for part in body(hostile) for line in life(part) if "html" not in line] == []
    monkeypatch.setattr(changes, guard, lambda text, _limit=0: text)
    assert [line for part in body(hostile) for line in life(part) if "html" not in line] != []


def test_prose_is_neutralized_as_everywhere() -> None:
    prose = "Closes #1\n/pool approve 0123456789\n<img src=x>"
    assert neutralize(prose) in body(change(prose=prose))[3]
    assert isinstance(change(), ChangeReport)


# ---- checks


def test_checks_that_ran_stand_in_a_table_below_the_facts_with_what_the_bad_ones_printed() -> None:
    told = "An approval opens a draft pull request."
    shown = body(change(checked=(PASSED, FAILED), checks=told))
    assert (
        shown[0].split("\n\n", 1)[1]
        == """\
New commit `ccccccccc`, patch `dddddddddddd`.

| check | on this commit | time |
|---|---|--:|
| `tests` | ✅ passed | 1 min 23 s |
| `lint` | ❌ **failed** (exit status 2), but passes without this change | 4.1 s |

An approval opens a draft pull request."""
    )
    assert (
        shown[3]
        == """\
<details><summary>Output of lint</summary>

````text
a.py: ``` @mona
````

</details>"""
    )
    assert [*shown[1:3], *shown[4:]] == body(change())[1:]


@pytest.mark.parametrize("end", CheckEnd)
def test_each_end_of_a_check_is_told_as_it_is(end: CheckEnd) -> None:
    check = replace(FAILED, end=end)
    assert f"| `lint` | {SAID[end]} | 4.1 s |" in facts(change(checked=(check,)))


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((), ""),
        (("passed",), ", 1 check passed"),
        (("passed", "passed"), ", 2 checks passed"),
        (("passed", "failed"), ", check c1 did not pass"),
        (("not_run",), ", check c0 did not pass"),
        (("timed_out", "failed_before", "passed"), ", 2 checks did not pass"),
    ],
)
def test_checks_in_short(ends: tuple[str, ...], said: str) -> None:
    checked = [CheckResult(name=f"c{number}", end=CheckEnd(end)) for number, end in enumerate(ends)]
    assert checks_in_short(checked) == said
    made = change(checked=checked, protected=())
    assert summary(made) == f"2 files, +3 -10{said}"
    assert headline(None, made, "fix") == f"AWAITING APPROVAL: 2 files, +3 -10{said}"


def test_a_random_token_in_a_patch_is_named_above_it_for_who_approves() -> None:
    suspect = Suspect("shop/`a|b`.py", 7, "tZ8k", 32)
    shown = "\n\n".join(body(change(suspects=(suspect,))))
    assert "adds what looks like a random token" in shown
    assert "- ``shop/`a|b`.py:7``, 32 characters beginning with `tZ8k`" in shown
    assert "random token" not in "\n\n".join(
        body(change(suspects=(suspect,), fate=ChangeStatus.pushed))
    )


PLAIN = (FileChange("shop/prices.py", 3, 1),)
WAITS, SETTING, REFUSES = "*Approve and run*", "*Allow GitHub Actions to create", "will refuse"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"by_job": True, "files": PLAIN}, {WAITS}),
        ({"by_job": True}, {WAITS, REFUSES}),
        ({"by_job": True, "opens_pull": True, "files": PLAIN}, {WAITS, SETTING}),
        ({"by_job": False, "opens_pull": True}, set()),
        ({"by_job": True, "stale": "the head has moved"}, set()),
        ({"by_job": True, "fate": ChangeStatus.pushed}, set()),
    ],
)
def test_what_a_jobs_own_push_cannot_do_is_said_before_people_approve(
    fields: dict[str, Any], said: set[str]
) -> None:
    text = "\n\n".join(body(change(**fields)))
    assert {each for each in (WAITS, SETTING, REFUSES) if each in text} == said
