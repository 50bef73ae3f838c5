"""A command line of a person, a label, a button or a schedule, with everything that identifies it."""

from __future__ import annotations

import hashlib

from claude_pool_gh.commands.lines import find
from claude_pool_gh.terms.ids import Actor, CommentRef, ReviewRef, Source, Term, Thread, Trigger


class CommandRequest(Term):
    """A command line with everything that identifies where it came from."""

    thread: Thread
    actor: Actor
    source: Source
    line: str
    ordinal: int = 0
    body_sha256: str = ""
    """Of a comment or a review: what it said when it was delivered."""
    leads: bool = True
    """Whether nothing but commands stands above it in its comment or review."""
    delivery: str = ""
    """The GUID of the delivery that brought it; "" where it was looked up."""

    @property
    def key(self) -> str:
        """Names the command for ever, whichever delivery brings it."""
        return f"{self.source.kind}:{self.thread.repository.id}:{self.source.id}:{self.ordinal}"

    @property
    def digest(self) -> str:
        """The key as forty hex digits: the same command, the same chain."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:40]

    @property
    def comment(self) -> CommentRef | None:
        """The comment that it stands in, if it stands in one."""
        return self.source if isinstance(self.source, CommentRef) else None

    @property
    def is_scheduled(self) -> bool:
        """True where a due time caused it, not a person. Nothing that is delivered makes such a command."""
        return isinstance(self.source, Trigger) and self.source.kind == "schedule"

    @property
    def written_in(self) -> CommentRef | ReviewRef | None:
        """The text that it stands in, if a person wrote it."""
        return None if isinstance(self.source, Trigger) else self.source


def requests(
    body: str, *, thread: Thread, actor: Actor, source: CommentRef | ReviewRef
) -> list[CommandRequest]:
    """The commands in the body of a comment or a review."""
    digest = body_digest(body)
    return [
        CommandRequest(
            thread=thread,
            actor=actor,
            source=source,
            body_sha256=digest,
            line=line.text,
            ordinal=ordinal,
            leads=line.leads,
        )
        for ordinal, line in enumerate(find(as_stored(body)))
    ]


def body_digest(body: str) -> str:
    """Tells whether a comment still says what it said."""
    return hashlib.sha256(as_stored(body).encode()).hexdigest()


def as_stored(text: str) -> str:
    """The text as a database takes it: JSON can hold halves of characters."""
    return text.encode(errors="replace").decode()
