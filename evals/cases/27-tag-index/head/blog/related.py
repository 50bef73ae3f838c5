"""Related posts."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from typing import Mapping, Sequence

from blog.post import Post

MOST = 3


def all_related(posts: Sequence[Post]) -> dict[str, list[Post]]:
    """For the slug of each post, the posts related to it."""
    tagged: defaultdict[str, list[Post]] = defaultdict(list)
    for post in posts:
        for tag in post.tags:
            tagged[tag].append(post)
    return {post.slug: _related(post, tagged) for post in posts}


def _related(post: Post, tagged: Mapping[str, Sequence[Post]]) -> list[Post]:
    shared = Counter(other for tag in post.tags for other in tagged[tag])
    del shared[post]

    def rank(other: Post) -> tuple[int, int, str]:
        return -shared[other], -other.day.toordinal(), other.slug

    return heapq.nsmallest(MOST, shared, key=rank)
