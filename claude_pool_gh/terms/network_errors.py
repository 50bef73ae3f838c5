"""Errors of the network in words that may be shown."""

from __future__ import annotations

import re
from typing import Final

_LOGIN: Final = re.compile(r"(?<=://)[^/?#\s'\"<>]+@")


def told(error: BaseException) -> str:
    """The words of an error, else its kind. An address in it, such as a proxy's, loses its login."""
    return without_logins(str(error)) or type(error).__name__


def without_logins(text: str) -> str:
    """The text with every address in it, but without their names and passwords."""
    return _LOGIN.sub("", text)
