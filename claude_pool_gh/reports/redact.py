"""Removes secrets from text that is kept or shown. The last line of defence, never the wall."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterable
from html import unescape
from typing import Final
from urllib.parse import quote

from claude_pool_gh.reports import secrets
from claude_pool_gh.reports.private_keys import without_keys
from claude_pool_gh.reports.secrets import Suspicion, suspicions

_HIDDEN: Final = "[redacted]"
_URL_SAFE: Final = str.maketrans("+/", "-_")
_MARKS: Final = str.maketrans("", "", "\\`")
_SHORTEST: Final = 8
_SUGGESTION: Final = re.compile(r"^(`{3,})suggestion$", re.MULTILINE)
_PATTERNS: Final = re.compile(
    r"""gh[pousr]_[A-Za-z0-9_.\-]{20,}            # GitHub tokens, the long form with a JWT inside too
      | github_pat_[A-Za-z0-9_]{20,}
      | sk-ant-[A-Za-z0-9_-]{10,}
      | eyJ[A-Za-z0-9_-]{10,1000}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+
      | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
      | \bxox[abposr]-[A-Za-z0-9-]{10,}
    """,
    re.VERBOSE,
)


def _shapeless(text: str) -> str:
    return without_keys(_PATTERNS.sub(_HIDDEN, text), _HIDDEN)


def blanked(text: str) -> str:
    """Code of a repository's own without the secrets in it: a report of them would be held back whole."""
    return secrets.blanked(_shapeless(text), _HIDDEN)


_WITHHELD: Final = "[withheld: contains what looks like a secret]"


def cleared(text: str) -> str:
    """An agent's words without the secrets in them; one in a form that only its reader joins costs all of the text.

    A post with such a text would be withheld whole.
    """
    left = blanked(text)
    return _WITHHELD if secrets.secrets(unescape(left)) else left


VEIL: Final = "[withheld: looks like a random token]"


def veiled(text: str) -> str:
    """The text without what only looks like a secret: it costs that token, by name, and nothing else.

    A suggestion that would have to be taken without it is none.
    """
    found = suspicions(text)
    if not found:
        return text
    parts: list[str] = []
    at = 0
    for each in found:
        # or it could become a link
        beside = " " if text[each.end : each.end + 1] in ("(", "[", ":") else ""
        parts += (text[at : each.start], VEIL, beside)
        at = each.end
    shown = "".join([*parts, text[at:]])
    return _SUGGESTION.sub(r"\1text", shown) if _inside_suggestion(text, found) else shown


def _inside_suggestion(text: str, found: tuple[Suspicion, ...]) -> bool:
    opening = _SUGGESTION.search(text)
    return opening is not None and any(each.start > opening.start() for each in found)


class Redactor:
    """Knows the live secrets of this process and the shapes of others."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted(set(secrets))
        forms = {form for secret in known for form in _forms(secret)}
        # Longest first, so that a form that contains another is taken whole. One pattern of them all would take a
        # third of a second to compile, and longer for each text.
        self._known = sorted(forms, key=lambda form: (-len(form), form))
        # Nobody can write it who does not know the secrets, and it is the same after a restart.
        self._mark = f"[redacted {hashlib.sha256(repr(known).encode()).hexdigest()[:10]}]"

    def holds(self, text: str) -> bool:
        """True where a secret of this very process is in a text, in any of the ways it is commonly written, or was.

        Also in Markdown, where an escape, an entity or a mark of code may stand within it.
        """
        if not self._known:
            return False
        read = unescape(text)
        texts = (text, text.translate(_MARKS), read, read.translate(_MARKS))
        return any(form in each for form in (self._mark, *self._known) for each in texts)

    def is_left_in(self, redacted: str) -> bool:
        """True where a redacted text still holds a secret of this process, in a form that only its reader joins."""
        return self.holds(redacted.replace(self._mark, ""))

    def __call__(self, text: str) -> str:
        """The text with every known secret and everything that looks like one replaced.

        A known one leaves a mark by which `holds` still tells that it was there.
        """
        for form in self._known:
            text = text.replace(form, self._mark)
        return _shapeless(text)


def _forms(secret: str) -> Iterable[str]:
    """A secret and the ways it is commonly written: a line of it, base64 at each offset, hex, URL, JSON, reversed."""
    pieces = [secret, *(line for line in secret.splitlines() if len(line) >= 32)]
    for piece in (p.strip() for p in pieces):
        if len(piece) < _SHORTEST:
            continue
        raw = piece.encode()
        yield from (piece, piece[::-1], raw.hex(), raw.hex().upper(), quote(piece, safe=""))
        yield from (
            json.dumps(piece, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)
        )
        for shift in range(3):
            # Only the middle of the encoding is the same whatever stands before and after the secret.
            middle = b64encode(b"\0" * shift + raw).decode()[4 if shift else 0 : -4]
            if len(middle) >= _SHORTEST:
                yield from (middle, middle.translate(_URL_SAFE))
