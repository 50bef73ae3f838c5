"""Commit messages and titles of pull requests: what was done, who asked, who approved. Nothing in them acts.

Messages, titles and the mail made of them are no Markdown, so nothing can be quoted there: a mention notifies,
`fixes #7` closes, `[skip ci]` hides a commit from checks, and a line at the end is a trailer. What others wrote is
taken apart instead; only the host's own lines are as they stand.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.reports.secrets import secrets

_SUBJECT_LIMIT: Final = 72
_LISTED: Final = 20
_URL: Final = re.compile(r"(?<![a-z0-9+.-])[a-z0-9+.-]*://\S*", re.IGNORECASE)
"""What may be its scheme is looked at once from its beginning, or a long text of dots would take seconds."""
_ISSUE: Final = re.compile(r"\b(gh|issues?|pull)[-/](?=\d)", re.IGNORECASE)
_BRACKETS: Final = str.maketrans("[]", "()")
_STARS: Final = re.compile(r"\*{2,}")


@dataclass(frozen=True, slots=True)
class FixedItem:
    """One thing that a change fixes."""

    title: str
    path: str


def plain(text: str, limit: int) -> str:
    """Another's words in one line of a message: no mention, reference, address, marker or control character."""
    shown = "".join(
        each if unicodedata.category(each)[0] not in "CZ" else " "
        for each in text
        if _is_seen(each)
    )
    shown = shown.replace("@", "").replace("#", "")  # before what they could have parted
    shown = _ISSUE.sub(r"\1 ", _URL.sub("(link)", shown))
    shown = _STARS.sub("*", shown.translate(_BRACKETS))
    line = " ".join(shown.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def _is_seen(character: str) -> bool:
    """True where it is shown: invisible characters could join what was taken apart."""
    return unicodedata.category(character) != "Cf"


def message(
    verb: str,
    what: str,
    fixed: Sequence[FixedItem],
    words: str,
    *,
    requested_by: str,
    approved_by: Sequence[str],
    chain: str,
    is_ours: Callable[[str], bool] = lambda _text: False,
) -> str:
    """A commit's message. `what`: the thread, as "pull request 7"; `words`: a person's, where no finding is meant.

    Words that hold a secret are left out: what is pushed cannot be taken back. `is_ours` knows this server's own.
    """
    whole = "\n".join([words, *(text for each in fixed for text in (each.title, each.path))])
    if is_ours(whole) or secrets(whole):
        fixed, words = (), ""
    said = [_one(each, 100_000) for each in fixed]
    if len(fixed) == 1:
        subject, body = f"Fix: {_one(fixed[0], _SUBJECT_LIMIT - 5)}", ""
    elif fixed:
        subject = f"Fix: {len(fixed)} findings"
        more = [f"- and {len(said) - _LISTED} more"] if len(said) > _LISTED else []
        body = "\n".join([*(f"- {each}" for each in said[:_LISTED]), *more])
    elif line := plain(words, _SUBJECT_LIMIT - len(verb) - 2):
        subject, body = f"{verb.capitalize()}: {line}", ""
    else:
        subject, body = f"Apply /pool {verb} on {what}", ""
    trailers = [f"Requested-by: {plain(requested_by, 100)}"]
    trailers += [f"Approved-by: {plain(login, 100)}" for login in approved_by]
    trailers += [f"Pool-chain: {chain}"]
    return "\n\n".join(filter(None, (subject, body, f"For {what}.", "\n".join(trailers)))) + "\n"


def _one(fixed: FixedItem, limit: int) -> str:
    """Title and path; where there is no room for both, the path keeps its end and the title its beginning."""
    path = plain(fixed.path, 10_000)
    most = limit // 2
    if len(path) > most:
        path = f"…{path[1 - most :]}"
    return f"{plain(fixed.title, limit - len(path) - 3)} ({path})"


def title(words: str, otherwise: str, limit: int = 100) -> str:
    """The title of a pull request, which becomes the subject of its squashed commit and of mail."""
    return plain(words, limit) or otherwise
