"""The list of links below a post."""

from __future__ import annotations

from html import escape
from typing import Sequence

from blog.post import Post
from blog.related import all_related


def footers(posts: Sequence[Post]) -> dict[str, str]:
    """The HTML below each post, by slug; empty without related posts."""
    return {slug: _footer(others) for slug, others in all_related(posts).items()}


def _footer(others: Sequence[Post]) -> str:
    if not others:
        return ""
    links = (f'<li><a href="/{escape(post.slug)}/">{escape(post.slug)}</a></li>' for post in others)
    return "<ul>" + "".join(links) + "</ul>"
