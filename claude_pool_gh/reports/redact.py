"""Removes secrets from text that is kept or shown. The last line of defence, never the wall."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

_HIDDEN: Final = "[redacted]"
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


class Redactor:
    """Knows the live secrets of this process and the shapes of others."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # Longest first, so that a form that contains another is taken whole.
        self._known = (
            re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None
        )

    def __call__(self, text: str) -> str:
        """The text with every known secret and everything that looks like one replaced."""
        if self._known is not None:
            text = self._known.sub(_HIDDEN, text)
        return _PATTERNS.sub(_HIDDEN, text)


def _forms(secret: str) -> Iterable[str]:
    """A secret and the ways it is commonly written: a line of it, base64 at each offset, hex, URL, reversed."""
    pieces = [secret, *(line for line in secret.splitlines() if len(line) >= 32)]
    for piece in (p.strip() for p in pieces):
        if len(piece) < _SHORTEST:
            continue
        raw = piece.encode()
        yield from (piece, piece[::-1], raw.hex(), quote(piece, safe=""))
        for shift in range(3):
            # Only the middle of the encoding is the same whatever stands before and after the secret.
            middle = b64encode(b"\0" * shift + raw).decode()[4 if shift else 0 : -4]
            if len(middle) >= _SHORTEST:
                yield middle
