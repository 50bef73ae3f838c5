"""`/pool fix`: mends findings, or what a maintainer describes; nothing is pushed before a person approves the patch."""

from __future__ import annotations

from typing import Final

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.config.owners import PLACES
from claude_pool_gh.conversation import changes, outputs
from claude_pool_gh.conversation.changes import ChangeFacts, least_role, policy_of
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
from claude_pool_gh.github.intake import CommandRequest
from claude_pool_gh.pool.chains import ChainRow
from claude_pool_gh.pool.ports import Done, HostStep, HostStepContext
from claude_pool_gh.reports import replies
from claude_pool_gh.reports.words import count
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


class FixFacts(ChangeFacts):
    """What is to be mended."""

    problems: str


async def answer(desk: Desk, asked: Asked) -> Reply:
    """Plan a mend of the head as it is now."""
    pull = await reads.pull(desk.forge, asked.thread)
    if not pull.open:
        return Answer(replies.closed())
    problems = await _problems(desk, asked)
    if not problems:
        return Answer(replies.needs_text("fix", "something to mend: this pull request has no open finding"))
    repository = asked.thread.repository
    fork = pull.head_repository_id != repository.id
    draft = asked.config.changes.draft and not fork
    cookbook = Cookbook(
        desk, asked, hosts=frozenset(host_steps(desk)), outputs=outputs.schemas(), tools=EDITING
    )
    steps = await cookbook.steps("fix", turns=asked.config.changes.turns)
    facts = FixFacts(
        **await facts_for(desk, asked, pull),
        **policy_of(asked.config),
        merge_base=await reads.merge_base(desk.forge, repository, pull.base, pull.head),
        branch=new_branch(asked.config.changes.branches, asked) if draft else pull.head_ref,
        into=pull.head_ref if draft else "",
        fork=fork,
        draft=draft,
        codeowners=await codeowners(desk, asked, pull.base_ref),
        least_role=least_role(asked),
        problems=problems,
    )
    caps = caps_of(asked.config, asked.command, desk.defaults)
    return Start(plan_of(desk, asked, changes.with_limits(steps, asked.config), facts, caps), caps)


async def _problems(desk: Desk, asked: Asked) -> str:
    """What is to be mended, in words: the finding replied to, the one that is named, the text, or all that is open."""
    known = await open_findings(desk, asked)
    under = await replied_to(desk, asked, known)
    words = asked.command.words
    one = under or (named(words[0], known) if len(words) == 1 else None)
    if one is not None:
        more = f"\n\nThe maintainer adds: {asked.text[:1_500]}" if under and asked.text else ""
        return _described(one) + more
    if asked.text:
        return asked.text[:3_000]
    return "\n\n".join(_described(each) for each in known[:20])


def _described(known: Known) -> str:
    finding = known.finding
    return (
        f"{finding.path}, lines {finding.start_line} to {finding.end_line}: {finding.title}\n{finding.body}\n"
        f"When it goes wrong: {finding.scenario}"
    )


def new_branch(prefix: str, asked: Asked) -> str:
    """The name of a branch that belongs to this command alone."""
    return f"{prefix}{asked.command.verb.name}-{asked.thread.number}-{chain_suffix(asked.request)}"


def chain_suffix(request: CommandRequest) -> str:
    """Names the command in a branch: the same command, the same branch."""
    return request.digest[:10]


async def codeowners(desk: Desk, asked: Asked, branch: str) -> str:
    """The CODEOWNERS file that counts for a branch, where the configuration asks for owners."""
    if not asked.config.changes.codeowners:
        return ""
    for place in PLACES:
        found = await reads.trusted_file(desk.forge, asked.thread.repository, branch, place)
        if found is not None:
            return found.text
    return ""


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
    found = facts.problems.count("\nWhen it goes wrong: ")
    what = count(found, "finding") if found else "what was described"
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
