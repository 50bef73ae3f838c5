"""The check at a commit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field

from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.effects.marks import post
from claude_pool_gh.github.errors import ForgeRefused
from claude_pool_gh.terms.ids import Repository, Term

_STATES: Final = {
    "success": "success",
    "neutral": "success",
    "skipped": "success",
    "failure": "failure",
}
_DESCRIPTION_LIMIT: Final = 140
_ISO: Final = "%Y-%m-%dT%H:%M:%SZ"


class Button(Term):
    """A button of a check run."""

    label: Annotated[str, Field(max_length=20)]
    description: Annotated[str, Field(max_length=40)]
    identifier: Annotated[str, Field(max_length=20)]


class CheckRun(Effect):
    """A check run at a commit, kept up to date."""

    kind: Literal["check"] = "check"
    priority: ClassVar[int] = 2
    called: ClassVar[str] = "the check"
    permission: ClassVar[str] = "checks=write"
    lasting: ClassVar[bool] = True
    name: str
    head: str
    status: Literal["queued", "in_progress", "completed"]
    conclusion: (
        Literal["success", "failure", "neutral", "cancelled", "skipped", "action_required"] | None
    ) = None
    title: str
    summary: str
    buttons: tuple[Button, ...] = ()
    alone: Literal["success"] | None = None
    """Its conclusion for its own pull request, where others at the same commit keep it from being that."""
    answered_ms: int | None = None
    """When a press of one of its buttons was last answered: GitHub is told this as the time of its completion."""

    def texts(self) -> tuple[str, ...]:
        """Title and summary; the buttons' words are our own."""
        return (self.title, self.summary)

    def reworded(self, change: Callable[[str], str]) -> Self:
        """With another title and summary."""
        return self._with(title=change(self.title), summary=change(self.summary))

    def withheld(self, note: str, holds_secret: Callable[..., bool]) -> Self:  # noqa: ARG002
        """Without both; the verdict stays."""
        return self._with(title="Withheld: it looks like a secret", summary=note)

    async def make(self, forge: Forge, making: Making) -> int | None:
        """Make it; where the token may not write checks, a commit status says at least the verdict."""
        body = self._body() | {"head_sha": self.head, "external_id": making.key}
        try:
            if not _may_not_check(forge, making.repository):
                return await post(forge, making.repository, "/check-runs", body)
        except ForgeRefused as error:
            if error.status != 403:
                raise
        state = (
            _STATES.get(self.conclusion or "", "error") if self.status == "completed" else "pending"
        )
        status = {
            "state": state,
            "context": self.name,
            "description": self.title[:_DESCRIPTION_LIMIT],
        }
        await forge.call("POST", making.repository, f"/statuses/{segment(self.head)}", status)
        return None

    async def update(self, forge: Forge, making: Making, remote_id: int) -> int:
        """Update it; where another app has made it, which nobody else may change, the one of ours beside it.

        That is looked for before it is made: the answer to its making may have been lost.
        """
        if await self._is_changed(forge, making, remote_id):
            return remote_id
        for beside in await self._standing(forge, making):
            if beside != remote_id and await self._is_changed(forge, making, beside):
                return beside
        return await self.make(forge, making) or remote_id

    async def find(self, forge: Forge, making: Making) -> int | None:
        """By our external id at its commit."""
        return next(iter(await self._standing(forge, making)), None)

    async def _is_changed(self, forge: Forge, making: Making, run_id: int) -> bool:
        """Bring one to what is wanted; False where another app has made it."""
        try:
            await forge.call("PATCH", making.repository, f"/check-runs/{run_id}", self._body())
        except ForgeRefused as error:
            if error.status != 403 or "created it" not in str(error):
                raise
            return False
        return True

    async def _standing(self, forge: Forge, making: Making) -> list[int]:
        """The checks under our key at its commit, whichever app has made them.

        None where checks may not be read: then a status stands for it.
        """
        if _may_not_check(forge, making.repository):
            return []
        path = f"/commits/{self.head}/check-runs"
        runs = forge.pages(
            making.repository, path, key="check_runs", check_name=self.name, filter="all"
        )
        try:
            return [int(run["id"]) async for run in runs if run.get("external_id") == making.key]
        except ForgeRefused as error:
            if error.status != 403:
                raise
            return []

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "name": self.name,
            "status": self.status,
            "output": {"title": self.title, "summary": self.summary},
            "actions": [button.model_dump() for button in self.buttons],
        }
        if self.conclusion:
            body["conclusion"] = self.conclusion
            if self.answered_ms is not None:
                body["completed_at"] = datetime.fromtimestamp(
                    self.answered_ms / 1000, UTC
                ).strftime(_ISO)
        return body


def _may_not_check(forge: Forge, repository: Repository) -> bool:
    """True where the installation is known not to have been granted checks."""
    lacking = forge.access.lacking(repository)
    return lacking is not None and any(name.startswith("checks:") for name in lacking.permissions)
