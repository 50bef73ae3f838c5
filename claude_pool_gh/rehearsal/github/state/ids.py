"""Numbers and names that GitHub hands out."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass, field


@dataclass(slots=True)
class Ids:
    """One counter for everything, so that no two objects of a run share an id."""

    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1_000_001))

    def next(self) -> int:
        """A number not given before."""
        return next(self._numbers)


def node_id(kind: str, number: int) -> str:
    """The opaque GraphQL name of an object."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()
