"""The discussion in a thread, as its page shows it: comments, reviews, and the threads on lines of the diff.

Invariant: what a maintainer has hidden on the page does not leave this module.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import stamina

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.client import checked, sorted_errors
from claude_pool_gh.github.effects.threads import THREADS
from claude_pool_gh.github.errors import ForgeError, ForgeUnavailable, NotFound, RateLimited
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
_BADGES: Final = {"OWNER": "owner", "MEMBER": "member", "COLLABORATOR": "collaborator"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One text by one person."""

    id: int
    author: Actor
    text: str
    """As it was written, in Markdown."""
    at: str
    """When, in GitHub's form, which sorts as text."""
    node: str = ""
    badge: str = ""
    """What the page says of the author's relation to the repository: `owner`, `member`, `collaborator`."""
    is_comment: bool = False
    """It stands in the conversation itself, not in a review or on lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedReview:
    """A submitted review."""

    said: Message
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
    said: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discussion:
    """All of it, oldest first."""

    comments: tuple[Message, ...] = ()
    reviews: tuple[SubmittedReview, ...] = ()
    threads: tuple[LineThread, ...] = ()
    beyond: int = 0
    """How many older ones were left out."""
    unknown: int = 0
    """How many were left out because GitHub did not say whether the page shows them."""

    def thread(self, root: int) -> LineThread | None:
        """The thread that a comment began."""
        return next((each for each in self.threads if each.root == root), None)


@checked
async def discussion(
    forge: Forge, thread: Thread, *, is_pull: bool, root: int | None = None
) -> Discussion:
    """The discussion that a thread's page shows. The inline thread that `root` began is always among it."""
    number = thread.number
    every = [each async for each in forge.pages(thread.repository, f"/issues/{number}/comments")]
    comments = [_said(each, is_comment=True) for each in every[-_LAST:]]
    beyond, reviews, threads = (
        len(every) - len(comments),
        list[SubmittedReview](),
        list[LineThread](),
    )
    if is_pull:
        found = [each async for each in forge.pages(thread.repository, f"/pulls/{number}/reviews")]
        told = [each for each in found if each.get("body") and each.get("state") != "PENDING"]
        reviews = [
            SubmittedReview(said=_said(each), state=str(each["state"])) for each in told[-_LAST:]
        ]
        lines = [each async for each in forge.pages(thread.repository, f"/pulls/{number}/comments")]
        grouped = by_thread(lines)
        threads = [each for each in grouped if each in grouped[-_LAST:] or each.root == root]
        beyond += len(told) - len(reviews) + len(grouped) - len(threads)
    said = [*comments, *(each.said for each in reviews), *_all_said(threads)]
    known = await _known(forge, thread, said)
    resolved = await _resolved(forge, thread) if threads else frozenset()
    every_thread = [_shown(each, known, resolved) for each in threads]
    return Discussion(
        comments=tuple(each for each in comments if each.node in known.shown),
        reviews=tuple(each for each in reviews if each.said.node in known.shown),
        threads=tuple(each for each in every_thread if each.said or each.root == root),
        beyond=beyond,
        unknown=len({each.node for each in said} - known.shown - known.hidden),
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


def _shown(thread: LineThread, known: _Known, resolved: frozenset[int]) -> LineThread:
    """A thread without what is hidden in it."""
    said = tuple(each for each in thread.said if each.node in known.shown)
    return replace(thread, said=said, resolved=thread.root in resolved)


def _all_said(threads: Iterable[LineThread]) -> list[Message]:
    return [said for thread in threads for said in thread.said]


def _said(answer: Any, *, is_comment: bool = False) -> Message:
    return Message(
        id=int(answer["id"]),
        author=actor_of(answer.get("user")),
        text=str(answer.get("body") or ""),
        at=str(answer.get("created_at") or answer.get("submitted_at") or ""),
        node=str(answer.get("node_id") or ""),
        badge=_BADGES.get(str(answer.get("author_association")), ""),
        is_comment=is_comment,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """The comments of which GitHub says that they are shown. Of the rest it said nothing, or they are hidden."""

    shown: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()


async def _known(forge: Forge, thread: Thread, said: Sequence[Message]) -> _Known:
    """Which of these the page shows: only the GraphQL API tells. What it does not answer for counts as hidden."""
    nodes = [each.node for each in said if each.node]
    parts = [nodes[begin : begin + _NODES_LIMIT] for begin in range(0, len(nodes), _NODES_LIMIT)]
    found = [await _asked(forge, thread, part) for part in parts]
    return _Known(
        frozenset[str]().union(*(each.shown for each in found)),
        frozenset[str]().union(*(each.hidden for each in found)),
    )


async def _asked(forge: Forge, thread: Thread, nodes: Sequence[str]) -> _Known:
    try:
        answer = await _which_are_hidden(forge, thread, nodes)
    except NotFound:  # one of them was deleted meanwhile: the others are asked for without it
        if len(nodes) == 1:
            return _Known(hidden=frozenset(nodes))
        halves = nodes[: len(nodes) // 2], nodes[len(nodes) // 2 :]
        first, second = [await _asked(forge, thread, half) for half in halves]
        return _Known(first.shown | second.shown, first.hidden | second.hidden)
    except ForgeError as error:
        logger.warning(
            "hidden comments are not known: %s", error, extra={"action": "hidden_unknown"}
        )
        return _Known()
    told = [each for each in answer["nodes"] if each and "isMinimized" in each]
    return _Known(
        frozenset(str(each["id"]) for each in told if not each["isMinimized"]),
        frozenset(str(each["id"]) for each in told if each["isMinimized"]),
    )


@stamina.retry(
    on=(ForgeUnavailable, RateLimited), attempts=3, timeout=None, wait_initial=0.5, wait_jitter=0.2
)
async def _which_are_hidden(forge: Forge, thread: Thread, nodes: Sequence[str]) -> Any:
    token = await forge.access.token(thread.repository)
    return await forge.query(token, HIDDEN, ids=list(nodes))


async def _resolved(forge: Forge, thread: Thread) -> frozenset[int]:
    """The comments whose threads are resolved; none where GitHub does not say."""
    found: set[int] = set()
    after: str | None = None
    repository = thread.repository
    for _ in range(_THREAD_PAGES):
        token = await forge.access.token(repository)
        try:
            with sorted_errors():
                answer = await forge.query(
                    token,
                    THREADS,
                    owner=repository.owner,
                    name=repository.name,
                    number=thread.number,
                    after=after,
                )
                page = answer["repository"]["pullRequest"]["reviewThreads"]
                resolved = [each for each in page["nodes"] if each["isResolved"]]
                found |= {
                    int(one["fullDatabaseId"])
                    for each in resolved
                    for one in each["comments"]["nodes"]
                }
                goes_on, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        except ForgeError:
            break
        if not goes_on:
            break
    return frozenset(found)
