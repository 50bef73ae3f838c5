"""Finds what GitHub could not deliver while nobody listened: by its log of deliveries, and by reading comments.

GitHub never delivers again by itself. Both ways feed the same intake, whose keys make a second hearing harmless; so
they also serve a laptop without a public address, with nothing but these two.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from claude_pool_gh.github import cursors, inbox, intake
from claude_pool_gh.github.access import AppAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.command_request import CommandRequest, requests
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.github.reads import actor_of
from claude_pool_gh.github.repository_events import RepositoryEvent
from claude_pool_gh.pool.model.ports import Clock
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.terms.ids import CommentRef, Repository, ReviewRef, Thread

logger = logging.getLogger(__name__)

_PAGES: Final = 20
_PAGE: Final = 100
_OVERLAP: Final = timedelta(minutes=2)
"""GitHub shows some things late: each reading begins a little before the last one ended."""
_LOOK_BACK: Final = timedelta(hours=1)
"""How old may be what nobody has heard of, where there is no cursor yet: a first start answers no old story."""

T = TypeVar("T")
Told = Callable[[Transaction, RepositoryEvent], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUp:
    """Reads what was missed."""

    database: Database
    forge: Forge
    access: AppAccess
    clock: Clock
    told: Told

    async def everything(self) -> int:
        """Both ways; how many commands were new. What cannot be read now is read next time."""
        found = 0
        for way in (self.deliveries, self.comments):
            try:
                found += await way()
            except ForgeError as error:
                logger.warning("not caught up: %s", error, extra={"action": "catch_up_failed"})
        return found

    async def deliveries(self) -> int:
        """Take in the App's deliveries of the last days that failed, and that we have not heard of since."""
        new = 0
        cursor = await self.database.read(lambda tx: cursors.position(tx, "deliveries"))
        newest = int(cursor or 0)
        failed: dict[str, int] = {}
        heard: set[str] = set()
        # A delivery is listed when it has ended: one that timed out comes after others with a higher id.
        begun = datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)
        certain = begun - _OVERLAP
        async for item in self._listed(newest):
            ended = datetime.fromisoformat(item["delivered_at"])
            if cursor is None and ended < begun - _LOOK_BACK:
                newest = max(newest, int(item["id"]))  # it is no news for the next reading either
                break
            if ended < certain:
                newest = max(newest, int(item["id"]))
            if 200 <= int(item["status_code"] or 0) < 300:
                heard.add(item["guid"])
            elif (item["event"], item["action"]) in intake.EVENTS:
                failed.setdefault(item["guid"], int(item["id"]))
        for guid in [
            guid for guid in reversed(failed) if guid not in heard
        ]:  # in the order of their happening
            new += await self._take(guid, failed[guid])
        await self.database.transact(lambda tx: cursors.advance(tx, "deliveries", str(newest)))
        return new

    async def _listed(self, after: int) -> AsyncIterator[Any]:
        """The deliveries since the last reading, newest first."""
        cursor = ""
        for _ in range(_PAGES):
            path = f"/app/hook/deliveries?per_page={_PAGE}" + (
                f"&cursor={cursor}" if cursor else ""
            )
            page = await self.access.as_app("GET", path)
            for item in page:
                if int(item["id"]) <= after:
                    return
                yield item
            if len(page) < _PAGE:
                return
            cursor = f"v1_{page[-1]['id']}"
        logger.error(
            "more than %d deliveries since the last look: older ones are not looked at",
            _PAGES * _PAGE,
            extra={
                "action": "deliveries_not_read",
                "do": "look at the older failed ones on the App's page, under Advanced, and redeliver them there",
            },
        )

    async def _take(self, guid: str, delivery_id: int) -> int:
        if await self.database.read(lambda tx: cursors.is_heard(tx, guid)):
            return 0
        full = await self.access.as_app("GET", f"/app/hook/deliveries/{delivery_id}")
        body = _body(full)
        if body is None:
            logger.warning("a delivery without a body", extra={"action": "delivery_not_read"})
            return 0
        # It came over our own authenticated request, as good as a signature.
        delivery = VerifiedDelivery(guid, str(full["event"]), body)
        found = await asyncio.to_thread(intake.recognise, delivery)
        if isinstance(found, intake.NotForUs):
            return 0
        now = self.clock.now_ms()
        return await self.database.transact(
            lambda tx: inbox.take_in(tx, delivery, found, now, self.told)
        )

    async def comments(self) -> int:
        """Take in the commands of comments written since the last reading, in every repository we are installed on."""
        new = 0
        async for repository in self._repositories():
            try:
                new += await self._comments_of(repository)
            except ForgeError as error:
                logger.warning(
                    "comments not read: %s", error, extra={"action": "comments_not_read"}
                )
        return new

    async def _repositories(self) -> AsyncIterator[Repository]:
        for installation in await self.access.as_app("GET", f"/app/installations?per_page={_PAGE}"):
            if installation.get("suspended_at"):
                continue
            owner, id_ = str(installation["account"]["login"]), int(installation["id"])
            for each in await self.access.repositories_of(id_):
                yield Repository(
                    id=int(each["id"]), owner=owner, name=str(each["name"]), installation_id=id_
                )

    async def _comments_of(self, repository: Repository) -> int:
        name = f"comments:{repository.id}"
        begun = datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)
        cursor = await self.database.read(lambda tx: cursors.position(tx, name))
        since = datetime.fromisoformat(cursor) - _OVERLAP if cursor else begun - _LOOK_BACK
        found = await self._in_reviews(repository, since)
        for listing in ("/issues/comments", "/pulls/comments"):
            pages = self.forge.pages(
                repository,
                listing,
                since=since.strftime("%Y-%m-%dT%H:%M:%SZ"),
                sort="updated",
                direction="asc",
            )
            async for comment in pages:
                found += await asyncio.to_thread(_read, _requests, comment, repository)

        def store(tx: Transaction) -> int:
            inbox.remember_repository(tx, repository)
            cursors.advance(tx, name, begun.isoformat())
            return sum(inbox.store(tx, request, self.clock.now_ms()) for request in found)

        return await self.database.transact(store)

    async def _in_reviews(self, repository: Repository, since: datetime) -> list[CommandRequest]:
        """The commands in the texts of reviews, which GitHub lists by pull request only: of those that have changed."""
        found: list[CommandRequest] = []
        changed = self.forge.pages(
            repository, "/pulls", state="all", sort="updated", direction="desc"
        )
        async for pull in changed:
            if datetime.fromisoformat(pull["updated_at"]) < since:
                break
            thread = Thread(repository=repository, number=int(pull["number"]))
            async for review in self.forge.pages(repository, f"/pulls/{thread.number}/reviews"):
                sent = review.get("submitted_at")
                if review.get("user") and sent and datetime.fromisoformat(sent) >= since:
                    found += await asyncio.to_thread(_read, _in_review, review, thread)
        return found


