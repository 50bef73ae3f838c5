"""Related posts."""

from __future__ import annotations

from typing import Sequence

from blog.post import Post

MOST = 3


def all_related(posts: Sequence[Post]) -> dict[str, list[Post]]:
    """For the slug of each post, the posts related to it."""
    return {post.slug: _related(post, posts) for post in posts}


def _related(post: Post, posts: Sequence[Post]) -> list[Post]:
    found = []
    for other in posts:
        shared = len(post.tags & other.tags)
        if other.slug != post.slug and shared > 0:
            found.append((-shared, -other.day.toordinal(), other.slug, other))
    return [other for *_, other in sorted(found, key=lambda entry: entry[:3])[:MOST]]
