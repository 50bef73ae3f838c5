"""Every way in which text of an agent's or a stranger's comes into a comment of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.commands.grammar import Mistake
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.recipes.yaml_file import Fault
from claude_pool_gh.reports import changes, finding_replies, findings, replies, tables
from claude_pool_gh.reports.neutralize import code, fence, neutralize, neutralize_line, summary
from claude_pool_gh.reports.tables import ChainLine, StatusView
from claude_pool_gh.reports.tracking import tracking
from claude_pool_gh.reports.views import (
    AnswerReport,
    ChangeStatus,
    CheckEnd,
    CheckResult,
    Evidence,
    FileChange,
    HandInReport,
    Link,
    Remark,
    Report,
    StepLine,
    TriageReport,
)
from claude_pool_gh.reports.words import fold
from tests.findings.make import finding
from tests.reports.make import change, reviewed, run

URL: Final = "https://github.com/octo/widgets/blob/c/a.py#L3"
DOWNLOAD: Final = "https://pool.example/download/x"
DONE: Final = Outcome(verdict=Verdict.answered)

Render = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A renderer, and what of its output is the host's own."""

    render: Render
    links: tuple[str, ...] = ()
    headings: int = 0
    before: str = ""
    """What the host itself mentions at the very beginning."""


def _finding(text: str) -> Finding:
    text = text or " "
    return finding(
        title=text[:200],
        body=text[:4000],
        scenario=text[:200],
        path=text[:500],
        evidence=text[:4000],
    )


def _report(make: Callable[[str], Report], *, waits: bool = False, verb: str = "run") -> Render:
    outcome = None if waits else DONE
    return lambda text: tracking(run(verb=verb, report=make(text), waits=waits, outcome=outcome))


def _review(text: str, *, posted: bool) -> str:
    found = _finding(text)
    remarks = (Remark(title=text, path=text, line=1, reason=text),)
    shown = reviewed(
        inline=(found,),
        more=(found,),
        outside=(found,),
        standing=(found,),
        fixed=(found,),
        unsettled=remarks,
        left_out=(text,),
        unread=(text,),
        note=f"No changed file matches {text}.",
        posted=posted,
        known=1,
        refuted=remarks,
        before=remarks,
        hidden=remarks,
        unchecked=remarks,
        unopened=(text,),
    )
    return tracking(run(report=shown, outcome=Outcome(verdict=Verdict.findings)))


def _around(text: str) -> str:
    """What surrounds a report: reasons, steps, what was looked at."""
    looked = Evidence(task=text, files=(text,), searches=(text,), denied=(text,))
    steps = (StepLine(name="find", state="failed", detail=text),)
    outcome = Outcome(verdict=Verdict.failed, reason=text)
    return tracking(
        run(outcome=outcome, looked=(looked,), steps=steps, requester=text, chain_id=text)
    )


def _checked(text: str) -> CheckResult:
    return CheckResult(name="tests", end=CheckEnd.failed, status=1, elapsed_ms=1_000, output=text)


def _change(text: str, fate: ChangeStatus) -> str:
    made = change(
        prose=text,
        title=text,
        patch=text,
        fate=fate,
        refused=text,
        branch=text,
        approved_by=(text,),
        download=DOWNLOAD,
        files=(FileChange(text, 1, 2, text), FileChange("b", 0, 0, f"renamed from {text}")),
        stale=text if fate is ChangeStatus.refused else "",
    )
    return "\n\n".join(changes.body(made))


def _status(text: str) -> str:
    line = ChainLine(id=text, verb="fix", title="Done", requester=text, cost=1)
    return tables.status(StatusView(chains=(line,), busy=0, slots=1, waiting=0))


