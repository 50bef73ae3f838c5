"""Which finding of a thread a command means: by the reply it stands in, or by the first digits of its name."""

from __future__ import annotations

import re
from typing import Final

from claude_pool_gh.conversation.services import CommandContext, Services
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.tables import KnownFinding, Standing
from claude_pool_gh.github.effects.marks import marker
from claude_pool_gh.github.errors import NotFound

LEAST_DIGITS: Final = 6
_NAME: Final = re.compile(rf"(?=.*[0-9])[0-9a-fA-F]{{{LEAST_DIGITS},8}}")


async def findings_here(
    services: Services, asked: CommandContext, state: Standing = Standing.open
) -> list[KnownFinding]:
    """The findings of a pull request in a state, oldest first; in an issue, those of the repository's audits."""
    if asked.place == "issue":
        repository = asked.thread.repository.id
        return await services.database.read(lambda tx: tables.of_audits(tx, repository, state))
    every = await services.database.read(lambda tx: tables.every(tx, asked.key))
    return [each for each in every if each.state is state]


async def replied_to(
    services: Services, asked: CommandContext, known: list[KnownFinding]
) -> KnownFinding | None:
    """The finding under whose inline comment the command stands; only our own comment counts."""
    comment = asked.request.comment
    if comment is None or comment.root is None:
        return None
    try:
        root = await services.forge.read(asked.thread.repository, f"/pulls/comments/{comment.root}")
    except NotFound:
        return None
    if (root.get("user") or {}).get("id") != await services.forge.access.own_id(
        asked.thread.repository
    ):
        return None
    body = root.get("body") or ""
    return next(
        (each for each in known if marker(tables.mark_of(asked.key, each.mark)) in body), None
    )


def reads_as_name(word: str) -> bool:
    """True where a word looks like a finding's ID, be there such a finding or not."""
    return _NAME.fullmatch(word) is not None


def named(word: str, known: list[KnownFinding]) -> KnownFinding | None:
    """The finding whose name begins with a word of the command."""
    if len(word) < LEAST_DIGITS:
        return None
    found = [each for each in known if each.mark.startswith(word.lower())]
    return found[0] if len(found) == 1 else None
