"""A thread's conversation in words, for agents: what its page shows, newest kept, each word with who said it. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from claude_pool_gh.github.discussion import Discussion, LineThread, Message, SubmittedReview
from claude_pool_gh.reports.visible import visible_text

LIMIT: Final = 16_000
"""Characters of a whole conversation."""
_ONE_LIMIT: Final = 2_000
_OWN_LIMIT: Final = 4_000
"""Of an earlier answer of our own: questions after it mean what it says."""
_OURS: Final = "<!-- claude-pool:"
"""In everything that we post: in an Action our account is also that of other workflows."""
_LAST: Final = 60
"""Comments of a line thread that are read."""
_HUNK_LIMIT: Final = 4_000
_HARMLESS: Final = "\u200c\u200d\ufeff\u00ad"
"""Joiners of scripts and emoji, marks of byte order, soft hyphens."""
_SHORT_HUNK: Final = 4
"""Lines of the diff that are shown above a thread in which the command does not stand."""
_PLACE_LIMIT: Final = 10_000
_STATES: Final = {
    "APPROVED": "approved",
    "CHANGES_REQUESTED": "changes requested",
    "DISMISSED": "dismissed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """For whom a conversation is written down."""

    own_id: int
    """The bot's account."""
    asked_in: int | None = None
    """The comment with the command: it is the request, and not said once more."""
    is_answer: Callable[[Message], bool] = lambda _said: True
    """Whether a comment of the bot's own says something; most only tell how far it is."""


def conversation(found: Discussion, reader: Reader, *, without: int | None = None) -> str:
    """Comments, reviews and line threads in the order of their last word; empty where nothing is said.

    `without`: the root of a thread that is told elsewhere.
    """
    entries: list[tuple[Message, Callable[[], str]]] = [
        *((each, partial(_one, each, reader)) for each in _heard(found.comments, reader)),
        *(
            (each.said, partial(_review, each, reader))
            for each in found.reviews
            if _is_heard(each.said, reader)
        ),
        *(
            (each.said[-1], partial(_thread, each, reader))
            for each in found.threads
            if each.root != without and _heard(each.said, reader)
        ),
    ]
    entries.sort(key=lambda each: (each[0].at, each[0].id))
    shown = newest(_blank_lines, [tell for _, tell in entries], LIMIT, beyond=found.beyond)
    if not found.unknown:
        return shown
    note = f"({found.unknown} left out: GitHub did not say whether a maintainer has hidden them)"
    return f"{shown}\n\n{note}".strip()


def place(thread: LineThread, reader: Reader) -> str:
    """The lines under which a command stands, with what the page shows around it."""
    told = _said(_blank_lines, thread, reader, _PLACE_LIMIT)
    parts = [
        f"{where(thread)}{' The thread is marked as resolved.' if thread.resolved else ''}",
        f"The part of the diff that is shown there:\n{_end(spelled(thread.hunk), _HUNK_LIMIT)}"
        if thread.hunk
        else "",
        f"What is said there, oldest first:\n\n{told}" if told else "",
    ]
    return "\n\n".join(filter(None, parts))


def where(thread: LineThread) -> str:
    """The lines of a thread in a sentence."""
    if thread.line is None and thread.original_line is None:
        return f"{thread.path}, the file as a whole."
    if thread.line is None:
        return f"{thread.path}, line {thread.original_line} of an earlier commit, which has changed since."
    lines = (
        f"lines {thread.start_line} to {thread.line}"
        if thread.start_line and thread.start_line != thread.line
        else f"line {thread.line}"
    )
    side = (
        ", deleted by the pull request: the line's number before it"
        if thread.side == "LEFT"
        else ""
    )
    return f"{thread.path}, {lines}{side}."


def newest(
    join: Callable[[Sequence[str]], str],
    entries: Sequence[Callable[[], str]],
    limit: int,
    *,
    beyond: int = 0,
) -> str:
    """As many of the newest as there is room for, oldest first, and how many are left out.

    No text is made for which there is no room: strangers may have written many, and each takes its time.
    """
    kept: list[str] = []
    left, left_out = limit, len(entries) + beyond
    for tell in reversed(entries):
        text = tell() if left > 0 else ""
        if left <= 0 or (len(text) > left and kept):
            break
        left_out -= 1
        if text:
            kept.insert(0, text[:left])
            left -= len(text)
    note = [f"({left_out} earlier left out)"] if left_out else []
    return join([*note, *kept])


def _blank_lines(texts: Sequence[str]) -> str:
    return "\n\n".join(texts)


def _is_own(said: Message, reader: Reader) -> bool:
    return said.author.id == reader.own_id and _OURS in said.text


def _is_heard(said: Message, reader: Reader) -> bool:
    """False for the request itself, and for what only tells how far the bot is."""
    return said.id != reader.asked_in and (not _is_own(said, reader) or reader.is_answer(said))


def _heard(every: Sequence[Message], reader: Reader) -> list[Message]:
    return [each for each in every if _is_heard(each, reader)]


def _said(
    join: Callable[[Sequence[str]], str], thread: LineThread, reader: Reader, limit: int
) -> str:
    heard = _heard(thread.said, reader)
    entries = [partial(_one, each, reader) for each in heard[-_LAST:]]
    return newest(join, entries, limit, beyond=len(heard) - len(entries))


def _one(said: Message, reader: Reader, what: str = "") -> str:
    """One text with its author; nothing where nothing of it is shown."""
    own = _is_own(said, reader)
    text = visible_text(said.text, _OWN_LIMIT if own else _ONE_LIMIT)
    note = ", you, earlier" if own else f" ({said.badge})" if said.badge else ""
    return f"{said.author.login}{note}{what}: {text}" if text else ""


def _review(review: SubmittedReview, reader: Reader) -> str:
    state = _STATES.get(review.state)
    return _one(review.said, reader, f", in a review ({state})" if state else ", in a review")


def _thread(thread: LineThread, reader: Reader) -> str:
    said = _said("\n".join, thread, reader, LIMIT)
    resolved = " (marked as resolved)" if thread.resolved else ""
    if not said:
        return ""
    lines = [f"On {where(thread).removesuffix('.')}{resolved}:"]
    lines += [f"  | {line}" for line in spelled(thread.hunk).split("\n")[-_SHORT_HUNK:] if line]
    return "\n".join([*lines, "  " + said.replace("\n", "\n  ")])


def spelled(text: str) -> str:
    """Code as a person sees it: a character that nobody sees, and that changes what is read, by its number."""
    return "".join(f"<U+{ord(c):04X}>" if _is_unseen(c) else c for c in text)


def _is_unseen(c: str) -> bool:
    return c not in _HARMLESS and (unicodedata.category(c) == "Cf" or 0xE0100 <= ord(c) <= 0xE01EF)


def _end(text: str, limit: int) -> str:
    """A hunk's end: the line in question is its last one."""
    return text if len(text) <= limit else f"(its beginning is left out)\n{text[-limit:]}"