PLAIN: Final[dict[str, Shown]] = {
    "neutralize": Shown(neutralize),
    "neutralize_line in words": Shown(
        lambda text: f"NOT DONE: {neutralize_line(text)}. Nothing was run."
    ),
    "neutralize_line in bold": Shown(lambda text: f"**{neutralize_line(text)}** *(high)*"),
    "neutralize_line in a list": Shown(lambda text: f"- a\n- {neutralize_line(text)}\n- b"),
    "code": Shown(lambda text: f"a {code(text)} b"),
    "code at the beginning": Shown(code),
    "fence": Shown(fence),
    "fence of a language": Shown(lambda text: fence(text, "diff")),
    "fence in a fold": Shown(lambda text: fold("The patch", fence(text, "diff"))),
    "neutralize in a fold": Shown(lambda text: fold("What the agent says", neutralize(text))),
    "summary": Shown(lambda text: fold(summary(text), "x")),
}
REPORTS: Final[dict[str, Shown]] = {
    "findings.inline": Shown(lambda text: findings.inline(_finding(text))),
    # The one living block is the host's: what stands in it must not leave it.
    "findings.inline with a suggestion": Shown(
        lambda text: findings.inline(finding(suggestion=text)).replace("suggestion\n", "taken\n", 1)
    ),
    "findings.listed": Shown(lambda text: findings.listed([_finding(text), _finding(text)])),
    "findings.review_body": Shown(
        lambda text: findings.review_body(
            reviewed(more=(_finding(text),), outside=(_finding(text),)), "a" * 40
        )
    ),
    "findings.whole": Shown(
        lambda text: findings.whole(reviewed(inline=(_finding(text),)), "a" * 40)
    ),
    "replies.answer": Shown(
        lambda text: replies.answer(
            AnswerReport(text=text, links=[Link(path=text, start=3, end=4, url=URL)])
        ),
        (URL,),
    ),
    "a review, posted": Shown(lambda text: _review(text, posted=True), headings=1),
    "a review, not posted": Shown(lambda text: _review(text, posted=False), headings=1),
    "an answer": Shown(_report(lambda text: AnswerReport(text=text)), headings=1),
    "a triage": Shown(
        _report(
            lambda text: TriageReport(summary=text, labels=(text,), missing=(text, text), note=text)
        ),
        headings=1,
    ),
    "a change that waits": Shown(
        _report(lambda text: change(prose=text, title=text, patch=text), waits=True), headings=1
    ),
    "what a check printed": Shown(
        _report(lambda text: change(checked=(_checked(text),), checks="Host's words."), waits=True),
        headings=1,
    ),
    "a change with questions": Shown(
        _report(lambda text: change(files=(), fate=ChangeStatus.nothing, questions=(text, text))),
        headings=1,
    ),
    "nothing changed": Shown(
        _report(lambda text: change(files=(), fate=ChangeStatus.nothing, prose=text)), headings=1
    ),
    "a change that was refused": Shown(
        _report(
            lambda text: change(
                fate=ChangeStatus.refused, refused=text, branch=text, approved_by=(text,)
            )
        ),
        headings=1,
    ),
    "what was handed in": Shown(
        _report(lambda text: HandInReport(text=text, gate="0123456789", stale=text), waits=True),
        headings=1,
    ),
    "what surrounds a report": Shown(_around, headings=1),
    **{
        f"changes.body, {fate}": Shown(lambda text, fate=fate: _change(text, fate), (DOWNLOAD,))  # type: ignore[misc]
        for fate in ChangeStatus
    },
    "tables.status": Shown(_status),
    "replies.mistake": Shown(lambda text: replies.mistake(Mistake(text, text, text))),
    "replies.dismissed": Shown(lambda text: finding_replies.dismissed("0123456789", text)),
    "replies.reopened": Shown(
        lambda text: finding_replies.reopened("0123456789", text, by_thumb=True)
    ),
    "replies.reopened_thread": Shown(
        lambda text: finding_replies.reopened_thread(text, by_thumb=False)
    ),
    "replies.dismissed_thread": Shown(lambda text: finding_replies.dismissed_thread(text, text)),
    "replies.candidates": Shown(
        lambda text: replies.candidates("cancel", [("c-1", text), ("c-2", text)])
    ),
    "replies.which_finding": Shown(
        lambda text: finding_replies.which_finding([("0123456789", text)])
    ),
    "replies.faulty_config": Shown(lambda text: replies.faulty_config("a", [Fault(1, text)])),
    "replies.faulty_recipe": Shown(replies.faulty_recipe),
    "replies.broken": Shown(replies.broken),
    "replies.stale_gate": Shown(lambda text: replies.stale_gate(text, text, text)),
    "replies.unvetted": Shown(lambda text: replies.unvetted("a" * 40, text)),
    "replies.moved_on": Shown(lambda text: replies.moved_on("a" * 40, "b" * 40, text)),
    "replies.unknown_id": Shown(replies.unknown_id),
    "replies.still_needed": Shown(lambda text: replies.still_needed(1, "why", [text])),
}
ALL: Final = PLAIN | REPORTS


def names() -> Iterator[str]:
    yield from ALL
