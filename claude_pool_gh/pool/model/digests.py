"""Digests of what a host's step found, by which agents are told only what it wrote.

A state that is kept where others can read it lacks what looks like a secret, and with it perhaps all that follows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from claude_pool_gh.pool.model.texts import storable

_DIGESTS: Final = "digests"


def with_digests(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with a digest of each of its values."""
    return {**result, _DIGESTS: {name: _digest(value) for name, value in result.items()}}


def changed(result: Any) -> frozenset[str]:
    """The names of the values that are no longer what was written; of a result without digests nobody knows any."""
    kept = result.get(_DIGESTS) if isinstance(result, Mapping) else None
    if not isinstance(kept, Mapping):
        return frozenset()
    return frozenset(name for name, digest in kept.items() if _digest(result.get(name)) != digest)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(storable(value), sort_keys=True).encode()).hexdigest()
