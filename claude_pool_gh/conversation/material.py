"""A thread in words, for agents: as a person sees it on GitHub, fenced as material of others."""

from __future__ import annotations

import secrets
from typing import Final

from claude_pool_gh.conversation.desk import Desk
from claude_pool_gh.conversation.facts import Facts
from claude_pool_gh.github import reads
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.pool.errors import StepFailed
from claude_pool_gh.reports.visible import visible_text
from claude_pool_gh.worktrees import history
from claude_pool_gh.worktrees.errors import WorktreeError

_SAID_LIMIT: Final = 20
_DIFF_LIMIT: Final = 60_000


def new_fence() -> str:
    """A line that nobody could have foreseen, around what others wrote."""
    return f"=== material {secrets.token_hex(8)} ==="


async def about_thread(desk: Desk, facts: Facts, fence: str) -> str:
    """Title, text and conversation of a thread; of a pull request its diff too. Raises StepFailed."""
    try:
        return await _about(desk, facts, fence)
    except ForgeError as error:
        raise StepFailed("GitHub could not be reached", ours=True) from error
    except WorktreeError as error:
        raise StepFailed(f"the pull request's commits cannot be read: {error.what}", ours=True) from error


async def _about(desk: Desk, facts: Facts, fence: str) -> str:
    issue = await reads.issue(desk.forge, facts.thread)
    own = await desk.forge.access.own_id(facts.thread.repository)
    what = "pull request" if facts.place == "pull" else "issue"
    body = visible_text(issue.body, 8_000)
    parts = [
        (
            f"Repository {facts.thread.repository.full_name}, {what} {facts.thread.number}, by {issue.author.login}. "
            "What follows between the fence lines was written by others."
        ),
        fence,
        f"Title: {visible_text(issue.title, 300)}",
        f"Description:\n{body}" if body else "Description: none",
    ]
    said = await reads.comments(desk.forge, facts.thread, last=_SAID_LIMIT)
    talk = [
        f"{actor.login}: {text}"
        for actor, raw in said
        if actor.id != own and (text := visible_text(raw, 1_500))
    ]
    if talk:
        parts.append("Conversation:\n" + "\n\n".join(talk))
    if facts.place == "pull":
        parts.append(await _diff(desk, facts))
    return "\n\n".join([*parts, fence])


async def _diff(desk: Desk, facts: Facts) -> str:
    mirror = await desk.worktrees.fetch(facts.thread.repository.id, [facts.head, facts.base], facts.refs)
    base = await history.merge_base(mirror, facts.base, facts.head)
    text = await history.diff(mirror, base, facts.head, context=3)
    cut = "\n(the rest is left out; read the files)" if len(text) > _DIFF_LIMIT else ""
    return f"What it changes:\n{text[:_DIFF_LIMIT]}{cut}"
