"""Digests of what a host's step found, by which agents are told only what it wrote.

A state that is kept where others can read it lacks what looks like a secret, and with it perhaps all that follows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from claude_pool_gh.pool.model.texts import storable

_DIGESTS: Final = "digests"


def with_digests(result: Mapping[str, Any], *, by_item: Collection[str] = ()) -> dict[str, Any]:
    """A result with a digest of each of its values.

    `by_item`: lists of items for one agent each, with a digest of the texts of each item. One that has changed costs
    its own agent, and no other.
    """
    digests = {
        name: _of_items(value) if name in by_item else _digest(value)
        for name, value in result.items()
    }
    return {**result, _DIGESTS: digests}


def changed(result: Any) -> frozenset[str]:
    """The names of the values that are no longer what was written; of a result without digests nobody knows any."""
    return frozenset(
        name
        for name, digest in _kept(result).items()
        if digest != (_digest if isinstance(digest, str) else _of_items)(result.get(name))
    )


def changed_items(result: Any, name: str) -> frozenset[int] | None:
    """The places of the items that are no longer what was written; None of a list whose items have no digests."""
    digests = _kept(result).get(name)
    if not isinstance(digests, list):
        return None
    now = _of_items(result.get(name))
    return frozenset(at for at, digest in enumerate(now) if digests[at : at + 1] != [digest])


def _kept(result: Any) -> Mapping[str, Any]:
    kept = result.get(_DIGESTS) if isinstance(result, Mapping) else None
    return kept if isinstance(kept, Mapping) else {}


def _of_items(items: Any) -> list[str]:
    found: Sequence[Any] = items if isinstance(items, list | tuple) else ()
    return [_digest(_texts(item))[:16] for item in found]


def _texts(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    return {name: value for name, value in item.items() if isinstance(value, str)}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(storable(value), sort_keys=True).encode()).hexdigest()
