"""Tokens: an App's, minted for one repository at a time, or the one that an Action's job was given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import aiohttp

from claude_pool_gh.github.client import Client, sorted_errors
from claude_pool_gh.github.errors import ForgeRefused, NotAdmitted, OperatorNeeded
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

PUSHING: Final = {"contents": "write", "metadata": "read"}
"""What a token may do that is made for one push, after a person's approval."""

RESOLVING: Final = {"contents": "write", "metadata": "read", "pull_requests": "write"}
"""What a token may do that is made to resolve one thread: GitHub asks for the right to push there."""

UPLOADING: Final = {"metadata": "read", "security_events": "write"}
"""What a token may do that is made to upload findings to code scanning, and to ask what became of them."""

LOOKING_AT_WORKFLOWS: Final = {"actions": "read", "metadata": "read"}
"""What a token may do that is made to see whether GitHub has switched an Actions workflow off."""

_LIFETIME: Final = 50 * 60.0
"""Seconds; GitHub's are good for an hour."""

ACTIONS_BOT: Final = "github-actions[bot]"
VIEWER: Final = "query Viewer { viewer { login databaseId } }"


@dataclass(frozen=True, slots=True)
class MissingPermissions:
    """Permissions that an installation was not granted, and the page where its owner can do that."""

    permissions: tuple[str, ...]
    url: str


@dataclass(frozen=True, slots=True)
class Account:
    """The account under which our comments and commits appear."""

    id: int
    login: str


class Access(Protocol):
    """Gives tokens, and knows who we are on GitHub."""

    async def token(self, repository: Repository, *, fresh: bool = False) -> str:
        """A token that may speak to the repository now. `fresh`: the last one was refused."""
        ...

    async def token_once(self, repository: Repository, permissions: Mapping[str, str]) -> str:
        """A token for one act that others may not do. Raises ForgeRefused where the App was not granted it."""
        ...

    async def may_push(self, repository: Repository) -> MissingPermissions | None:
        """The permissions that are missing for a push; None where none are."""
        ...

    async def account(self, repository: Repository) -> Account:
        """Our own account."""
        ...

    async def own_id(self, repository: Repository) -> int:
        """The user id under which our comments appear."""
        ...

    def lacking(self, repository: Repository) -> MissingPermissions | None:
        """The permissions that the last token for the repository had to go without."""
        ...

    async def sibling(self, repository: Repository, name: str) -> Repository | None:
        """Another repository of the same owner, if we may read it."""
        ...


