"""A job's dry run: a scripted model answers, GitHub is read as it is, and nothing is written there but one comment."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

import aiohttp
from pydantic import SecretStr

from claude_pool_gh.action.results import JobResult
from claude_pool_gh.github.access import Access
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.effect import Making
from claude_pool_gh.github.effects.marks import marker
from claude_pool_gh.github.errors import ForgeError, ForgeRefused
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.terms.ids import Repository, Thread

HEAD: Final = (
    "**This is a rehearsal** of {commands}. No model was asked and nothing was paid: a script answered, by example. "
    "All else was done as in a real run, up to what would have been written on GitHub: that stands below. There is no "
    "review, no check and no reaction, and nothing is kept. Whoever caused this was taken for somebody who may command "
    "here."
)
_NO_KEY: Final = "no-key-in-a-rehearsal"
_ROLE: Final = re.compile(r"/collaborators/([^/]+)/permission")
_LONGEST_COMMENT: Final = 60_000
_CUT: Final = "\n\n*GitHub takes no longer comment: the job's page has the rest.*"
_MADE: Final = 9_000_000_000_000
"""Above every id that GitHub has given, so that nothing that stands there is taken for ours."""


class TrialForge(Forge):
    """GitHub's API with nothing written to it: what changes something is answered as if it had been done.

    Every account may command: a rehearsal spends nothing, and shows its command's work to whoever started it.
    """

    def __init__(self, session: aiohttp.ClientSession, api_url: str, access: Access) -> None:
        super().__init__(session, api_url, access)
        self.real = Forge(session, api_url, access)
        """The same, which writes."""
        self._ids = count(_MADE)

    async def read(self, repository: Repository, path: str, **query: Any) -> Any:
        """See `Forge.read`; a role is everybody's."""
        if (asked := _ROLE.fullmatch(path)) is None:
            return await super().read(repository, path, **query)
        token = await self.access.token(repository)
        user = await self._request(
            "GET", f"/users/{asked[1]}", None, "application/vnd.github+json", token
        )
        return {"user": user, "permission": "admin", "role_name": "admin"}

    async def call(
        self, method: str, repository: Repository, path: str, body: Any = None, **more: Any
    ) -> Any:
        """See `Forge.call`; only what reads is asked."""
        if method == "GET":
            return await super().call(method, repository, path, body, **more)
        made = next(self._ids)
        return {"id": made, "number": made, "node_id": "", "html_url": ""}

    async def query(self, token: str, document: str, **variables: Any) -> Any:
        """See `Forge.query`; only what reads is asked."""
        if document.lstrip().startswith("mutation"):
            return {}
        return await super().query(token, document, **variables)


async def no_push(*_: Any) -> None:
    """Refuse a push. Raises ForgeRefused."""
    raise ForgeRefused(403, "a rehearsal pushes nothing")


@asynccontextmanager
async def scripted(settings: Settings) -> AsyncIterator[Settings]:
    """The settings of a rehearsal: with a scripted model in place of the real one, for as long as the block lasts."""
    from claude_pool_gh.rehearsal.example import ExampleAnswers  # noqa: PLC0415 - few jobs are one
    from claude_pool_gh.rehearsal.model import ScriptedModel  # noqa: PLC0415

    async with ScriptedModel.start(ExampleAnswers()) as model:
        yield settings.model_copy(
            update={"anthropic_api_key": SecretStr(_NO_KEY), "anthropic_base_url": model.url}
        )


def announced(result: JobResult, body: str) -> str:
    """The report under words that say what it is. Pure."""
    commands = ", ".join(f"`{each.line.replace('`', '')}`" for each in result.commands) or "nothing"
    return f"{HEAD.format(commands=commands)}\n\n---\n\n{body}"


def unpaid(result: JobResult) -> JobResult:
    """The result with what it has cost, and with what waits for an approval: nothing. Pure."""
    nothing = {"cost": 0, "upper_bound": False, "gate": ""}
    commands = tuple(each.model_copy(update=nothing) for each in result.commands)
    return result.model_copy(
        update={"cost": 0, "upper_bound": False, "commands": commands, "dry_run": True}
    )


async def post(forge: TrialForge, thread: Thread, body: str) -> bool:
    """Show it in the thread, in the comment of an earlier rehearsal where there is one; False where that cannot be."""
    key = f"rehearsal:{thread.repository.id}:{thread.number}"
    making = Making(key=key, repository=thread.repository, marker=marker(key))
    shown = body if len(body) <= _LONGEST_COMMENT else HEAD.partition(":")[0] + _CUT
    comment = Comment(number=thread.number, body=shown)
    try:
        found = await comment.find(forge.real, making)
        if found is None:
            await comment.make(forge.real, making)
        else:
            await comment.update(forge.real, making, found)
    except ForgeError:
        return False
    return True
