"""Texts that no database takes: those with NUL, or with half of a surrogate pair, which no encoding can write.

What agents say is cleaned of them; what callers pass in is refused, see `arguments`.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_MAY_BE_UNSTORABLE: Final = re.compile("\\\\u0000|[\ud800-\udfff]")
"""In JSON, where NUL is always escaped; the letters of an escape can stand in a harmless text too."""
_NO_TEXT: Final = (bool, int, float)
_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"


def cleaned(text: str) -> str:
    """The text with a replacement character for each one that cannot be stored."""
    return _UNSTORABLE.sub(_REPLACED, text)


def storable(value: Any) -> Any:
    """A JSON value in which every text, keys among them, is cleaned. Its tuples are as good as lists."""
    if isinstance(value, dict | list | tuple):
        try:  # nearly always there is nothing to clean, and this looks at all of it at once
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            return _each_cleaned(value)
        return _each_cleaned(value) if _MAY_BE_UNSTORABLE.search(text) else value
    return _each_cleaned(value)


def _each_cleaned(value: Any) -> Any:
    if value is None or isinstance(value, _NO_TEXT):
        return value
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, dict):
        return {_each_cleaned(key): _each_cleaned(each) for key, each in value.items()}
    return [_each_cleaned(each) for each in value] if isinstance(value, list | tuple) else value


def fault(value: Any) -> str | None:
    """The fault of a JSON value that cannot be stored, in words; None where all of it can."""
    match value:
        case str():
            found = _UNSTORABLE.search(value)
            return None if found is None else _named(found)
        case list() | tuple():
            return next((wrong for each in value if (wrong := fault(each))), None)
        case dict():
            return next(
                (wrong for each in (*value, *value.values()) if (wrong := fault(each))), None
            )
        case _:
            return None


def _named(found: re.Match[str]) -> str:
    what = "a NUL character" if found[0] == "\x00" else f"half of a surrogate pair, {found[0]!a}"
    return f"{what} at position {found.start()}"


Cleaned = Annotated[str, AfterValidator(cleaned)]
"""A text field that is cleaned whenever its model is made."""
