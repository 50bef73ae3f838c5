"""The way to the model's API, where it differs from the usual."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Credential(Protocol):
    """A credential of ours at the API, where that is no key: it may change from one request to the next."""

    async def headers(self) -> Mapping[str, str]:
        """The headers of a request. Raises ClientError."""
        ...


@dataclass(slots=True)
class Connection:
    """The way to the model's API, where it differs from the usual."""

    credential: Credential | None = None
    """What it knows us by, in place of the key."""
    proxy: str = ""
    """Through which it is reached; "": directly, whatever the environment names."""
    answers: Counter[str] = field(default_factory=Counter)
    """How often each HTTP status was answered with; `unreachable` where there was no answer."""
