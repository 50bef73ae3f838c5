"""The tracking comment of each verb that is not a review, whole."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.commands.lines import command_lines
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.reports import refusals
from claude_pool_gh.reports.tracking import tracking
from claude_pool_gh.reports.views import (
    AnswerReport,
    Bill,
    ChangeStatus,
    HandInReport,
    Place,
    Report,
    Resumable,
    Run,
    StepLine,
    TriageReport,
)
from claude_pool_gh.reports.words import fold
from tests.findings.make import finding
from tests.reports.make import STEPS, change, ended, reviewed, run
from tests.reports.test_changes import COPY, FACTS, FOLDED, PATCH, SAYS, SETTLED

DONE = Outcome(verdict=Verdict.answered)
MONEY = "Commit `012345678` · $0.42 of $3.00 · 1 min 11 s"
BASED = MONEY.replace("Commit", "Based on")
STEPS_TABLE = """\
| | step | model | time | cost |
|---|---|---|--:|--:|
| ✓ | **brief** |  | 0.8 s |  |"""
FOLDS = f"""\
<details><summary>Steps</summary>

{STEPS_TABLE}

</details>

<details><summary>Bill</summary>

| | cost |
|---|--:|
| **this run** | **$0.42** |
| this thread so far | $0.00 |
| this repository this month | $0.00 |

</details>"""
FOOT = "<sub>`c-7` · requested by `mona` · `/pool help`</sub>"


def of(verb: str, report: Report | None = None, **fields: Any) -> Run:
    bill = Bill(spent=420_000, upper_bound=False, cap=3_000_000)
    return run(**({"verb": verb, "steps": STEPS[:1], "bill": bill, "report": report} | fields))


def whole(*parts: str) -> str:
    return "\n\n".join([*parts, FOLDS, FOOT])


def test_an_answer_stands_in_its_own_reply_and_not_here() -> None:
    assert tracking(of("ask", AnswerReport(text="It is @mona's."), outcome=DONE)) == whole(
        "### ✅ Answered", MONEY
    )


TRIAGED = """\
It crashes for `@mona`

Labels: `bug`, `a|b`

Missing information:

- The version, `@mona`
- A `<b>` way to see it

