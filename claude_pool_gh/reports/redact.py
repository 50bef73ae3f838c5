"""Removes secrets from text that is kept or shown. The last line of defence, never the wall."""

from __future__ import annotations

import hashlib
import math
import re
from base64 import b64encode
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

_HIDDEN: Final = "[redacted]"
_URL_SAFE: Final = str.maketrans("+/", "-_")
_MARKS: Final = str.maketrans("", "", "\\`")
_SHORTEST: Final = 8
_PATTERNS: Final = re.compile(
    r"""gh[pousr]_[A-Za-z0-9_.\-]{20,}            # GitHub tokens, the long form with a JWT inside too
      | github_pat_[A-Za-z0-9_]{20,}
      | sk-ant-[A-Za-z0-9_-]{10,}
      | eyJ[A-Za-z0-9_-]{10,1000}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+
      | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----[\s\S]*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
      | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
      | \bxox[abposr]-[A-Za-z0-9-]{10,}
    """,
    re.VERBOSE,
)


_KINDS: Final = (
    ("a GitHub token", re.compile(r"gh[pousr]_[A-Za-z0-9_.\-]{20,}|github_pat_[A-Za-z0-9_]{20,}")),
    ("an Anthropic key", re.compile(r"sk-ant-[A-Za-z0-9_-]{10,}")),
    ("a JSON Web Token", re.compile(r"eyJ[A-Za-z0-9_-]{10,1000}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("an AWS key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a Slack token", re.compile(r"\bxox[abposr]-[A-Za-z0-9-]{10,}")),
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/=_-]{32,}")
_DIGEST: Final = re.compile(r"(?:sha(?:1|256|384|512)[-:=]|\bh1:)[A-Za-z0-9+/=]+", re.IGNORECASE)
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_LONGEST_WORDS: Final = 3.7
"""Characters a word, on the average, up to which a token is no name: what is drawn by lot has about two."""
_MOST_ORDER: Final = 4.3
"""Bits a character above which a long token of mixed characters is taken for a secret. Words and paths have less."""


def leaks(text: str) -> tuple[str, ...]:
    """What kinds of secrets a text seems to hold, by their shapes and by how little order there is in a token."""
    found = [kind for kind, shape in _KINDS if shape.search(text)]
    if any(_is_random(token) for token in _TOKEN.findall(_DIGEST.sub("", text))):
        found.append("a random token")
    return tuple(found)


def _is_random(token: str) -> bool:
    """Whether nobody would write this by hand. Hex digests, paths and words in a row are not random enough."""
    kinds = (
        any(c.islower() for c in token),
        any(c.isupper() for c in token),
        any(c.isdigit() for c in token),
    )
    if not all(kinds) or token.count("/") > 3 or token.count("_") + token.count("-") > 4:
        return False
    if len(token) / len(_WORD.findall(token)) > _LONGEST_WORDS:
        return False
    share = [token.count(c) / len(token) for c in set(token)]
    return -sum(p * math.log2(p) for p in share) > _MOST_ORDER


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
        """Whether a secret of this very process is in a text, in any of the ways it is commonly written, or was.

        Also in Markdown, where an escape or a mark of code may stand within it.
        """
        if not self._known:
            return False
        texts = (text, text.translate(_MARKS))
        return any(form in each for form in (self._mark, *self._known) for each in texts)

    def __call__(self, text: str) -> str:
        """The text with every known secret and everything that looks like one replaced.

        A known one leaves a mark by which `holds` still tells that it was there.
        """
        for form in self._known:
            text = text.replace(form, self._mark)
        return _PATTERNS.sub(_HIDDEN, text)


def _forms(secret: str) -> Iterable[str]:
    """A secret and the ways it is commonly written: a line of it, base64 at each offset, hex, URL, reversed."""
    pieces = [secret, *(line for line in secret.splitlines() if len(line) >= 32)]
    for piece in (p.strip() for p in pieces):
        if len(piece) < _SHORTEST:
            continue
        raw = piece.encode()
        yield from (piece, piece[::-1], raw.hex(), raw.hex().upper(), quote(piece, safe=""))
        for shift in range(3):
            # Only the middle of the encoding is the same whatever stands before and after the secret.
            middle = b64encode(b"\0" * shift + raw).decode()[4 if shift else 0 : -4]
            if len(middle) >= _SHORTEST:
                yield from (middle, middle.translate(_URL_SAFE))
