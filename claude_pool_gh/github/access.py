"""Tokens: an App's, minted for one repository at a time, or the one that an Action's job was given."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import aiohttp
import gidgethub
from gidgethub.aiohttp import GitHubAPI

from claude_pool_gh.github.errors import ForgeUnavailable, sort_refusal
from claude_pool_gh.terms.ids import Repository

PERMISSIONS: Final = {
    "checks": "write",
    "contents": "read",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}
"""What a token may do; nothing here can push."""

_LIFETIME: Final = 50 * 60.0
"""Seconds; GitHub's are good for an hour."""

ACTIONS_BOT: Final = "github-actions[bot]"


class Access(Protocol):
    """Gives tokens, and knows who we are on GitHub."""

    async def token(self, repository: Repository, *, fresh: bool = False) -> str:
        """A token that may speak to the repository now. `fresh`: the last one was refused."""
        ...

    async def own_id(self, repository: Repository) -> int:
        """The user id under which our comments appear."""
        ...


@dataclass(slots=True)
class AppAccess:
    """Access as a GitHub App. The only holder of its private key."""

    session: aiohttp.ClientSession
    api_url: str
    app_id: str
    private_key: str = field(repr=False)
    _tokens: dict[int, tuple[str, float]] = field(default_factory=dict, repr=False)
    _own_id: int | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def token(self, repository: Repository, *, fresh: bool = False) -> str:
        """See `Access.token`. Minted for this repository alone: one of another installation is refused."""
        async with self._lock:
            kept = self._tokens.get(repository.id)
            if kept is not None and not fresh and time.monotonic() < kept[1]:
                return kept[0]
            path = f"/app/installations/{repository.installation_id}/access_tokens"
            wanted = {"repository_ids": [repository.id], "permissions": PERMISSIONS}
            answer = await self._as_app("POST", path, wanted)
            self._tokens[repository.id] = (str(answer["token"]), time.monotonic() + _LIFETIME)
            return self._tokens[repository.id][0]

    async def own_id(self, repository: Repository) -> int:
        """See `Access.own_id`: the App's bot user."""
        if self._own_id is None:
            slug = str((await self._as_app("GET", "/app"))["slug"])
            token = await self.token(repository)
            api = GitHubAPI(self.session, "claude-pool-gh", base_url=self.api_url)
            user = await _asked(api.getitem("/users{/login}", {"login": f"{slug}[bot]"}, oauth_token=token))
            self._own_id = int(user["id"])
        return self._own_id

    async def _as_app(self, method: str, path: str, body: Any = None) -> Any:
        api = GitHubAPI(
            self.session,
            "claude-pool-gh",
            base_url=self.api_url,
            app_id=self.app_id,
            private_key=self.private_key,
        )
        return await _asked(api.getitem(path) if method == "GET" else api.post(path, data=body))


@dataclass(slots=True)
class JobAccess:
    """Access with the token of one job of GitHub Actions."""

    session: aiohttp.ClientSession
    api_url: str
    job_token: str = field(repr=False)
    login: str = ACTIONS_BOT
    _own_id: int | None = None

    async def token(self, repository: Repository, *, fresh: bool = False) -> str:  # noqa: ARG002
        """See `Access.token`: there is only this one."""
        return self.job_token

    async def own_id(self, repository: Repository) -> int:  # noqa: ARG002
        """See `Access.own_id`: the job's bot."""
        if self._own_id is None:
            api = GitHubAPI(self.session, "claude-pool-gh", base_url=self.api_url, oauth_token=self.job_token)
            self._own_id = int((await _asked(api.getitem("/users{/login}", {"login": self.login})))["id"])
        return self._own_id


async def _asked(call: Any) -> Any:
    try:
        return await call
    except gidgethub.GitHubBroken as error:
        raise ForgeUnavailable(str(error)) from error
    except gidgethub.HTTPException as error:
        raise sort_refusal(error.status_code, str(error), error.headers or {}) from error
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise ForgeUnavailable(f"{type(error).__name__}: {error}") from error
