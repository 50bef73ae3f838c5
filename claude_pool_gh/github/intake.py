"""From a verified delivery to durable commands, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from claude_pool_gh.commands.lines import command_lines
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.github.tables import commands, deliveries, repositories
from claude_pool_gh.storage import Transaction, insert_once
from claude_pool_gh.terms.ids import Actor, CommentRef, Repository, Term, Thread

EVENTS: Final = frozenset({("issue_comment", "created"), ("pull_request_review_comment", "created")})
"""The closed list. Everything else is counted and dropped."""


class CommandRequest(Term):
    """A command line with everything that identifies where it came from."""

    thread: Thread
    actor: Actor
    comment: CommentRef
    body_sha256: str
    line: str
    ordinal: int

    @property
    def key(self) -> str:
        """Names the command for ever, whichever delivery brings it."""
        return f"{self.comment.kind}:{self.thread.repository.id}:{self.comment.id}:{self.ordinal}"


@dataclass(frozen=True, slots=True)
class NotForUs:
    """A delivery that asks for nothing, and why; `malformed` when it is not even what its event name says."""

    reason: str
    malformed: bool = False


class _Payload(BaseModel):
    """Base of what is read of payloads: the few fields used, every other ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _User(_Payload):
    id: int
    login: str
    type: str = "Unknown"


class _Repository(_Payload):
    id: int
    name: str
    owner: _User


class _Comment(_Payload):
    id: int
    body: str | None
    user: _User | None


class _Numbered(_Payload):
    number: int


class _Installation(_Payload):
    id: int


class _Created(_Payload):
    action: Literal["created"]
    comment: _Comment
    repository: _Repository
    sender: _User
    installation: _Installation | None = None
    issue: _Numbered | None = None
    pull_request: _Numbered | None = None


def recognise(delivery: VerifiedDelivery) -> list[CommandRequest] | NotForUs:
    """The commands in a delivery. Pure: whether they may run is decided later, against GitHub itself."""
    action = delivery.payload.get("action")
    if not isinstance(action, str) or (delivery.event, action) not in EVENTS:
        return NotForUs(f"{delivery.event}.{action} is not listened to")
    try:
        payload = _Created.model_validate(delivery.payload)
        return _commands(delivery.event, payload)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, e["loc"])) for e in error.errors()}))
        return NotForUs(f"the body is not that of {delivery.event}: {fields}", malformed=True)


def _commands(event: str, payload: _Created) -> list[CommandRequest] | NotForUs:
    holder = payload.issue if event == "issue_comment" else payload.pull_request
    author = payload.comment.user
    if holder is None:
        return NotForUs(f"the body is not that of {event}: no thread", malformed=True)
    if author is None or author.id != payload.sender.id:
        return NotForUs("the sender is not the comment's author")
    if author.type != "User":
        return NotForUs(f"{author.login} is a {author.type.lower()}, and only people command")
    body = _text(payload.comment.body or "").decode()
    return requests(
        body,
        thread=Thread(repository=_repository(payload), number=holder.number),
        actor=Actor(id=author.id, login=author.login),
        comment=CommentRef(
            id=payload.comment.id, kind="issue_comment" if event == "issue_comment" else "review_comment"
        ),
    )


def requests(body: str, *, thread: Thread, actor: Actor, comment: CommentRef) -> list[CommandRequest]:
    """The commands in a comment's body."""
    digest = body_digest(body)
    return [
        CommandRequest(
            thread=thread, actor=actor, comment=comment, body_sha256=digest, line=line, ordinal=ordinal
        )
        for ordinal, line in enumerate(command_lines(body))
    ]


def body_digest(body: str) -> str:
    """Tells whether a comment still says what it said."""
    return hashlib.sha256(_text(body)).hexdigest()


def _text(body: str) -> bytes:
    """JSON can hold halves of characters; no database takes them."""
    return body.encode(errors="replace")


def take_in(tx: Transaction, delivery: VerifiedDelivery, found: list[CommandRequest], now_ms: int) -> int:
    """Make a delivery and its commands durable; how many commands were new.

    A GUID is stored with its work, so one whose first attempt died before the commit is taken in again.
    """
    row = {"guid": delivery.guid, "event": delivery.event[:64], "received_ms": now_ms}
    insert_once(tx, deliveries, row | {"action": str(delivery.payload.get("action"))[:64]})
    return sum(store(tx, request, now_ms) for request in found)


def remember_repository(tx: Transaction, repository: Repository) -> None:
    """Keep a repository's present names, by its number: it may have been renamed or transferred."""
    values = repository.model_dump()
    if not insert_once(tx, repositories, values):
        same = repositories.c.id == repository.id
        tx.execute(repositories.update().where(same).values(**values))


def store(tx: Transaction, request: CommandRequest, now_ms: int) -> bool:
    """Make a command durable with its repository. False when it was known."""
    remember_repository(tx, request.thread.repository)
    values: Mapping[str, Any] = {
        "key": request.key,
        "state": "received",
        "line": request.line,
        "request": request.model_dump(mode="json"),
        "tries": 0,
        "due_ms": now_ms,
        "received_ms": now_ms,
    }
    return insert_once(tx, commands, values)


def _repository(payload: _Created) -> Repository:
    return Repository(
        id=payload.repository.id,
        owner=payload.repository.owner.login,
        name=payload.repository.name,
        installation_id=payload.installation.id if payload.installation else 0,
    )
