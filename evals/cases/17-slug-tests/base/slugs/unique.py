"""Slugs that are not taken."""

from __future__ import annotations

from typing import Container

from slugs.slug import slugify


def unique_slug(title: str, taken: Container[str]) -> str:
    """The slug of a title, with a number when it is taken: `news`, `news-2`, `news-3`."""
    slug = slugify(title)
    if slug not in taken:
        return slug
    number = 2
    while f"{slug}-{number}" in taken:
        number += 1
    return f"{slug}-{number}"
