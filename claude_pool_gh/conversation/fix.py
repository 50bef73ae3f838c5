"""`/pool fix`: mends findings, or what a maintainer describes; nothing is pushed before a person approves the patch."""

from __future__ import annotations

from typing import Final

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.conversation import changes, outputs
from claude_pool_gh.conversation.change_facts import ChangeFacts, decided, new_branch, with_limits
from claude_pool_gh.conversation.cookbook import EDITING, Cookbook
from claude_pool_gh.conversation.desk import (
    Answer,
    Asked,
    Desk,
    Reply,
    Start,
    VerbRoom,
    caps_of,
    facts_for,
    plan_of,
)
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.conversation.findings_here import named, open_findings, replied_to
from claude_pool_gh.conversation.material import about_thread, new_fence
from claude_pool_gh.findings.tables import Known
from claude_pool_gh.github import reads
from claude_pool_gh.pool.chains import ChainRow
from claude_pool_gh.pool.ports import Done, HostStep, HostStepContext
from claude_pool_gh.reports import refusals, replies
from claude_pool_gh.reports.words import count
from claude_pool_gh.terms.branches import why_no_branch
from claude_pool_gh.terms.roles import Role

VERB: Final = Verb(
    name="fix",
    summary="Mends the open findings, one of them, or what you describe; waits for approval of the exact patch.",
    places=frozenset({"pull"}),
    role=Role.write,
    arguments="[FINDING | TEXT]",
    free_text=True,
    flags=COMMON,
    spends=True,
    pushes=True,
)
_MOST: Final = 20
"""Findings that one run mends."""


class FixFacts(ChangeFacts):
    """What is to be mended."""

    problems: str
    findings: int = 0
    """How many of our own these are; 0 where they are described in words."""


async def answer(desk: Desk, asked: Asked) -> Reply:
    """Plan a mend of the head as it is now."""
    pull = await reads.pull(desk.forge, asked.thread)
    if not pull.open:
        return Answer(replies.closed())
    problems, findings = await _problems(desk, asked)
    if not problems:
        return Answer(replies.needs_text("fix", "something to mend: this pull request has no open finding"))
    repository = asked.thread.repository
    fork = pull.head_repository_id != repository.id
    draft = asked.config.changes.draft and not fork
    if not (fork or draft) and (why := why_no_branch(pull.head_ref)):
        return Answer(refusals.odd_branch(pull.head_ref, why))
    cookbook = Cookbook(
        desk, asked, hosts=frozenset(host_steps(desk)), outputs=outputs.schemas(), tools=EDITING
    )
    steps = await cookbook.steps("fix", turns=asked.config.changes.turns)
    facts = FixFacts(
        **await facts_for(desk, asked, pull),
        **await decided(desk, asked, pull.base_ref),
        merge_base=await reads.merge_base(desk.forge, repository, pull.base, pull.head),
        branch=new_branch(asked) if draft else pull.head_ref,
        into=pull.head_ref if draft else "",
        fork=fork,
        draft=draft,
        problems=problems,
        findings=findings,
    )
    caps = caps_of(asked.config, asked.command, desk.defaults)
    return Start(plan_of(desk, asked, with_limits(steps, asked.config), facts, caps), caps)


async def _problems(desk: Desk, asked: Asked) -> tuple[str, int]:
    """What is to be mended, in words: the finding replied to, the one that is named, the text, or all that is open.

    And how many findings of ours these are.
    """
    known = await open_findings(desk, asked)
    under = await replied_to(desk, asked, known)
    words = asked.command.words
    one = under or (named(words[0], known) if len(words) == 1 else None)
    if one is not None:
        more = f"\n\nThe maintainer adds: {asked.text[:1_500]}" if under and asked.text else ""
        return _described(one) + more, 1
    if asked.text:
        return asked.text[:3_000], 0
    some = known[:_MOST]
    return "\n\n".join(_described(each) for each in some), len(some)


def _described(known: Known) -> str:
    finding = known.finding
    return (
        f"{finding.path}, lines {finding.start_line} to {finding.end_line}: {finding.title}\n{finding.body}\n"
        f"When it goes wrong: {finding.scenario}"
    )


def host_steps(desk: Desk) -> dict[str, HostStep]:
    """The recipe's steps that run without a model."""

    async def brief(context: HostStepContext) -> Done:
        facts = facts_of(context.plan.context, FixFacts)
        fence = new_fence()
        return Done(
            {"about": await about_thread(desk, facts, fence), "fence": fence, "problems": facts.problems}
        )

    return {"fix.brief": brief, **changes.host_steps(desk)}


def _intent(chain: ChainRow) -> str:
    facts = facts_of(chain.plan.context, FixFacts)
    what = count(facts.findings, "finding") if facts.findings else "what was described"
    out = "makes a patch, since this is a fork" if facts.fork else "waits for approval of the exact patch"
    return f"Mends {what} and {out}."


ROOM: Final = VerbRoom(
    VERB,
    answer,
    host_steps,
    report=changes.report,
    intent=_intent,
    check=True,
)
