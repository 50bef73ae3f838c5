"""Values that JSON can hold: what others' code hands in is stored as JSON, and has to be readable for good."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

_DEEPEST: Final = 100
"""Lists and mappings within each other. Far below what ends Python's own parser, wherever it is called from."""
_MOST_BITS: Final = 4_000
"""Of a whole number: Python reads none of many more digits."""


def fault(value: Any, depth: int = 0) -> str | None:
    """The part of a value that JSON cannot hold, in words; None where all of it can be stored and read again."""
    parts: Iterable[Any]
    match value:
        case None | bool() | str():
            return None
        case int():
            return None if value.bit_length() <= _MOST_BITS else "a number of too many digits"
        case float():
            return None if math.isfinite(value) else f"the number {value}"
        case dict() if not all(isinstance(key, str | int) for key in value):
            return "a key that is no text"
        case list() | tuple() | dict() if depth == _DEEPEST:
            return f"lists or mappings more than {_DEEPEST} deep"
        case list() | tuple() | dict():
            parts = value.values() if isinstance(value, dict) else value
            return next((wrong for each in parts if (wrong := fault(each, depth + 1))), None)
        case _:
            return f"a value of the type {type(value).__name__}"