def _body(delivery: Any) -> dict[str, Any] | None:
    """The event in a delivery of GitHub's log; None where that has none, which must not hold up the others."""
    try:
        payload = delivery["request"]["payload"]
        body = json.loads(payload) if isinstance(payload, str) else payload
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _read(
    read: Callable[[Any, T], list[CommandRequest]], item: Any, where: T
) -> list[CommandRequest]:
    """The commands of one text; one in another form costs itself and no other."""
    try:
        return read(item, where)
    except (ValueError, LookupError, TypeError) as error:
        logger.warning(
            "a comment is not read (%s)", type(error).__name__, extra={"action": "comment_not_read"}
        )
        return []


def _in_review(review: Any, thread: Thread) -> list[CommandRequest]:
    """The commands of a listed review."""
    source = ReviewRef(id=int(review["id"]))
    actor = actor_of(review["user"])
    return requests(str(review.get("body") or ""), thread=thread, actor=actor, source=source)


def _requests(comment: Any, repository: Repository) -> list[CommandRequest]:
    """The commands of a listed comment. One that was edited is none: only what was created so counts."""
    user = comment.get("user") or {}
    thread_url = str(comment.get("issue_url") or comment.get("pull_request_url") or "")
    number = thread_url.rpartition("/")[2]
    if not user or not number.isdecimal() or comment["created_at"] != comment["updated_at"]:
        return []
    inline = "pull_request_url" in comment
    ref = CommentRef(id=int(comment["id"]))
    if inline:
        root = int(comment.get("in_reply_to_id") or comment["id"])
        ref = CommentRef(id=int(comment["id"]), kind="review_comment", root=root)
    return requests(
        str(comment.get("body") or ""),
        thread=Thread(repository=repository, number=int(number)),
        actor=actor_of(user),
        source=ref,
    )
