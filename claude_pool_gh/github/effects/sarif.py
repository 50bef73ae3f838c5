"""Findings in GitHub's code scanning: a document of SARIF, uploaded once, and what became of it."""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field

from claude_pool_gh.github.access import UPLOADING
from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.client import sorted_errors
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.errors import ForgeRefused, NotFound, Unfinished

_ASKED: Final = 16
"""How often GitHub is asked what became of an upload, for some ten minutes: a job of the Action waits as long."""
_FIRST_PAUSE: Final = 3.0
_LONGEST_PAUSE: Final = 60.0
_SKEW: Final = timedelta(minutes=1)
_SAID: Final = 300


class Sarif(Effect):
    """An upload to code scanning. Its id is that of the analysis that GitHub made of it.

    The API computes no fingerprints: the document holds its own. What it does not list, and an earlier upload of the
    same category and ref did, becomes fixed: so it lists all that stands, also where this run did not look.
    """

    kind: Literal["sarif"] = "sarif"
    priority: ClassVar[int] = 3
    called: ClassVar[str] = "the upload to code scanning"
    permission: ClassVar[str] = "security_events=write"
    optional: ClassVar[bool] = True
    once: ClassVar[bool] = True
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    ref: str
    """`refs/heads/...`, in full."""
    tool: str
    category: str
    """What tells the uploads of one tool apart; ends with a slash."""
    document: str
    """JSON. "" where it was withheld."""
    made_ms: int
    withheld_for: str = ""

    def texts(self) -> tuple[str, ...]:
        """The whole document."""
        return (self.document, self.withheld_for)

    def reworded(self, change: Callable[[str], str]) -> Self:
        """With another document."""
        return self._with(document=change(self.document), withheld_for=change(self.withheld_for))

    def withheld(self, note: str, holds_secret: Callable[..., bool]) -> Self:  # noqa: ARG002
        """None at all: an upload with less in it would close alerts."""
        return self._with(document="", withheld_for=note)

    async def make(self, forge: Forge, making: Making) -> int | None:
        """Upload it, and then ask what became of it. Raises Unfinished until GitHub has processed it."""
        if not self.document:
            raise ForgeRefused(422, "the upload was withheld: a text in it looks like a secret")
        if making.note:
            return await self._processed(forge, making)
        answer = await forge.call_once(
            "POST",
            making.repository,
            "/code-scanning/sarifs",
            UPLOADING,
            {
                "commit_sha": self.commit,
                "ref": self.ref,
                "sarif": b64encode(gzip.compress(self.document.encode(), 9, mtime=0)).decode(),
                "tool_name": self.tool,
            },
        )
        with sorted_errors():
            raise Unfinished(str(answer["id"]), _FIRST_PAUSE)

    async def find(self, forge: Forge, making: Making) -> int | None:
        """The analysis of this commit and category that GitHub has made since the document was written."""
        begin = datetime.fromtimestamp(self.made_ms / 1000, UTC) - _SKEW
        listed = await forge.call_once(
            "GET",
            making.repository,
            f"/code-scanning/analyses?ref={segment(self.ref)}&tool_name={segment(self.tool)}&per_page=100",
            UPLOADING,
        )
        with sorted_errors():
            for each in listed:
                made = datetime.fromisoformat(str(each["created_at"]))
                mine = (each["commit_sha"], each["category"].rstrip("/"))
                if mine == (self.commit, self.category.rstrip("/")) and made >= begin:
                    _check(each["error"])
                    return int(each["id"])
        return None

    async def _processed(self, forge: Forge, making: Making) -> int | None:
        path = f"/code-scanning/sarifs/{segment(making.note)}"
        try:
            answer = await forge.call_once("GET", making.repository, path, UPLOADING)
        except NotFound:  # for a while after the upload
            answer = {"processing_status": "pending"}
        with sorted_errors():
            state = str(answer["processing_status"])
            if state == "failed":
                raise ForgeRefused(422, _faults(answer))
        if state == "complete":
            return await self.find(forge, making)
        if making.tries >= _ASKED:
            raise ForgeRefused(
                504, "code scanning has not processed the upload for ten minutes; it may do so yet"
            )
        pause = min(_FIRST_PAUSE * 1.5**making.tries, _LONGEST_PAUSE)
        raise Unfinished(making.note, pause)


def _faults(answer: Any) -> str:
    """The faults that code scanning names. Part of a failed upload may be stored all the same."""
    said = "; ".join(str(each) for each in answer.get("errors") or ()) or "no reason given"
    return f"code scanning did not take all of the upload: {said[:_SAID]}"


def _check(error: str) -> None:
    if error:
        raise ForgeRefused(422, f"code scanning did not take all of the upload: {error[:_SAID]}")