As `README.md` says, it should."""


def test_a_triage_says_what_it_is_about_its_labels_and_what_is_missing() -> None:
    triaged = TriageReport(
        summary="It crashes for @mona",
        labels=("bug", "a|b"),
        missing=("The version,\n@mona", "A <b> way to see it"),
        note="As `README.md` says, it should.",
    )
    assert tracking(of("triage", triaged, outcome=DONE)) == whole("### ✅ Triaged", MONEY, TRIAGED)
    assert tracking(of("triage", TriageReport(summary="Clear."), outcome=DONE)) == whole(
        "### ✅ Triaged", MONEY, "Clear."
    )


def test_a_change_that_waits_shows_the_line_to_copy_first() -> None:
    assert tracking(of("fix", change(), waits=True)) == whole(
        "### ⏸ AWAITING APPROVAL: 2 files, +3 -10", BASED, FACTS, PATCH, COPY, SAYS
    )


def test_a_change_that_can_not_be_approved_any_more_says_so_first() -> None:
    stale = change(stale="the head has moved to 1234")
    assert tracking(of("fix", stale, waits=True)) == whole(
        "### ⏸ NOT APPLIED: the head has moved to 1234",
        BASED,
        "This patch is outdated: the head has moved to 1234. To make a new one: `/pool retry`",
        FACTS,
        FOLDED,
        SAYS,
    )


ENDS: dict[ChangeStatus, tuple[dict[str, Any], str, str]] = {
    ChangeStatus.writing: (
        {},
        "⏳ Approved, being pushed: 2 files, +3 -10",
        "Approved by `mona`; pushing to `topic`.",
    ),
    ChangeStatus.pushed: (
        {},
        "✅ Pushed ccccccccc: 2 files, +3 -10",
        "Pushed `ccccccccc` to `topic`, approved by `mona`.",
    ),
    ChangeStatus.proposed: (
        {"pull": 12},
        "✅ Pull request #12: 2 files, +3 -10",
        "Opened pull request #12 with `ccccccccc`, approved by `mona`.",
    ),
    ChangeStatus.refused: (
        {"refused": "the branch moved"},
        "⚠️ NOT PUSHED: the branch moved",
        f"Approved by `mona`, but not pushed: the branch moved. {refusals.KEEPS}",
    ),
    ChangeStatus.patch_only: (
        {"approved_by": ()},
        "✅ A patch for you to apply: 2 files, +3 -10",
        (
            "This is a fork, and the bot does not push to forks. The patch is below; apply it at `000000000` with "
            "`git apply`."
        ),
    ),
}


@pytest.mark.parametrize("where", ENDS)
def test_a_change_says_where_it_went(where: ChangeStatus) -> None:
    fields, first, decision = ENDS[where]
    shown = change(**({"fate": where, "approved_by": ("mona",)} | fields))
    patch = PATCH if where is ChangeStatus.patch_only else FOLDED
    assert tracking(of("fix", shown, outcome=DONE)) == whole(
        f"### {first}", BASED, decision, SETTLED, patch, SAYS
    )


def test_nothing_changed_is_no_success() -> None:
    nothing = change(
        files=(), protected=(), fate=ChangeStatus.nothing, prose="It is right as it is, @mona"
    )
    assert tracking(of("fix", nothing, outcome=DONE)) == whole(
        "### ⚠️ Nothing was changed", MONEY, "It is right as it is, `@mona`"
    )


def test_questions_are_asked_instead() -> None:
    asked = change(files=(), fate=ChangeStatus.nothing, questions=("Which file?", "Which @mona?"))
    assert tracking(of("implement", asked, outcome=DONE)) == whole(
        "### ⚠️ 2 questions before I can start",
        MONEY,
        "- Which file?\n- Which `@mona`?\n\nAnswer in a comment, then start it again: `/pool retry`",
    )


HANDED_IN = COPY.replace("push exactly this patch", "continue with exactly this")


def test_what_was_handed_in_can_be_approved_while_it_waits_and_never_after() -> None:
    handed_in = HandInReport(text="The plan of @mona", gate="0123456789")
    assert tracking(of("run", handed_in, waits=True)) == whole(
        "### ⏸ AWAITING APPROVAL",
        MONEY,
        HANDED_IN,
        fold("What was handed in", "The plan of `@mona`"),
    )
    for verdict in Verdict:
        assert "/pool approve" not in tracking(
            of("run", handed_in, outcome=Outcome(verdict=verdict))
        )


@pytest.mark.parametrize("verdict", [each for each in Verdict if each is not Verdict.answered])
def test_a_change_that_was_not_made_whole_shows_no_line_to_approve_it(verdict: Verdict) -> None:
    assert "/pool approve" not in tracking(of("fix", change(), outcome=Outcome(verdict=verdict)))


def test_what_ended_early_says_what_is_kept_and_how_it_goes_on() -> None:
    kept = Resumable(command="/pool continue c-7 --turns 80", files=change().files)
    early = of("fix", outcome=Outcome(verdict=Verdict.out_of_turns), kept=kept)
    assert tracking(early) == whole(
        "### ⚠️ NOT DONE: out of turns",
        MONEY,
        "The files changed so far are saved (2 files, +3 -10). To resume:\n\n```\n/pool continue c-7 --turns 80\n```",
    )


def test_a_review_that_can_be_continued_names_one_next_command_only() -> None:
    kept = Resumable(command="/pool continue c-7 --budget 6.00", saved=True)
    shown = tracking(
        of(
            "review",
            reviewed(unread=("a",)),
            outcome=Outcome(verdict=Verdict.out_of_budget),
            kept=kept,
        )
    )
    assert shown == whole(
        "### ⚠️ NOT REVIEWED: out of budget",
        MONEY,
        fold("What was not posted or not read", "- **Not read:** `a`"),
        "Finished steps are saved. To resume:\n\n```\n/pool continue c-7 --budget 6.00\n```",
    )
    assert shown.count("/pool") == 2


def test_who_waits_in_line_learns_of_the_place_the_moved_head_and_every_warning() -> None:
    waiting = of(
        "fix",
        place=Place(3, 2, 2),
        stale="f" * 40,
        warnings=("80 % of the month is spent.", "And more."),
    )
    parts = (
        "### Fix of `012345678`: waiting in the queue",
        "Reads 14 files in 3 parts. At most $3.00.",
        "Third in the queue: both slots are busy.",
        "So far: 1 min, $0.42.",
        "⚠️ The head has moved to `fffffffff` since; this is about `012345678`.",
        "⚠️ 80 % of the month is spent.",
        "⚠️ And more.",
        STEPS_TABLE,
        FOOT,
    )
    assert tracking(waiting) == "\n\n".join(parts)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (Place(1, 1, 1), "Next in the queue: the only slot is busy."),
        (Place(1, 4, 4), "Next in the queue: all 4 slots are busy."),
        (Place(2, 3, 4), "Second in the queue: earlier requests start first."),
    ],
)
def test_a_place_in_line_says_why_it_waits(place: Place, says: str) -> None:
    shown = tracking(of("ask", place=place))
    assert says in shown.split("\n\n")
    assert "waiting in the queue" in shown


def test_who_has_a_slot_has_no_place() -> None:
    steps = (StepLine(name="answer", state="running"),)
    assert tracking(of("ask", steps=steps)).startswith("### Ask of `012345678`: running\n")


def test_warnings_stay_when_it_has_ended() -> None:
    shown = tracking(
        of("ask", AnswerReport(text=""), outcome=DONE, warnings=("Only $1.00 is left.",))
    )
    assert shown == whole("### ✅ Answered", MONEY, "⚠️ Only $1.00 is left.")


STANDING = f"""\
### 🔎 1 new, 1 fixed, 1 still open (worst: high) in 14 files read

