"""Resolves a review thread, or opens it again: what only GitHub's GraphQL API can do."""

from __future__ import annotations

from typing import Any, Final

from claude_pool_gh.github.access import RESOLVING
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.client import sorted_errors
from claude_pool_gh.github.errors import ForgeRefused
from claude_pool_gh.terms.ids import Repository

THREADS: Final = """
query ReviewThreads($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $after) {
        nodes { id isResolved comments(first: 1) { nodes { fullDatabaseId } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""
RESOLVE: Final = """
mutation ResolveThread($thread: ID!) {
  resolveReviewThread(input: {threadId: $thread}) { thread { isResolved } }
}
"""
UNRESOLVE: Final = """
mutation UnresolveThread($thread: ID!) {
  unresolveReviewThread(input: {threadId: $thread}) { thread { isResolved } }
}
"""
_PAGES_LIMIT: Final = 20


async def resolve(
    forge: Forge, repository: Repository, number: int, comment: int, *, resolved: bool = True
) -> bool:
    """Resolve the thread that a review comment began, or open it again; False where GitHub does not allow it.

    GitHub asks an App for the right to push, which an installation need not have granted.
    """
    try:
        token = await forge.access.token_once(repository, RESOLVING)
        with sorted_errors():
            thread = await _thread(forge, token, repository, number, comment)
            if thread is not None and thread["isResolved"] != resolved:
                await forge.query(token, RESOLVE if resolved else UNRESOLVE, thread=thread["id"])
    except ForgeRefused:
        return False
    return thread is not None


async def _thread(
    forge: Forge, token: str, repository: Repository, number: int, comment: int
) -> Any:
    after: str | None = None
    for _ in range(_PAGES_LIMIT):
        answer = await forge.query(
            token, THREADS, owner=repository.owner, name=repository.name, number=number, after=after
        )
        page = answer["repository"]["pullRequest"]["reviewThreads"]
        for thread in page["nodes"]:
            if [int(each["fullDatabaseId"]) for each in thread["comments"]["nodes"]] == [comment]:
                return thread
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    return None
