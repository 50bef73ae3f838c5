"""The facts of a chain that changes files, known from its start: where its work goes, and who decides on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claude_pool_gh.config.model import Check, RepositoryConfig
from claude_pool_gh.config.owners import PLACES
from claude_pool_gh.conversation.changes.gates import Policy
from claude_pool_gh.conversation.facts import ThreadFacts, chain_id_of, facts_of
from claude_pool_gh.conversation.services import CommandContext, Services, needed_role
from claude_pool_gh.github.trusted import trusted_file
from claude_pool_gh.pool.model.plan import Step
from claude_pool_gh.terms.roles import Role


class ChangeFacts(ThreadFacts):
    """The facts of a chain that changes files."""

    merge_base: str = ""
    marks: tuple[str, ...] = ()
    """The findings that it fixes, by their names."""
    findings_of: str = ""
    """The key of the audit that these findings are of; "": they are the thread's own."""
    problems: str = ""
    """A maintainer's words: what it is to do, or what is to be minded where it fixes findings."""
    branch: str
    """Where the change goes: the pull request's own branch, or a new one."""
    into: str
    """The branch of the pull request that is opened; empty where the commit goes on `branch` as it is."""
    fork: bool = False
    """The pull request comes from a fork: nothing is pushed there."""
    draft: bool = False
    checks: tuple[Check, ...] = ()
    """What is run on the change before people decide."""
    policy: Policy = Policy()
    codeowners: str = ""
    most_files: int = 50
    most_lines: int = 2_000
    least_role: int = int(Role.write)
    """What whoever asked and whoever approves must be, also when it is pushed."""


async def decided(services: Services, asked: CommandContext, into: str) -> dict[str, Any]:
    """The facts that the configuration, and the CODEOWNERS of the branch that a change goes into, decide about it."""
    own = asked.config.changes
    return {
        "codeowners": await _codeowners(services, asked, into) if own.codeowners else "",
        "least_role": _least_role(asked),
        "policy": Policy(
            approvals=own.approvals,
            four_eyes=own.four_eyes,
            codeowners=own.codeowners,
            protected=own.protected,
            protected_approvals=own.protected_approvals,
        ),
        "checks": own.checks,
        "most_files": own.most_files,
        "most_lines": own.most_lines,
    }


async def as_decided_now(
    services: Services, asked: CommandContext, context: Mapping[str, Any]
) -> dict[str, Any]:
    """A plan's context with what the configuration says today: whoever goes on with a chain does so under that.

    What comes to a gate afterwards is bound to it, and could not be approved under an older one.
    """
    now: dict[str, Any] = {"config_blob": asked.configuration.blob}
    if "policy" in context:  # it changes files
        then = facts_of(context, ChangeFacts)
        news = await decided(services, asked, then.base_ref)
        now |= then.model_copy(update=news).model_dump(mode="json", include=set(news))
    return dict(context) | now


def with_limits(steps: tuple[Step, ...], config: RepositoryConfig) -> tuple[Step, ...]:
    """The steps with as many rejections at their gates as the configuration allows."""
    most = {"max_rejections": config.changes.max_rejections}
    return tuple(step.model_copy(update=most) if step.gate else step for step in steps)


def _least_role(asked: CommandContext) -> int:
    """The role that the verb needs here, never below write: its commit lets code into the repository."""
    return int(max(Role.write, needed_role(asked.command.verb, asked.config)))


def new_branch(asked: CommandContext) -> str:
    """The name of a branch that belongs to this command alone."""
    name = f"{asked.command.verb.name}-{asked.thread.number}-{chain_id_of(asked.request)}"
    return asked.config.changes.branches + name


async def _codeowners(services: Services, asked: CommandContext, branch: str) -> str:
    """The CODEOWNERS file that counts for a branch."""
    for place in PLACES:
        found = await (
            asked.files.file(place)
            if branch == asked.branch
            else trusted_file(services.forge, asked.thread.repository, branch, place)
        )
        if found is not None:
            return found.text
    return ""