- **high** The rebate is taken twice · `shop/prices.py:2`
- **low** The rebate is taken twice · `old.py:2` · still open

{MONEY} · after the next push: `/pool review`

<details><summary>What was not posted or not read</summary>

- Found earlier, still open: `old.py:2`
- Found earlier, now fixed: `@mona` is gone

</details>"""


def test_a_second_review_tells_what_is_new_what_is_fixed_and_what_still_stands() -> None:
    found = reviewed(
        inline=(finding(),),
        standing=(finding(path="old.py", severity="low"),),
        fixed=(finding(title="@mona is gone"),),
    )
    assert tracking(of("review", found, outcome=Outcome(verdict=Verdict.findings))) == whole(
        STANDING
    )


@pytest.mark.parametrize(
    "shown",
    [
        of("ask", AnswerReport(text=""), outcome=DONE),
        of("triage", TriageReport(summary="s"), outcome=DONE),
        of("fix", change(), waits=True),
        of("fix", change(stale="x"), waits=True),
        *(of("fix", change(fate=fate), outcome=DONE) for fate in ChangeStatus),
        *(ended(verdict) for verdict in Verdict),
        *(ended(verdict, report=None) for verdict in Verdict),
        *(ended(verdict, kept=Resumable(command="/pool continue")) for verdict in Verdict),
    ],
)
def test_no_line_trails_off_and_nothing_in_it_is_a_command(shown: Run) -> None:
    text = tracking(shown)
    assert not [line for line in text.split("\n") if line.endswith((" ·", " · ", "· "))]
    assert command_lines(text) == []


def test_a_change_that_ended_before_it_was_approved_is_not_on_its_way() -> None:
    failed = Outcome(verdict=Verdict.failed, reason="rejected 3 of 3 times")
    shown = tracking(of("fix", change(fate=ChangeStatus.writing), outcome=failed))
    assert shown.startswith("### ⚠️ NOT DONE: rejected 3 of 3 times")
