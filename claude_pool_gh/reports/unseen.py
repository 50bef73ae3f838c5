"""Removes what a person cannot see from a text, for both directions: what we post, and what the model reads.

Decided by Unicode class, not by a list of characters: controls, format characters, private and unassigned code
points, fillers and variation selectors go. A joiner or selector stays where it changes what a person sees: between
emoji, after an emoji, after a CJK ideograph, and within words of scripts that are written with joiners.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_KEPT: Final = frozenset("\n\t")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_FILLERS: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U0001d159"
)
"""Letters, marks and symbols that are drawn as nothing. Unicode gives them no class of their own."""
_SHOWN_FORMATS: Final = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
"""Of class Cf, and yet drawn: signs that stand around a number."""
_ZWNJ, _ZWJ, _TEXT, _EMOJI = "\u200c", "\u200d", "\ufe0e", "\ufe0f"
_KEYCAP: Final = "\u20e3"
_JOINING: Final = re.compile(
    "[\u0600-\u08ff\u0900-\u0dff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1800-\u18af\ufb50-\ufdff\ufe70-\ufefe]"
)
"""Scripts in which a joiner between two letters changes their shapes, from Arabic to Mongolian."""
_IDEOGRAPH: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_LATER: Final = re.compile("[\U0001f000-\U0001faff\U00020000-\U0003fffd]")
"""Set aside for emoji and ideographs that a later Unicode than ours may have: unassigned, but drawn."""
_SYMBOL: Final = re.compile(
    "[\u203c\u2049\u2122\u2139\u2190-\u21ff\u3030\u303d\u3297\u3299\xa9\xae]"
)
_FLAG: Final = re.compile(
    "\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
    "|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
"""The flags of England, Scotland and Wales: the only tag characters that are drawn."""


def seen(text: str) -> str:
    """The text without what a person cannot see."""
    if text.isascii():
        return (
            text
            if text.isprintable()
            else "".join(c for c in text if c.isprintable() or c in _KEPT)
        )
    flags = {at for found in _FLAG.finditer(text) for at in range(*found.span())}
    kept: list[str] = []
    for at, c in enumerate(text):
        following = text[at + 1 : at + 2]
        if at in flags or _is_seen(c) or _has_meaning(c, kept, following):
            kept.append(c)
    return "".join(kept)


def _is_seen(c: str) -> bool:
    if c in _KEPT or c in _SHOWN_FORMATS:
        return True
    kind = unicodedata.category(c)
    if kind in _INVISIBLE:
        return kind == "Cn" and bool(_LATER.match(c)) and ord(c) & 0xFFFE != 0xFFFE
    return c not in _FILLERS and not _is_selector(c)


def _is_selector(c: str) -> bool:
    return "\ufe00" <= c <= "\ufe0f" or "\U000e0100" <= c <= "\U000e01ef"


def _has_meaning(c: str, before: list[str], following: str) -> bool:
    """True where an invisible character changes how what stands beside it is drawn."""
    last = before[-1] if before else ""
    if c in (_TEXT, _EMOJI):
        return _is_pictograph(last) or (
            following == _KEYCAP and last in "#*0123456789" and last != ""
        )
    if _is_selector(c):
        return bool(_IDEOGRAPH.match(last))
    if c == _ZWJ and _is_pictograph(_base(before)) and _is_pictograph(following):
        return True
    return c in (_ZWNJ, _ZWJ) and _is_joining(last) and _is_joining(following)


def _base(before: list[str]) -> str:
    """The character that is drawn last, below a selector."""
    at = -2 if before[-1:] == [_EMOJI] else -1
    return before[at] if len(before) >= -at else ""


def _is_pictograph(c: str) -> bool:
    return bool(c) and (
        "\U0001f000" <= c <= "\U0001faff"
        or unicodedata.category(c) == "So"
        or bool(_SYMBOL.match(c))
    )


def _is_joining(c: str) -> bool:
    return bool(c) and bool(_JOINING.match(c)) and unicodedata.category(c)[0] in "LM"
