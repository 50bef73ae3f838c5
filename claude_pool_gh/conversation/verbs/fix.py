"""`/pool fix`: fixes findings, or what a maintainer describes; nothing is pushed before a person approves the patch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from claude_pool_gh.conversation.agent_verb import StepContext
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts, decided, new_branch
from claude_pool_gh.conversation.changing_verb import ChangingVerb
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.conversation.handler import EVERYWHERE
from claude_pool_gh.conversation.lookups.branch_point import merge_base
from claude_pool_gh.conversation.lookups.code_lookup import described, whereabouts
from claude_pool_gh.conversation.lookups.finding_lookup import (
    findings_here,
    named,
    reads_as_name,
    replied_to,
)
from claude_pool_gh.conversation.prompts.thread_prompt import ThreadPart, ThreadPrompt
from claude_pool_gh.conversation.services import Answer, CommandContext, Services
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.tables import KnownFinding
from claude_pool_gh.github import reads
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import finding_replies, refusals, replies
from claude_pool_gh.reports.words import count
from claude_pool_gh.terms.branches import why_no_branch
from claude_pool_gh.worktrees import history

_MOST: Final = 20
"""Findings that one run fixes."""
_FILES: Final = 200
"""Changed files in which a finding's lines are looked for where they are not in its own any more."""


class FixFacts(ChangeFacts):
    """The problems that are to be fixed."""

    findings: int = 0
    """How many of our own these are; 0 where they are described in words, or under the lines where it was asked."""


class Fix(ChangingVerb[FixFacts]):
    """Changes the head as it is now."""

    name = "fix"
    summary = "Fixes findings, or what you describe; in an issue, one of an audit. The exact patch waits for approval."
    places = EVERYWHERE
    arguments = "[FINDING | TEXT]"
    free_text = True
    order = 30
    only_open = True
    facts = FixFacts
    brief_fields = frozenset({"problems", "who"})

    async def make_facts(
        self,
        services: Services,
        asked: CommandContext,
        common: dict[str, Any],
        pull: reads.Pull | None,
    ) -> FixFacts | Answer:
        """Decide what is to be fixed, and where the patch goes."""
        known = await findings_here(services, asked)
        if pull is None:
            return await _of_an_audit(services, asked, common, known)
        under = await replied_to(services, asked, known)
        if under is None and _names_none(asked.command.words, known):
            return Answer(
                finding_replies.which_finding([(each.mark, each.finding.title) for each in known])
            )
        marks, problems = _problems(asked, known, under)
        if not (marks or problems or _stands_under_lines(asked)):
            return Answer(
                replies.needs_text("fix", "something to fix: this pull request has no open finding")
            )
        repository = asked.thread.repository
        fork = pull.head_repository_id != repository.id
        draft = asked.config.changes.draft and not fork
        if not (fork or draft) and (why := why_no_branch(pull.head_ref)):
            return Answer(refusals.odd_branch(pull.head_ref, why))
        return FixFacts(
            **common,
            **await decided(services, asked, pull.base_ref),
            merge_base=await merge_base(services, repository, pull.base, pull.head),
            branch=new_branch(asked) if draft else pull.head_ref,
            into=pull.head_ref if draft else "",
            fork=fork,
            draft=draft,
            marks=marks,
            problems=problems,
            findings=len(marks),
        )

    async def brief(
        self, context: StepContext[FixFacts], material: ThreadPrompt
    ) -> Mapping[str, Any]:
        """Tell the agent the problems, each finding with its present place."""
        facts = context.facts
        problems = await _to_fix(context.services, facts, material.paths)
        return {"problems": problems, "who": facts.requester.login}

    def intent(self, chain: ChainRow) -> str:
        """Say what it will do."""
        facts = facts_of(chain.plan.context, FixFacts)
        what = count(facts.findings, "finding") if facts.findings else "what was described"
        out = (
            "makes a patch, since this is a fork"
            if facts.fork
            else "waits for approval of the exact patch"
        )
        return f"Fixes {what} and {out}."


async def _of_an_audit(
    services: Services, asked: CommandContext, common: dict[str, Any], known: list[KnownFinding]
) -> FixFacts | Answer:
    """The subject of a fix where an issue asks: one finding of an audit, in a pull request of its own."""
    words = asked.command.words
    found = named(words[0], known) if words else None
    if found is None:
        return Answer(
            finding_replies.which_finding([(each.mark, each.finding.title) for each in known])
        )
    return FixFacts(
        **common,
        **await decided(services, asked, asked.branch),
        merge_base=common["head"],
        branch=new_branch(asked),
        into=asked.branch,
        marks=(found.mark,),
        findings_of=found.thread,
        problems=" ".join(words[1:])[:1_500],
        findings=1,
    )


def _names_none(words: Sequence[str], known: list[KnownFinding]) -> bool:
    """True where a finding was named that is not open here.

    An agent that is told to fix a number costs money in vain.
    """
    return len(words) == 1 and reads_as_name(words[0]) and named(words[0], known) is None


def _problems(
    asked: CommandContext, known: list[KnownFinding], under: KnownFinding | None
) -> tuple[tuple[str, ...], str]:
    """The problems that are to be fixed: the findings by their names, and what the maintainer says.

    That is the finding replied to, or the one that is named, or the text, or what is said under the lines where the
    command stands, or all that is open.
    """
    words = asked.command.words
    one = named(words[0], known) if len(words) == 1 else None
    if one is not None:
        return (one.mark,), ""
    if under is not None:
        return (under.mark,), asked.text[:1_500]
    if asked.text:
        return (), asked.text[:3_000]
    if _stands_under_lines(asked):
        return (), ""
    return tuple(each.mark for each in known[:_MOST]), ""


def _stands_under_lines(asked: CommandContext) -> bool:
    """True where the command answers what somebody has said under lines of the diff."""
    comment = asked.request.comment
    return comment is not None and comment.root not in (None, comment.id)


_THREAD: Final = (
    f"What is asked for under the lines where the command stands; see “{ThreadPart.place.value}”."
)


async def _to_fix(services: Services, facts: FixFacts, paths: Sequence[str]) -> str:
    """The problems in words, each finding with its present place at the head."""
    every = await services.database.read(
        lambda tx: tables.every(tx, facts.findings_of or facts.key)
    )
    chosen = [each for each in every if each.mark in facts.marks]
    mirror = services.worktrees.mirror(facts.thread.repository.id).path
    own = {each.finding.path for each in chosen}
    files = await history.read_files(
        mirror, facts.head, [*own, *[p for p in paths if p not in own][:_FILES]]
    )
    told = [described(each.finding, each.mark, whereabouts(each.finding, files)) for each in chosen]
    if told and facts.problems:
        told.append(f"The maintainer adds: {facts.problems}")
    return "\n\n".join(told) or facts.problems or _THREAD
