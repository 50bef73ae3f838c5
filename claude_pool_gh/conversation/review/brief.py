"""First step: everything a reviewer should know before it reads code, without asking a model."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Final, TypeGuard

from claude_pool_gh.conversation.lookups.branch_point import fetched
from claude_pool_gh.conversation.prompts.thread_prompt import linked_issues, new_fence
from claude_pool_gh.conversation.repository.guidance import guidance
from claude_pool_gh.conversation.review.earlier import EarlierFindings, earlier
from claude_pool_gh.conversation.review.facts import ReviewFacts, facts_of
from claude_pool_gh.conversation.review.feedback import take_thumbs
from claude_pool_gh.conversation.review.gather import stored
from claude_pool_gh.conversation.review.host_facts import host_facts
from claude_pool_gh.conversation.review.memory import digest_of, is_read_whole, since_last
from claude_pool_gh.conversation.review.reading import (
    Difference,
    difference,
    listed,
    nothing_to_read,
    unmatched,
)
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.findings import changes, tables
from claude_pool_gh.findings.changes import Group
from claude_pool_gh.findings.tables import ReviewBasis
from claude_pool_gh.github import check_output, reads
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.pool.model.digests import with_digests
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.plan import AgentRun, Step
from claude_pool_gh.pool.model.ports import Done, Finish, HostStepContext
from claude_pool_gh.reports.views import ReviewReport
from claude_pool_gh.reports.visible import visible_text
from claude_pool_gh.worktrees.errors import NoCommonCommit, WorktreeError

_DISMISSED_TOLD: Final = 15
_BODY_LIMIT: Final = 6_000

FIELDS: Final = frozenset(
    {
        *(
            "head",
            "merge_base",
            "digest",
            "fence",
            "about",
            "facts",
            "intent",
            "request",
            "guidance",
            "turns",
        ),
        *("groups", "files", "hunks", "renamed", "unmatched", "left_out", "unreadable", "unread"),
        "generated",
        *("without_lines", "incremental", "since", "whole", "nothing", "earlier"),
    }
)
"""Names in its result, for `{steps.brief.NAME}` in the recipe."""


async def brief(services: Services, context: HostStepContext) -> Done | Finish:
    """Fetch the commits, cut the diff into groups, and write down what surrounds it."""
    facts = facts_of(context)
    await take_thumbs(services, facts)
    try:
        pull = await reads.pull(services.forge, facts.thread)
        mirror, base = await fetched(services, facts)
        every = await listed(mirror, base, facts.head)
        before = await earlier(services, facts, mirror, base, is_open=pull.open)
        rules = await guidance(services, facts, [entry.path for entry in every], own=facts.guidance)
        against = ReviewBasis(
            head=facts.head, merge_base=base, digest=digest_of(facts, context.plan, rules)
        )
        since = await since_last(services, facts, mirror, against)
        found = await difference(
            mirror,
            base,
            facts.head,
            exclude=facts.settings.exclude,
            paths=facts.paths,
            since=None if since is None else since.changed,
        )
        whole = await is_read_whole(services, facts, against, found)
        odd_names = await unmatched(mirror, facts, found)
    except NoCommonCommit as error:
        reason = f"this branch and {facts.base_ref} have no commit in common"
        raise StepFailed(reason) from error
    except WorktreeError as error:  # its detail is for operators
        raise StepFailed(
            f"the pull request's commits cannot be read: {error.what}", ours=True
        ) from error
    except ValueError as error:
        raise StepFailed(f"the pull request's diff cannot be read: {error}") from error
    except ForgeError as error:
        raise StepFailed("GitHub could not be reached", ours=True) from error
    # What an earlier review has read whole is read: a push of nothing takes nothing of that away.
    is_read = since is not None and bool(found.listed) and not found.unreadable
    nothing = "" if found.changes or is_read else nothing_to_read(found, facts.paths)
    if nothing and not before:
        if facts.paths:  # all of it may have been meant: that is what is offered then
            return Finish(Outcome(verdict=Verdict.skipped, reason=nothing))
        return _without_reading(found, nothing)
    groups, beyond = changes.group(found.changes)
    gone = {entry.path for entry in found.listed if not entry.has_file}
    fence = new_fence()
    try:
        about, told = (
            await _about(services, facts, pull, fence),
            await _facts(services, facts, groups, before, found.without_lines),
        )
    except ForgeError as error:
        raise StepFailed("GitHub could not be reached", ours=True) from error
    return Done(
        with_digests(
            {
                "head": against.head,
                "merge_base": against.merge_base,
                "digest": against.digest,
                "fence": fence,
                "about": about,
                "facts": told,
                "intent": await asyncio.to_thread(_intent, facts, pull, fence),
                "request": f"The maintainer who asked wants you to look first at: {facts.focus[:500]}"
                if facts.focus
                else "",
                "guidance": rules,
                "turns": {
                    step.name: step.overrides.max_turns
                    for step in context.plan.steps
                    if _is_agent(step)
                },
                "groups": [_group(group, gone) for group in groups],
                "files": len({change.path for group in groups for change in group.changes}),
                "hunks": {change.path: change.hunks for change in found.changes},
                "renamed": {
                    entry.path: entry.before for entry in found.listed if entry.status == "R"
                },
                "unmatched": odd_names,
                "left_out": found.left_out,
                "generated": found.generated,
                "unreadable": found.unreadable,
                "unread": list(dict.fromkeys(change.path for change in beyond)),
                "without_lines": found.without_lines,
                "incremental": since is not None,
                "whole": whole,
                "since": "" if since is None else since.head,
                "nothing": nothing,
                "earlier": before.stored(),
            }
        )
    )


def _without_reading(found: Difference, reason: str) -> Finish:
    """The end of a review of which there is nothing to read, with what people are told of it instead."""
    unread = ReviewReport(
        files=0,
        left_out=found.left_out,
        generated=found.generated,
        without_lines=found.without_lines,
    )
    return Finish(Outcome(verdict=Verdict.skipped, reason=reason), {"report": stored(unread)})


def _is_agent(step: Step) -> TypeGuard[AgentRun]:
    return isinstance(step, AgentRun)


def _group(group: Group, gone: Collection[str]) -> dict[str, Any]:
    """One part. Whoever reads it must open at least one of its files, where there is any left."""
    paths = list(dict.fromkeys(change.path for change in group.changes))
    return {
        "title": group.title,
        "text": group.text,
        "paths": paths,
        "gone": [path for path in paths if path in gone],
    }


async def _about(services: Services, facts: ReviewFacts, pull: reads.Pull, fence: str) -> str:
    """The pull request in words, as a person sees it on GitHub, fenced as material: nothing of the host's is in it."""
    commits = await reads.commit_messages(services.forge, facts.thread)
    parts = [
        *await asyncio.to_thread(_opening, facts, pull, fence),
        "Commits:\n"
        + "\n".join(f"- {first}" for _, text in commits if (first := _first_line(text))),
    ]
    if linked := await linked_issues(services, facts, f"{pull.title}\n{pull.body}"):
        parts.append(f"Issues that it names:\n{linked}")
    return "\n\n".join([*parts, fence])


