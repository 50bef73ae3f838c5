"""The feedback that people give without a command: a thumbs down by somebody with write access dismisses a finding."""

from __future__ import annotations

import logging
from typing import Any, Final

from claude_pool_gh.conversation.review.facts import ReviewFacts
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.tables import Standing
from claude_pool_gh.github import reads
from claude_pool_gh.github.effects.marks import marker
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.terms.ids import Actor
from claude_pool_gh.terms.roles import Role

logger = logging.getLogger(__name__)

_DOWN: Final = "-1"
THUMBS_DOWN: Final = "thumbs down"
"""The reason of such a dismissal."""


async def take_thumbs(services: Services, facts: ReviewFacts) -> None:
    """Dismiss the open findings of a thread whose inline comments got a thumbs down that counts."""
    open_ = await services.database.read(
        lambda tx: [
            each.mark for each in tables.every(tx, facts.key) if each.state is Standing.open
        ]
    )
    if not open_:
        return
    marks = {marker(tables.mark_of(facts.key, mark)): mark for mark in open_}
    try:
        for mark, comment in await _disliked(services, facts, marks):
            who = await _with_write(services, facts, comment)
            if who is not None:
                await services.database.transact(
                    lambda tx, m=mark, w=who: tables.settle(  # type: ignore[misc]
                        tx,
                        facts.key,
                        m,
                        Standing.dismissed,
                        services.clock.now_ms(),
                        reason=THUMBS_DOWN,
                        by=w.login,
                    )
                )
    except ForgeError as error:  # it is looked at again with the next review
        logger.warning("reactions not read: %s", error, extra={"action": "reactions_not_read"})


async def _disliked(
    services: Services, facts: ReviewFacts, marks: dict[str, str]
) -> list[tuple[str, int]]:
    """Our inline comments that somebody dislikes, by their findings."""
    own = await services.forge.access.own_id(facts.thread.repository)
    found = []
    listing = services.forge.pages(
        facts.thread.repository, f"/pulls/{facts.thread.number}/comments"
    )
    async for comment in listing:
        mine = (comment.get("user") or {}).get("id") == own
        if mine and (comment.get("reactions") or {}).get(_DOWN):
            body = comment.get("body") or ""
            found += [
                (mark, int(comment["id"])) for hidden, mark in marks.items() if hidden in body
            ]
    return found


async def _with_write(services: Services, facts: ReviewFacts, comment: int) -> Actor | None:
    """The first of those who dislike a comment who may write here."""
    repository = facts.thread.repository
    async for reaction in services.forge.pages(
        repository, f"/pulls/comments/{comment}/reactions", content=_DOWN
    ):
        user: dict[str, Any] = reaction.get("user") or {}
        if user.get("type") == "User":
            actor = Actor(id=int(user["id"]), login=str(user["login"]))
            if await reads.role_of(services.forge, repository, actor) >= Role.write:
                return actor
    return None
