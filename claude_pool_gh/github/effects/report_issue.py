"""The issue in which an audit reports, one for each audit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.client import sorted_errors
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.effects.marks import marked, our_id, ours
from claude_pool_gh.github.errors import ForgeRefused, Moved, NotFound, NotOurs
from claude_pool_gh.terms.ids import Repository

TITLE_LIMIT: Final = 256


class ReportIssue(Effect):
    """An issue that is kept up to date. Its id is its number.

    One that a person closed is kept up to date and stays closed. One that was deleted or moved to another repository
    is not made again.
    """

    kind: Literal["report_issue"] = "report_issue"
    priority: ClassVar[int] = 2
    called: ClassVar[str] = "the report issue"
    permission: ClassVar[str] = "issues=write"
    lasting: ClassVar[bool] = True
    title: Annotated[str, Field(min_length=1, max_length=TITLE_LIMIT)]
    body: str
    """The beginning of its text: what the last run came to."""
    since: str = ""
    """What has happened since, and what comes next. It changes between runs, the rest does not."""
    rest: str = ""

    @property
    def text(self) -> str:
        """The whole text."""
        return "\n\n".join(filter(None, (self.body, self.since, self.rest)))

    def texts(self) -> tuple[str, ...]:
        """Title and text."""
        return (self.title, self.text)

    def reworded(self, change: Callable[[str], str]) -> Self:
        """With another title and text."""
        parts = {name: change(getattr(self, name)) for name in ("body", "since", "rest")}
        return self._with(title=change(self.title)[:TITLE_LIMIT], **parts)

    def withheld(self, note: str, holds_secret: Callable[..., bool]) -> Self:  # noqa: ARG002
        """Without both."""
        title = "Withheld: it looks like a secret"
        return self._with(title=title, body=note, since="", rest="")

    async def make(self, forge: Forge, making: Making) -> int | None:
        """Open it; its number."""
        with _issues_on():
            made = await forge.call("POST", making.repository, "/issues", self._body(making))
        with sorted_errors():
            return int(made["number"])

    async def update(self, forge: Forge, making: Making, remote_id: int) -> int:
        """Edit title and body. Raises Moved where it is in another repository by now, and NotOurs."""
        path = f"/issues/{remote_id}"
        with _issues_on():
            there = await forge.read(making.repository, path)
            if not is_of(making.repository, there):
                raise Moved
            if making.marker not in str(there.get("body")):
                author = (there.get("user") or {}).get("id")
                if author != await our_id(forge, making.repository):
                    raise NotOurs
            await forge.call("PATCH", making.repository, path, self._body(making))
        return remote_id

    async def find(self, forge: Forge, making: Making) -> int | None:
        """Its number, by its marker, open or closed."""
        await our_id(forge, making.repository)  # a 404 of our own account says nothing of the issue
        account = await forge.access.account(making.repository)
        with _issues_on():
            found = await ours(
                forge,
                making.repository,
                "/issues",
                making.marker,
                creator=account.login,
                state="all",
            )
        with sorted_errors():
            return None if found is None else int(found["number"])

    def _body(self, making: Making) -> dict[str, str]:
        return {"title": self.title, **marked(self.text, making.marker)}


def is_of(repository: Repository, issue: Any) -> bool:
    """True where an issue that was asked for is of this repository: GitHub leads on to where it was moved."""
    with sorted_errors():
        path = urlsplit(str(issue["repository_url"])).path.lower()
    return path.endswith(f"/repos/{repository.full_name.lower()}")


class _issues_on:  # noqa: N801 - reads as a word at the `with`
    """Tells apart what GitHub says in one number: that an issue is gone, and that issues are switched off."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, NotFound) and error.status == 410 and "disabled" in error.message:
            raise ForgeRefused(410, "issues are switched off in this repository") from error
