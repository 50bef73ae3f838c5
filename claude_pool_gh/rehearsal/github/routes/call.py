"""One API request as the handlers see it, and their answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from claude_pool_gh.rehearsal.github.errors import RefusedError, forbidden, invalid, missing
from claude_pool_gh.rehearsal.github.state.installations import Token
from claude_pool_gh.rehearsal.github.state.people import Actor, App
from claude_pool_gh.rehearsal.github.state.repository import Issue, Pull, Repository
from claude_pool_gh.rehearsal.github.state.site import Site
from claude_pool_gh.rehearsal.github.state.world import World

JSON_TYPE = "application/json; charset=utf-8"


@dataclass(slots=True)
class Answer:
    """An answer: JSON, or bytes of another type."""

    status: int = 200
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    content_type: str = JSON_TYPE

    def body(self) -> bytes:
        """The bytes that are sent."""
        if self.raw is not None:
            return self.raw
        return b"" if self.status in (204, 304) else json.dumps(self.json).encode()


@dataclass(slots=True)
class Call:
    """A request whose route and sender are known; `world` is what it acts on."""

    world: World
    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    token: Token | None = None
    app: App | None = None

    @property
    def site(self) -> Site:
        """The time, limits and accounts here."""
        return self.world.site

    @property
    def value(self) -> Any:
        """The JSON that was sent, of whatever kind."""
        try:
            return json.loads(self.raw or b"{}")
        except ValueError:
            raise RefusedError(400, "Problems parsing JSON") from None

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that was sent."""
        value = self.value
        if not isinstance(value, dict):
            raise RefusedError(
                422, "Invalid request.\n\nFor 'links/0/schema', the body is not an object."
            )
        return value

    def text(self, name: str, resource: str) -> str:
        """A field of the body that must be there and must be text."""
        value = self.body.get(name)
        if not isinstance(value, str):
            raise invalid(resource, name, "missing_field" if value is None else "invalid")
        return value

    @property
    def bearer(self) -> Token:
        """The token that came along."""
        if self.token is None:
            raise forbidden()
        return self.token

    @property
    def actor(self) -> Actor:
        """The actor."""
        return self.bearer.actor

    @property
    def jwt_app(self) -> App:
        """The App that signed the request."""
        if self.app is None:
            raise RefusedError(401, "A JSON web token could not be decoded")
        return self.app

    @property
    def repository(self) -> Repository:
        """The repository of the path, as far as the sender may see it."""
        found = self.world.repository(f"{self.params['owner']}/{self.params['repo']}")
        if found is None or (self.token is not None and not self.token.sees(found)):
            raise missing()
        return found

    @property
    def issue(self) -> Issue:
        """The thread of the path, with the permission that its kind asks for."""
        repository, number = self.repository, self.number("issue_number")
        if number in repository.deleted_issues:
            raise RefusedError(410, "This issue was deleted")
        if (moved := repository.moved_issues.get(number)) is not None:
            url = f"{self.site.api_url}/repos/{moved.repository.full_name}/issues/{moved.number}"
            raise RefusedError(301, "Moved Permanently", headers={"Location": url})
        issue = repository.threads.get(number)
        if issue is None:
            raise missing()
        if not isinstance(issue, Pull):
            self.check_issues_on()
        self.check_thread(issue)
        return issue

    def check_issues_on(self) -> None:
        """Refuse where the repository has no issues."""
        if not self.repository.has_issues:
            raise RefusedError(410, "Issues has been disabled in this repository.")

    def check_thread(self, issue: Issue) -> None:
        """Refuse where the token may act on pull requests but not on issues."""
        if not isinstance(issue, Pull) and not self.bearer.may("issues", self.level):
            raise forbidden()

    @property
    def level(self) -> str:
        """The permission level: `read` or `write`."""
        return "read" if self.method == "GET" else "write"

    @property
    def pull(self) -> Pull:
        """The pull request of the path."""
        found = self.repository.threads.get(self.number("pull_number"))
        if not isinstance(found, Pull):
            raise missing()
        return found

    def number(self, name: str) -> int:
        """A path parameter that is a number."""
        try:
            return int(self.params[name])
        except ValueError:
            raise missing() from None

    def commit(self, name: str = "ref") -> str:
        """The commit that a path parameter names."""
        ref = self.params[name].removeprefix("heads/")
        sha = self.repository.git.resolve(self.params[name]) or self.repository.git.resolve(ref)
        if sha is None:
            raise RefusedError(422, f"No commit found for SHA: {self.params[name]}")
        return sha

    def accepts(self, kind: str) -> bool:
        """True if the client asked for this media type, say `diff` or `raw`."""
        accept = self.headers.get("Accept", "")
        return (
            f"application/vnd.github.{kind}" in accept
            or f"application/vnd.github.v3.{kind}" in accept
        )
