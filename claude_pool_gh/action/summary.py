"""The job's page and its report file: all that the job's commands have put on GitHub, or could not."""

from __future__ import annotations

from collections.abc import Callable

from claude_pool_gh.action.results import JobResult
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.github.effects.lookups import everything_of
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.report_issue import ReportIssue
from claude_pool_gh.github.effects.review import Review
from claude_pool_gh.reports.figures import dollars
from claude_pool_gh.reports.neutralize import neutralize_line
from claude_pool_gh.storage import Transaction


def report(tx: Transaction, screen: Callable[[Effect], Effect]) -> str:
    """Everything that people were to read, as it was to stand on GitHub: comments, answers, reports, reviews."""
    shown = (Comment, Reply, ReportIssue, Review)
    found = everything_of(tx, ("comment", "reply", "report_issue", "review"))
    return "\n\n---\n\n".join(_text(screen(each)) for each in found if isinstance(each, shown))


def _text(effect: Effect) -> str:
    match effect:
        case Comment() | Reply():
            return effect.body
        case ReportIssue():
            return effect.text
        case Review():
            inline = [
                f"**{neutralize_line(each.path)}**, line {each.line}\n\n{each.body}"
                for each in effect.comments
            ]
            return "\n\n".join([effect.body, *inline])
        case _:
            return ""


def page(result: JobResult, body: str, thread_url: str) -> str:
    """The whole summary: what came of the job in its first lines, then the report."""
    cost = dollars(result.cost, upper_bound=result.upper_bound)
    what = f"rehearsal, {result.outcome}" if result.dry_run else result.outcome
    head = f"### claude-pool: {what} ({cost})\n"
    where = f"\n[The thread]({thread_url}) has the same.\n" if thread_url else ""
    why = f"\n**{neutralize_line(result.why)}**\n" if result.why else ""
    rows = "".join(
        f"\n- {neutralize_line(each.line)}: {each.outcome}, {neutralize_line(each.title)}"
        for each in result.commands
    )
    more = "".join(f"\n- {neutralize_line(each)}" for each in result.refusals[1:])
    return f"{head}{where}{why}{rows}{more}\n\n{body}\n"
