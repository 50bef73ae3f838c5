"""The tracking comment, from its promise to its bill."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from claude_pool_gh.commands.lines import command_lines
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.states import StepState
from claude_pool_gh.reports.tracking import tracking
from claude_pool_gh.reports.views import Bill, Evidence, Remark, ReviewReport, StepLine
from claude_pool_gh.terms.markdown import COMMENT_LIMIT
from claude_pool_gh.terms.severity import Severity
from tests.findings.make import finding
from tests.reports.judge import GITHUB, life
from tests.reports.make import BILL, REFUTED, STEPS, ended, reviewed, run

WAITING = """\
### Review of `012345678`: waiting in the queue

Reads 14 files in 3 parts. At most $3.00, usually $0.40 to $0.90 here.

| | step | model | time | cost |
|---|---|---|--:|--:|
| · | **brief** |  |  |  |
| · | **find** |  |  |  |
| · | **verify** |  |  |  |

<sub>`c-7` · requested by `mona` · `/pool help`</sub>"""

RUNNING = """\
### Review of `012345678`: running

Reads 14 files in 3 parts. At most $3.00.

So far: 1 min, ≤ $0.01.

| | step | model | time | cost |
|---|---|---|--:|--:|
| ✓ | **brief** |  | 0.8 s |  |
| ▶ | **find** 1 of 3: `@mona` \\| x | claude-sonnet-5-5 |  | ≤ $0.01 |
| · | **verify** |  |  |  |

<sub>`c-7` · requested by `mona` · `/pool help`</sub>"""

STEPS_AND_BILL = """\
<details><summary>Steps</summary>

| | step | model | time | cost |
|---|---|---|--:|--:|
| ✓ | **brief** |  | 0.8 s |  |
| ✓ | **find** 3 of 3 | claude-sonnet-5-5 | 1 min 1 s | $0.42 |
| ✓ | **verify** | claude-sonnet-5-5 | 9.4 s | $0.08 |

</details>

<details><summary>Bill</summary>

| | cost |
|---|--:|
| find | $0.42 |
| verify | $0.08 |
| **this run** | **$0.50** |
| this thread so far | $0.70 |
| this repository this month | $12.34 |
| left of the cap per thread | $9.30 of $10.00 |
| left of the cap per user and day | $19.50 of $20.00 |

</details>

<details><summary>What the agents looked at</summary>

**shop/prices.py**\x20\x20
read `shop/prices.py`, `shop/store.py`\x20\x20
searched `def price`

</details>"""

CLEAN = f"""\
### ✅ Nothing found in 14 files

Commit `012345678` · $0.50 of $3.00 · 1 min 11 s · after the next push: `/pool review`

<details><summary>What was not posted or not read</summary>

- Refuted by a second reader: 1
  - It cannot happen `a.py:3` (low): `@mona` checks it in b.py:4

</details>

{STEPS_AND_BILL}

<sub>`c-7` · requested by `mona` · `/pool help`</sub>"""

FINDINGS = f"""\
### 🔎 4 findings (worst: critical) in 14 files read

- **critical** `@mona` loses `#1` · `shop/prices.py:3-5`
- **high** The rebate is taken twice · `shop/prices.py:2`
- **low** The rebate is taken twice · `shop/prices.py:2`
- **low** The rebate is taken twice · `shop/prices.py:2`

The head has moved to 0123 since; that is not reviewed yet.

Commit `012345678` · $0.50 of $3.00 · 1 min 11 s · to review it again: `/pool review`

<details><summary>What was not posted or not read</summary>

- **Not read, since it looks generated:** `yarn.lock`; `/pool review PATH` reads it, `review.exclude` settles it
- Skipped (binary or excluded): `logo.png`
- 1 finding from earlier runs not repeated
- **Answered from the diff alone:** `b.py and 2 more`
- **Not settled**: 2
  - `@mona` is asked `a.py:3` (critical): not sure
  - A quote `a.py`: not there
- Still open, since nobody could say whether it is fixed: 1
  - Old: out of budget
- There before this change, and not counted: 1
  - Before: it was so
- Dismissed by a maintainer, and stated again (`/pool reopen ID` counts one again): 1
  - Hidden: by design
- Refuted by a second reader: 1
  - It cannot happen `a.py:3` (low): `@mona` checks it in b.py:4

</details>

{STEPS_AND_BILL}

<details><summary>1 earlier run</summary>

- `c-6` 1 finding

</details>

