"""Puts what pydantic says of a value in the words of people who do not know that library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

MISSING: Final = "is missing"
_BEGINNING: Final = re.compile(r"^(?:Value error, |Assertion failed, )?")
_SHOULD: Final = re.compile(r"^(?:Input|String|List|Tuple|Set|Dictionary|URL) should ")
_KINDS: Final = (
    ("be a valid integer", "be a whole number"),
    ("be a valid boolean", "be `true` or `false`"),
    ("be a valid number", "be a number"),
    ("be a valid string", "be a text"),
    ("be a valid list", "be a list"),
    ("be a valid tuple", "be a list"),
    ("be a valid dictionary", "have keys of its own"),
)
_PARSED: Final = re.compile(
    r", (?:unable to (?:parse|interpret)|got a number with a fractional).*"
    r"|(?<=keys of its own) or (?:instance|object) .*"
)


def in_words(problem: Mapping[str, Any]) -> str:
    """One fault of `ValidationError.errors()`, as it stands behind the name of the value."""
    if problem["type"] == "missing":
        return MISSING
    told = _SHOULD.sub("must ", _BEGINNING.sub("", str(problem["msg"])))
    for theirs, ours in _KINDS:
        told = told.replace(theirs, ours)
    told = re.sub(r"match pattern '(.*)'", r"match `\1`", _PARSED.sub("", told))
    return told[:1].lower() + told[1:]
