"""Slugs."""

from __future__ import annotations

import re
import unicodedata

MAX_LENGTH = 60
FALLBACK = "untitled"

_OTHER = re.compile(r"[^a-z0-9]+")


def slugify(title: str) -> str:
    """Lower-case letters, digits and single hyphens, at most MAX_LENGTH characters."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    slug = _OTHER.sub("-", plain.lower()).strip("-")
    if len(slug) > MAX_LENGTH:
        cut, separator, _ = slug[: MAX_LENGTH + 1].rpartition("-")
        slug = cut if separator else slug[:MAX_LENGTH]
    return slug or FALLBACK
