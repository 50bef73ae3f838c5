"""A thread's conversation in words, for agents: what its page shows, newest kept, each word with who said it. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    entries = [
        *((said.at, said.id, _one(said, reader)) for said in found.comments),
        *((each.said.at, each.said.id, _review(each, reader)) for each in found.reviews),
        *(
            (each.said[-1].at, each.said[-1].id, _thread(each, reader))
            for each in found.threads
            if each.root != without
        ),
    ]
    told = [text for _, _, text in sorted(entries) if text]
    shown = newest(_blank_lines, told, LIMIT, beyond=found.beyond)
    if not found.unknown:
        return shown
    note = f"({found.unknown} left out: GitHub did not say whether a maintainer has hidden them)"
    return f"{shown}\n\n{note}".strip()


def place(thread: LineThread, reader: Reader) -> str:
    """The lines under which a command stands, with what the page shows around it."""
    said = [text for each in thread.said if (text := _one(each, reader))]
    parts = [
        f"{where(thread)}{' The thread is marked as resolved.' if thread.resolved else ''}",
        f"The part of the diff that is shown there:\n{_end(spelled(thread.hunk), _HUNK_LIMIT)}"
        if thread.hunk
        else "",
        f"What is said there, oldest first:\n\n{newest(_blank_lines, said, _PLACE_LIMIT)}"
        if said
        else "",
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
    join: Callable[[Sequence[str]], str], texts: Sequence[str], limit: int, *, beyond: int = 0
) -> str:
    """As many of the newest as there is room for, oldest first, and how many are left out."""
    kept: list[str] = []
    left = limit
    for text in reversed(texts):
        if len(text) > left and kept:
            break
        kept.insert(0, text[:left])
        left -= len(text)
    left_out = len(texts) - len(kept) + beyond
    note = [f"({left_out} earlier left out)"] if left_out else []
    return join([*note, *kept])


def _blank_lines(texts: Sequence[str]) -> str:
    return "\n\n".join(texts)


def _one(said: Message, reader: Reader, what: str = "") -> str:
    """One text with its author; nothing where it is the request itself, or nothing of it is shown."""
    own = said.author.id == reader.own_id and _OURS in said.text
    if said.id == reader.asked_in or (own and not reader.is_answer(said)):
        return ""
    text = visible_text(said.text, _OWN_LIMIT if own else _ONE_LIMIT)
    note = ", you, earlier" if own else f" ({said.badge})" if said.badge else ""
    return f"{said.author.login}{note}{what}: {text}" if text else ""


def _review(review: SubmittedReview, reader: Reader) -> str:
    state = _STATES.get(review.state)
    return _one(review.said, reader, f", in a review ({state})" if state else ", in a review")


def _thread(thread: LineThread, reader: Reader) -> str:
    said = [text for each in thread.said if (text := _one(each, reader))]
    resolved = " (marked as resolved)" if thread.resolved else ""
    if not said:
        return ""
    lines = [f"On {where(thread).removesuffix('.')}{resolved}:"]
    lines += [f"  | {line}" for line in spelled(thread.hunk).split("\n")[-_SHORT_HUNK:] if line]
    return "\n".join([*lines, *("  " + text.replace("\n", "\n  ") for text in said)])


def spelled(text: str) -> str:
    """Code as a person sees it: a character that nobody sees, and that changes what is read, by its number."""
    return "".join(f"<U+{ord(c):04X}>" if _is_unseen(c) else c for c in text)


def _is_unseen(c: str) -> bool:
    return c not in _HARMLESS and (unicodedata.category(c) == "Cf" or 0xE0100 <= ord(c) <= 0xE01EF)


def _end(text: str, limit: int) -> str:
    """A hunk's end: the line in question is its last one."""
    return text if len(text) <= limit else f"(its beginning is left out)\n{text[-limit:]}"