def _intent(facts: ReviewFacts, pull: reads.Pull, fence: str) -> str:
    """The intent of the pull request in its own words, for the second reader."""
    return "\n\n".join([*_opening(facts, pull, fence), fence])


def _opening(facts: ReviewFacts, pull: reads.Pull, fence: str) -> list[str]:
    body = visible_text(pull.body, _BODY_LIMIT)
    return [
        (
            f"Repository {facts.thread.repository.full_name}, pull request {facts.thread.number}, by "
            f"{pull.author.login}, into {facts.base_ref}. What follows between the fence lines was written by others."
        ),
        fence,
        f"Title: {visible_text(pull.title, 300)}",
        f"Description:\n{body}" if body else "Description: none",
    ]


async def _facts(
    services: Services,
    facts: ReviewFacts,
    groups: Sequence[Group],
    before: EarlierFindings,
    without_lines: Sequence[str],
) -> str:
    """The host's own facts, outside the fence."""
    repository = facts.thread.repository
    failed = await check_output.names_of_failed(services.forge, repository, facts.head)
    dismissed = await services.database.read(
        lambda tx: tables.dismissed_in(tx, repository.id, last=_DISMISSED_TOLD)
    )
    several = (
        [change.path for group in groups for change in group.changes] if len(groups) > 1 else []
    )
    told = host_facts(before, dismissed, failed, several, without_lines)
    return f"What the server that runs you knows itself:\n\n{told}" if told else ""


def _first_line(message: str) -> str:
    """The first line of a commit's message that a person sees; a message can also hold nothing that is seen."""
    return visible_text(message, 200).strip().partition("\n")[0]
