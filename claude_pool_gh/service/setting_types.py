"""The kinds of values that settings have: how each is read, and what it may be."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field

LEAST_DAYS: Final = 7.0
"""That anything is kept: GitHub delivers again for three days, and people answer after a weekend."""


def _none(value: Any) -> Any:
    """The word `none` means that there is no limit."""
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


def _upper(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(each.isspace() or each in "?#" for each in value):
        raise ValueError("wants an address such as https://example.com")
    return value


def _optional_address(value: str) -> str:
    return value and _web_address(value)


def _database_address(value: str) -> str:
    if value and not value.startswith(("sqlite:", "postgres:", "postgresql:", "postgresql+")):
        raise ValueError("wants sqlite:////path or postgresql://user@host/name")
    return value


OrNone: Final = BeforeValidator(_none)
"""Beside a type with None: the word `none` is read as it."""
UpperCase: Final = BeforeValidator(_upper)
Days = Annotated[float, Field(ge=LEAST_DAYS, allow_inf_nan=False)] | None
"""For how long something is kept; None: for ever."""
Address = Annotated[str, AfterValidator(_web_address)]
OptionalAddress = Annotated[str, AfterValidator(_optional_address)]
DatabaseAddress = Annotated[str, AfterValidator(_database_address)]


def plain(name: str) -> AliasChoices:
    """A variable that other tools read too, so it has no prefix."""
    return AliasChoices(name, name.lower())


def without_login(text: str) -> str:
    """An address without what may be a secret in it; any other text as it is."""
    if "://" not in text:
        return text
    address = urlsplit(text)
    return urlunsplit((address.scheme, address.netloc.rpartition("@")[2], address.path, "", ""))


def host_and_port(host: str, port: int) -> str:
    """The address and port at which something listens, as in a URL: an address of IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def pem(text: str) -> str:
    """A key as a file holds it, also where it went through what holds one line only: escaped, quoted or in base64."""
    lines = text.strip().strip("\"'").replace("\\n", "\n")
    if "-----BEGIN" in lines:
        return lines
    try:
        return base64.b64decode("".join(lines.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        return lines  # whoever signs with it says that it is none
