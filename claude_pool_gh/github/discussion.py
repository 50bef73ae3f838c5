"""What people say in a thread, as its page shows it: comments, reviews, and the threads on lines of the diff.

Invariant: what a maintainer has hidden on the page does not leave this module.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.threads import THREADS
from claude_pool_gh.github.errors import ForgeRefused
from claude_pool_gh.github.reads import actor_of
from claude_pool_gh.terms.ids import Actor, Thread

logger = logging.getLogger(__name__)

HIDDEN: Final = """
query Hidden($ids: [ID!]!) {
  nodes(ids: $ids) {
    __typename
    ... on IssueComment { id isMinimized }
    ... on PullRequestReview { id isMinimized }
    ... on PullRequestReviewComment { id isMinimized }
  }
}
"""
_NODES_LIMIT: Final = 100
_LAST: Final = 60
"""Comments, reviews and inline threads of each kind that are looked at, the newest."""
_THREAD_PAGES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One text by one person."""

    id: int
    author: Actor
    text: str
    """As it was written, in Markdown."""
    at: str
    """When, in GitHub's form, which sorts as text."""
    node: str = ""
    is_comment: bool = False
    """It stands in the conversation itself, not in a review or on lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A submitted review."""

    said: Said
    state: str
    """`APPROVED`, `CHANGES_REQUESTED`, `COMMENTED` or `DISMISSED`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineThread:
    """A conversation on lines of a pull request's diff."""

    root: int
    """The comment that began it."""
    path: str
    line: int | None
    """The line at the present head, None where GitHub calls it outdated or it is about the file."""
    start_line: int | None = None
    original_line: int | None = None
    side: str = "RIGHT"
    hunk: str = ""
    """The part of the diff that the page shows above it."""
    resolved: bool = False
    said: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discussion:
    """All of it, oldest first."""

    comments: tuple[Said, ...] = ()
    reviews: tuple[Reviewed, ...] = ()
    threads: tuple[LineThread, ...] = ()
    beyond: int = 0
    """How many older ones were left out."""

    def thread(self, root: int) -> LineThread | None:
        """The thread that a comment began."""
        return next((each for each in self.threads if each.root == root), None)


async def discussion(forge: Forge, thread: Thread, *, is_pull: bool, root: int | None = None) -> Discussion:
    """What is said in a thread and shown on its page. The inline thread that `root` began is always among it."""
    number = thread.number
    every = [each async for each in forge.pages(thread.repository, f"/issues/{number}/comments")]
    comments = [_said(each, is_comment=True) for each in every[-_LAST:]]
    beyond, reviews, threads = len(every) - len(comments), list[Reviewed](), list[LineThread]()
    if is_pull:
        found = [each async for each in forge.pages(thread.repository, f"/pulls/{number}/reviews")]
        told = [each for each in found if each.get("body") and each.get("state") != "PENDING"]
        reviews = [Reviewed(said=_said(each), state=str(each["state"])) for each in told[-_LAST:]]
        lines = [each async for each in forge.pages(thread.repository, f"/pulls/{number}/comments")]
        grouped = by_thread(lines)
        threads = [each for each in grouped if each in grouped[-_LAST:] or each.root == root]
        beyond += len(told) - len(reviews) + len(grouped) - len(threads)
    hidden = await _hidden(forge, thread, [*comments, *(r.said for r in reviews), *_all_said(threads)])
    resolved = await _resolved(forge, thread) if threads else frozenset()
    return Discussion(
        comments=tuple(each for each in comments if each.node not in hidden),
        reviews=tuple(each for each in reviews if each.said.node not in hidden),
        threads=tuple(shown for each in threads if (shown := _shown(each, hidden, resolved)) is not None),
        beyond=beyond,
    )


def by_thread(comments: Iterable[Any]) -> list[LineThread]:
    """Review comments of GitHub's listing as the threads that they form, in the order of their last word. Pure."""
    groups: dict[int, list[Any]] = {}
    for each in sorted(comments, key=lambda one: int(one["id"])):
        groups.setdefault(int(each.get("in_reply_to_id") or each["id"]), []).append(each)
    threads = [_line_thread(root, group) for root, group in groups.items()]
    return sorted(threads, key=lambda each: (each.said[-1].at, each.said[-1].id))


def _line_thread(root: int, group: Sequence[Any]) -> LineThread:
    first = group[0]
    return LineThread(
        root=root,
        path=str(first["path"]),
        line=first.get("line"),
        start_line=first.get("start_line"),
        original_line=first.get("original_line"),
        side=str(first.get("side") or "RIGHT"),
        hunk=str(first.get("diff_hunk") or ""),
        said=tuple(_said(each) for each in group),
    )


def _shown(thread: LineThread, hidden: frozenset[str], resolved: frozenset[int]) -> LineThread | None:
    """A thread without what is hidden in it; None where that is all of it."""
    said = tuple(each for each in thread.said if each.node not in hidden)
    return (
        LineThread(
            root=thread.root, path=thread.path, line=thread.line, start_line=thread.start_line,
            original_line=thread.original_line, side=thread.side, hunk=thread.hunk,
            resolved=thread.root in resolved, said=said,
        )
        if said
        else None
    )  # fmt: skip


def _all_said(threads: Iterable[LineThread]) -> list[Said]:
    return [said for thread in threads for said in thread.said]


def _said(answer: Any, *, is_comment: bool = False) -> Said:
    return Said(
        id=int(answer["id"]),
        author=actor_of(answer.get("user")),
        text=str(answer.get("body") or ""),
        at=str(answer.get("created_at") or answer.get("submitted_at") or ""),
        node=str(answer.get("node_id") or ""),
        is_comment=is_comment,
    )


async def _hidden(forge: Forge, thread: Thread, said: Sequence[Said]) -> frozenset[str]:
    """Which of these a maintainer has hidden: only the GraphQL API tells."""
    nodes = [each.node for each in said if each.node]
    found: set[str] = set()
    for begin in range(0, len(nodes), _NODES_LIMIT):
        token = await forge.access.token(thread.repository)
        try:
            answer = await forge.query(token, HIDDEN, ids=nodes[begin : begin + _NODES_LIMIT])
        except ForgeRefused as error:
            # One that was deleted meanwhile; or a server without this query. What is left is still only material.
            logger.warning("hidden comments are not known: %s", error, extra={"action": "hidden_unknown"})
            continue
        found |= {str(each["id"]) for each in answer["nodes"] if each and each.get("isMinimized")}
    return frozenset(found)


async def _resolved(forge: Forge, thread: Thread) -> frozenset[int]:
    """The comments whose threads are resolved; none where GitHub does not say."""
    found: set[int] = set()
    after: str | None = None
    repository = thread.repository
    for _ in range(_THREAD_PAGES):
        token = await forge.access.token(repository)
        try:
            answer = await forge.query(
                token,
                THREADS,
                owner=repository.owner,
                name=repository.name,
                number=thread.number,
                after=after,
            )
        except ForgeRefused:
            break
        page = answer["repository"]["pullRequest"]["reviewThreads"]
        for each in page["nodes"]:
            if each["isResolved"]:
                found |= {int(one["fullDatabaseId"]) for one in each["comments"]["nodes"]}
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    return frozenset(found)