@dataclass(slots=True)
class AppAccess:
    """Access as a GitHub App. The only holder of its private key."""

    session: aiohttp.ClientSession
    api_url: str
    app_id: str
    private_key: str = field(repr=False)
    _tokens: dict[tuple[int, int], tuple[str, float]] = field(default_factory=dict, repr=False)
    """By repository and installation: a repository that is transferred comes under another one."""
    _lacking: dict[int, MissingPermissions] = field(default_factory=dict)
    _account: Account | None = None
    _app: Client | None = field(default=None, repr=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def token(self, repository: Repository, *, fresh: bool = False) -> str:
        """See `Access.token`. Minted for this repository alone: one of another installation is refused."""
        key = (repository.id, repository.installation_id)
        async with self._lock:
            kept = self._tokens.get(key)
            if kept is not None and not fresh and time.monotonic() < kept[1]:
                return kept[0]
            self._tokens[key] = (await self._mint(repository), time.monotonic() + _LIFETIME)
            return self._tokens[key][0]

    async def token_once(self, repository: Repository, permissions: Mapping[str, str]) -> str:
        """See `Access.token_once`. Never kept."""
        return await self._minted(repository, permissions)

    async def may_push(self, repository: Repository) -> MissingPermissions | None:
        """See `Access.may_push`."""
        installation = await self.as_app("GET", f"/app/installations/{repository.installation_id}")
        if installation["permissions"].get("contents") == "write":
            return None
        return MissingPermissions(
            ("contents: write",), f"{installation['html_url']}/permissions/update"
        )

    async def account(self, repository: Repository) -> Account:
        """See `Access.account`: the App's bot user."""
        if self._account is None:
            slug = str((await self.as_app("GET", "/app"))["slug"])
            token = await self.token(repository)
            api = Client(self.session, self.api_url)
            user = await _asked(
                api.getitem("/users{/login}", {"login": f"{slug}[bot]"}, oauth_token=token)
            )
            self._account = Account(int(user["id"]), str(user["login"]))
        return self._account

    async def own_id(self, repository: Repository) -> int:
        """See `Access.own_id`."""
        return (await self.account(repository)).id

    def lacking(self, repository: Repository) -> MissingPermissions | None:
        """See `Access.lacking`."""
        return self._lacking.get(repository.installation_id)

    async def sibling(self, repository: Repository, name: str) -> Repository | None:
        """See `Access.sibling`: one that the same installation sees. The token that tells so is too narrow to keep."""
        path = f"/app/installations/{repository.installation_id}/access_tokens"
        wanted = {"repositories": [name], "permissions": {"contents": "read", "metadata": "read"}}
        try:
            answer = await self.as_app("POST", path, wanted)
        except ForgeRefused:
            return None
        found = next(
            (each for each in answer.get("repositories") or () if each["name"] == name), None
        )
        if found is None:
            return None
        return Repository(
            id=int(found["id"]),
            owner=repository.owner,
            name=name,
            installation_id=repository.installation_id,
        )

    async def repositories_of(self, installation_id: int) -> list[Any]:
        """The repositories that an installation sees, the first ten thousand of them."""
        path = f"/app/installations/{installation_id}/access_tokens"
        token = str(
            (await self.as_app("POST", path, {"permissions": {"metadata": "read"}}))["token"]
        )
        api = Client(self.session, self.api_url)
        found: list[Any] = []
        for page in range(1, 101):
            listing = f"/installation/repositories?per_page=100&page={page}"
            answer = await _asked(api.getitem(listing, oauth_token=token))
            found += answer["repositories"]
            if len(answer["repositories"]) < 100:
                break
        return found

    async def _mint(self, repository: Repository) -> str:
        """A token with all that we use or, where the installation was granted less, with that, and a note of it."""
        try:
            token = await self._minted(repository, PERMISSIONS)
        except ForgeRefused as error:
            if error.status != 422 or "permission" not in error.message.lower():
                raise
        else:
            self._lacking.pop(repository.installation_id, None)
            return token
        installation = await self.as_app("GET", f"/app/installations/{repository.installation_id}")
        has = installation["permissions"]
        granted = {
            name: level for name, level in PERMISSIONS.items() if has.get(name) in (level, "write")
        }
        missing = tuple(
            f"{name}: {level}" for name, level in PERMISSIONS.items() if name not in granted
        )
        self._lacking[repository.installation_id] = MissingPermissions(
            missing, f"{installation['html_url']}/permissions/update"
        )
        return await self._minted(repository, granted)

    async def _minted(self, repository: Repository, permissions: Mapping[str, str]) -> str:
        path = f"/app/installations/{repository.installation_id}/access_tokens"
        wanted = {"repository_ids": [repository.id], "permissions": dict(permissions)}
        try:
            with sorted_errors():
                return str((await self.as_app("POST", path, wanted))["token"])
        except ForgeRefused as error:
            is_permission = error.status == 422 and "permission" in error.message.lower()
            if not is_permission and error.status in (
                403,
                404,
                422,
            ):  # suspended, or not installed there any more
                raise NotAdmitted(error.status, error.message) from error
            raise

    async def as_app(self, method: str, path: str, body: Any = None) -> Any:
        """One request as the App itself. Raises the errors of `errors`; OperatorNeeded where its key is refused."""
        # kept: it signs a new login only when the last one is about to expire
        import jwt  # noqa: PLC0415 - with cryptography, which a job of the Action never needs

        if self._app is None:
            self._app = Client(
                self.session, self.api_url, app_id=self.app_id, private_key=self.private_key
            )
        api = self._app
        try:
            return await _asked(api.getitem(path) if method == "GET" else api.post(path, data=body))
        except jwt.PyJWTError as error:
            raise OperatorNeeded(f"the App's private key cannot be used: {error}") from error
        except ForgeRefused as error:
            if error.status != 401 and "integration not found" not in error.message.lower():
                raise
            self._app = None  # what a wrong clock has signed is of no use once it is right
            told = f"GitHub does not accept the App's id and private key: {error.message}"
            raise OperatorNeeded(told) from error


@dataclass(slots=True)
class JobAccess:
    """Access with the token of one job of GitHub Actions."""

    session: aiohttp.ClientSession
    api_url: str
    job_token: str = field(repr=False)
    login: str = ACTIONS_BOT
    _account: Account | None = None

    async def token(self, repository: Repository, *, fresh: bool = False) -> str:  # noqa: ARG002
        """See `Access.token`: there is only this one."""
        return self.job_token

    async def token_once(self, repository: Repository, permissions: Mapping[str, str]) -> str:  # noqa: ARG002
        """See `Access.token_once`: the job's own, whatever its permissions are."""
        return self.job_token

    async def may_push(self, repository: Repository) -> MissingPermissions | None:  # noqa: ARG002
        """See `Access.may_push`: a job cannot know."""
        return None

    async def account(self, repository: Repository) -> Account:  # noqa: ARG002
        """See `Access.account`: whose the token is. A workflow may give the job one of an App instead of its own."""
        if self._account is None:
            self._account = await self._viewer() or await self._named(self.login)
        return self._account

    async def _viewer(self) -> Account | None:
        """The account that the token speaks for; REST tells that to people only. None where GitHub does not say."""
        endpoint = f"{self.api_url.rstrip('/').removesuffix('/v3')}/graphql"
        api = Client(self.session, endpoint, oauth_token=self.job_token)
        try:
            viewer = (await _asked(api.graphql(VIEWER, endpoint=endpoint)))["viewer"]
            return Account(int(viewer["databaseId"]), str(viewer["login"]))
        except (ForgeRefused, LookupError, TypeError, ValueError):
            return None

    async def _named(self, login: str) -> Account:
        api = Client(self.session, self.api_url, oauth_token=self.job_token)
        user = await _asked(api.getitem("/users{/login}", {"login": login}))
        return Account(int(user["id"]), str(user["login"]))

    async def own_id(self, repository: Repository) -> int:
        """See `Access.own_id`."""
        return (await self.account(repository)).id

    def lacking(self, repository: Repository) -> MissingPermissions | None:  # noqa: ARG002
        """See `Access.lacking`: a job cannot know."""
        return None

    async def sibling(self, repository: Repository, name: str) -> Repository | None:  # noqa: ARG002
        """See `Access.sibling`: a job's token is for its own repository."""
        return None


async def _asked(call: Any) -> Any:
    with sorted_errors():
        return await call
