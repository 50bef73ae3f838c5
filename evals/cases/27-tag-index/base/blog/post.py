"""Posts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Post:
    slug: str  # unique
    day: date
    tags: frozenset[str] = frozenset()


def make_post(slug: str, day: str, *tags: str) -> Post:
    return Post(slug, date.fromisoformat(day), frozenset(tag.lower() for tag in tags))