<sub>`c-7` · requested by `mona` · `/pool help`</sub>"""

OUT_OF_BUDGET = """\
### ⚠️ NOT REVIEWED: out of budget

Commit `012345678` · ≤ $3.00 of $3.00 · 1 min 11 s · to try again: `/pool retry`

<details><summary>Steps</summary>

| | step | model | time | cost |
|---|---|---|--:|--:|
| ✓ | **brief** |  | 0.8 s |  |
| ✗ | **find** |  | 9.0 s | ≤ $3.00 |

</details>

<details><summary>Bill</summary>

| | cost |
|---|--:|
| find | ≤ $3.00 |
| **this run** | **≤ $3.00** |
| this thread so far | $3.00 |
| this repository this month | $3.00 |

`≤` marks an upper bound: the connection to the model's API broke before it reported the usage.

</details>

<sub>`c-7` · requested by `mona` · `/pool help`</sub>"""

MANY = (
    finding(),
    finding(severity="critical", evidence="x", title="@mona loses #1", start_line=3, end_line=5),
)


def test_a_run_that_waits_says_what_it_may_cost() -> None:
    pending = tuple(StepLine(name=step.name, state="pending") for step in STEPS)
    assert tracking(run(steps=pending)) == WAITING


def test_a_run_shows_how_far_it_is() -> None:
    steps = (
        STEPS[0],
        StepLine(
            name="find",
            state="running",
            detail="1 of 3: @mona | x",
            model="claude-sonnet-5-5",
            cost=10_000,
            upper_bound=True,
        ),
        StepLine(name="verify", state="pending"),
    )
    bill = Bill(spent=10_000, upper_bound=True, cap=3_000_000)
    assert tracking(run(steps=steps, bill=bill)) == RUNNING


def test_a_clean_review_says_how_much_was_read() -> None:
    assert tracking(ended(Verdict.clean)) == CLEAN


def test_a_review_with_findings_names_the_worst() -> None:
    found = reviewed(
        inline=MANY,
        more=(finding(severity="low", evidence="y"),),
        outside=(finding(severity="low", evidence="z"),),
        unsettled=(
            Remark(title="A quote", path="a.py", reason="not there"),
            Remark(
                title="@mona is asked",
                path="a.py",
                line=3,
                severity=Severity.critical,
                reason="not sure",
            ),
        ),
        refuted=REFUTED,
        known=1,
        left_out=("logo.png",),
        generated=("yarn.lock",),
        unopened=("b.py and 2 more",),
        unchecked=(Remark(title="Old", reason="out of budget"),),
        before=(Remark(title="Before", reason="it was so"),),
        hidden=(Remark(title="Hidden", reason="by design"),),
        note="The head has moved to 0123 since; that is not reviewed yet.",
    )
    assert tracking(ended(Verdict.findings, report=found, earlier=("`c-6` 1 finding",))) == FINDINGS


def test_a_review_that_ran_out_of_money_offers_more() -> None:
    steps = (
        STEPS[0],
        StepLine(name="find", state="failed", elapsed_ms=9_000, cost=3_000_000, upper_bound=True),
    )
    bill = Bill(spent=3_000_000, upper_bound=True, cap=3_000_000, thread=3_000_000, month=3_000_000)
    shown = tracking(ended(Verdict.out_of_budget, steps=steps, bill=bill, report=None, looked=()))
    assert shown == OUT_OF_BUDGET


FIRST_LINES = {
    Verdict.clean: "### ✅ Nothing found in 14 files",
    Verdict.findings: "### 🔎 1 finding (worst: high) in 14 files read; why",
    Verdict.unsettled: "### ⚠️ NOT SETTLED: why",
    Verdict.answered: "### ✅ Done",
    Verdict.skipped: "### ⚠️ NOT REVIEWED: why",
    Verdict.quota: "### ⚠️ NOT REVIEWED: why",
    Verdict.out_of_budget: "### ⚠️ NOT REVIEWED: out of budget (why)",
    Verdict.out_of_turns: "### ⚠️ NOT REVIEWED: out of turns",
    Verdict.cancelled: "### ⚠️ NOT REVIEWED: cancelled",
    Verdict.failed: "### ⚠️ NOT REVIEWED: why",
}
NEXT = {
    Verdict.clean: "after the next push: `/pool review`",
    Verdict.findings: "after the next push: `/pool review`",
    Verdict.unsettled: "after the next push: `/pool review`",
    Verdict.answered: "",
    Verdict.skipped: "to review all of it: `/pool review`",
}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_its_first_line_and_its_next_command(verdict: Verdict) -> None:
    lines = tracking(ended(verdict, "why")).split("\n")
    assert lines[0] == FIRST_LINES[verdict]
    money = next(line for line in lines if " of $3.00 · " in line)
    next_ = NEXT.get(verdict, "to try again: `/pool retry`")
    assert money == " · ".join(
        filter(None, ("Commit `012345678`", "$0.50 of $3.00", "1 min 11 s", next_))
    )


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("verb", ["audit", "run", "triage", "fix"])
def test_only_a_review_names_a_review_as_its_next_command(verb: str, verdict: Verdict) -> None:
    """Such as `/pool audit --plan` where there is no file to read."""
    told = tracking(replace(ended(verdict, "why", report=None), verb=verb))
    assert "/pool review" not in told
    assert ("/pool retry" in told) is (verdict not in NEXT)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"files": 0, "generated": ["yarn.lock"]}, "to have it read: `/pool review PATH`"),
        ({"files": 0, "left_out": ["a.png"]}, ""),
        ({"files": 1, "generated": ["yarn.lock"]}, NEXT[Verdict.skipped]),
    ],
)
def test_the_next_command_is_never_one_that_ends_in_the_same_way(
    fields: dict[str, Any], expected: str
) -> None:
    shown = tracking(ended(Verdict.skipped, "why", report=reviewed(**fields)))
    money = next(line for line in shown.split("\n") if " of $3.00 · " in line)
    assert money.partition("1 min 11 s")[2] == (f" · {expected}" if expected else "")


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("posted", [True, False])
@pytest.mark.parametrize("note", ["", "the head\nhas moved\n\n" * 9])
def test_the_first_screen_has_at_most_ten_findings_and_eight_more_lines(
    verdict: Verdict, posted: bool, note: str
) -> None:
    found = reviewed(
        inline=MANY * 20, unread=("a",) * 90, left_out=("b",) * 90, posted=posted, note=note
    )
    outcome = Outcome(verdict=verdict, reason="why\n\n" * 40)
    first = tracking(run(outcome=outcome, report=found)).split("<details>")[0]
    assert len(first.rstrip("\n").split("\n")) <= 10 + 8


def test_findings_that_could_not_be_posted_are_listed() -> None:
    shown = tracking(ended(Verdict.findings, report=reviewed(inline=MANY, posted=False)))
    assert "<details><summary>critical: <code>@mona</code> loses <code>#1</code></summary>" in shown
    assert "<details><summary>high: The rebate is taken twice</summary>" in shown
    assert "<summary>high" not in tracking(ended(Verdict.findings, report=reviewed(inline=MANY)))


def test_what_was_not_read_is_named_up_to_ten() -> None:
    shown = tracking(
        ended(Verdict.out_of_budget, report=reviewed(unread=[f"f{n}" for n in range(12)]))
    )
    assert (
        "- **Not read:** `f0`, `f1`, `f2`, `f3`, `f4`, `f5`, `f6`, `f7`, `f8`, `f9` and 2 more"
        in shown
    )


HOSTILE = "@mona\n/pool approve x\n</details>|`#1`<img src=x>https://evil.example"


@pytest.mark.parametrize(
    "change",
    [
        {"requester": HOSTILE},
        {"chain_id": HOSTILE},
        {"outcome": Outcome(verdict=Verdict.failed, reason=HOSTILE)},
        {
            "looked": (
                Evidence(task=HOSTILE, files=(HOSTILE,), searches=(HOSTILE,), denied=(HOSTILE,)),
            )
        },
        {"report": reviewed(left_out=(HOSTILE,), unread=(HOSTILE,), note=HOSTILE)},
        {"report": reviewed(unsettled=(Remark(title=HOSTILE, path=HOSTILE, reason=HOSTILE),))},
        {
            "report": reviewed(
                unopened=(HOSTILE,), hidden=(Remark(title=HOSTILE, line=1, reason=HOSTILE),)
            )
        },
        {"steps": (StepLine(name="find", state="failed", detail=HOSTILE),)},
        {
            "report": ReviewReport(
                files=1, inline=(finding(title=HOSTILE, path=HOSTILE, body=HOSTILE),), posted=False
            )
        },
    ],
)
def test_nothing_that_others_wrote_is_alive_in_it(change: dict[str, Any]) -> None:
    shown = tracking(ended(Verdict.failed, "why", **change))
    assert command_lines(shown) == []
    plain = [
        token
        for token in life(shown.replace("### ", ""))
        if token not in ("html_block", "html_inline")
    ]
    assert plain == []
    html = "".join(token.content for token in GITHUB.parse(shown) if token.type == "html_block")
    assert html.count("<details>") == html.count("</details>") > 0


def test_a_comment_never_grows_beyond_what_github_takes() -> None:
    many = tuple(finding(evidence=f"x{n}", body="`code` " * 500) for n in range(30))
    shown = tracking(ended(Verdict.findings, report=reviewed(inline=many, posted=False), bill=BILL))
    assert len(shown) <= COMMENT_LIMIT
    assert "Shortened: GitHub does not accept longer comments" in shown
    assert shown.count("<details>") == shown.count("</details>")


HOME = "https://github.com/octo/shop"


def test_what_ended_names_its_commit_and_links_what_it_found() -> None:
    found = reviewed(inline=MANY, standing=(finding(path="old.py", severity="low"),))
    lines = tracking(ended(Verdict.findings, report=found, home=HOME)).split("\n")
    blob = f"{HOME}/blob/0123456789abcdef"
    assert lines[2:5] == [
        f"- **critical** `@mona` loses `#1` · [`shop/prices.py:3-5`]({blob}/shop/prices.py#L3-L5)",
        f"- **high** The rebate is taken twice · [`shop/prices.py:2`]({blob}/shop/prices.py#L2)",
        f"- **low** The rebate is taken twice · [`old.py:2`]({blob}/old.py#L2) · still open",
    ]
    assert lines[6].startswith(
        f"Commit [`012345678`]({HOME}/commit/0123456789abcdef) · $0.50 of $3.00 · "
    )


def test_ten_findings_are_listed_and_the_others_counted() -> None:
    many = tuple(finding(evidence=f"x{n}", title=f"Number {n}") for n in range(12))
    lines = tracking(ended(Verdict.findings, report=reviewed(inline=many))).split("\n")
    assert lines[2].startswith("- **high** Number 0 · ")
    assert (lines[11].split(" · ")[0], lines[12], lines[13]) == (
        "- **high** Number 9",
        "- and 2 more",
        "",
    )


def test_what_ended_says_when_the_head_has_moved_and_says_it_once() -> None:
    note = "The head has moved to 456 since; that is not reviewed yet."
    shown = tracking(
        ended(Verdict.clean, report=reviewed(note=note), stale="fedcba9876543210", home=HOME)
    )
    now = f"[`fedcba987`]({HOME}/commit/fedcba9876543210)"
    assert (
        shown.split("\n\n")[1] == f"⚠️ The head has moved to {now} since; that is not reviewed yet."
    )
    assert shown.count("The head has moved") == 1
    assert "to review it again: `/pool review`" in shown, "that push was made already"
    assert note in tracking(ended(Verdict.clean, report=reviewed(note=note)))


def test_a_workflow_is_called_by_its_name() -> None:
    named: dict[str, Any] = {"verb": "run", "name": "workflow `nightly`", "report": None}
    assert tracking(ended(Verdict.answered, **named)).startswith(
        "### ✅ Workflow `nightly`: Done\n"
    )
    steps = (StepLine(name="read", state="running"),)
    assert tracking(run(steps=steps, **named)).startswith(
        "### Workflow `nightly` of `012345678`: running\n"
    )


def test_time_and_cost_move_while_it_runs() -> None:
    steps = (StepLine(name="find", state="running", elapsed_ms=185_000, cost=10_000),)
    bill = Bill(spent=10_000, upper_bound=False, cap=3_000_000)
    shown = tracking(run(steps=steps, bill=bill, elapsed_ms=185_000))
    assert "\n\nSo far: 3 min, $0.01.\n\n" in shown
    assert "| ▶ | **find** |  | 3 min | $0.01 |" in shown


@pytest.mark.parametrize("state", list(StepState))
def test_every_state_of_a_step_has_a_sign(state: StepState) -> None:
    assert "| ? |" not in tracking(run(steps=(StepLine(name="find", state=state),)))


def test_the_columns_of_money_add_up() -> None:
    steps = tuple(
        StepLine(name=f"s{n}", state="completed", cost=cost)
        for n, cost in enumerate((44_900, 154_900))
    )
    shown = tracking(
        ended(
            Verdict.clean, steps=steps, bill=Bill(spent=199_800, upper_bound=False, cap=3_000_000)
        )
    )
    assert "| s0 | $0.05 |\n| s1 | $0.15 |\n| **this run** | **$0.20** |" in shown
