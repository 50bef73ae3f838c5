"""The questions that the bot asks GitHub before it decides. Every answer becomes a frozen value of ours."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

from claude_pool_gh.github.access import LOOKING_AT_WORKFLOWS
from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.client import checked
from claude_pool_gh.github.command_request import body_digest
from claude_pool_gh.github.errors import ForgeRefused, NotFound, Unreadable
from claude_pool_gh.terms.ids import Actor, CommentRef, Repository, ReviewRef, Thread
from claude_pool_gh.terms.roles import Role

logger = logging.getLogger(__name__)

_LISTED_AT_MOST: Final = 1_000
"""Entries of a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull request as it is now."""

    number: int
    title: str
    body: str
    author: Actor
    open: bool
    draft: bool
    head: str
    head_ref: str
    head_repository_id: int | None
    """None when the fork was deleted."""
    base_ref: str
    base: str


@checked
async def role_of(forge: Forge, repository: Repository, actor: Actor) -> Role:
    """The live role of a user. Fails closed: whatever is not a clear answer about this very user is `none`."""
    try:
        return _role(
            await forge.read(repository, f"/collaborators/{segment(actor.login)}/permission"), actor
        )
    except ForgeRefused:
        return Role.none
    except Unreadable as error:
        logger.warning("no clear role: %s", error, extra={"action": "role_unreadable"})
        return Role.none


def _role(answer: Any, actor: Actor) -> Role:
    match answer:
        # A login can be given up and taken by somebody else.
        case {"user": {"id": int(id_)}} if id_ == actor.id:
            return max(
                Role.named(str(answer.get("role_name"))), Role.named(str(answer.get("permission")))
            )
        case _:
            return Role.none


BY_MAIL: Final = """
query CreatedViaEmail($id: ID!) {
  node(id: $id) {
    __typename
    ... on IssueComment { id createdViaEmail }
    ... on PullRequestReviewComment { id createdViaEmail }
    ... on PullRequestReview { id createdViaEmail }
  }
}
"""


@checked
async def unchanged(
    forge: Forge, thread: Thread, source: CommentRef | ReviewRef, digest: str
) -> str | None:
    """GraphQL's id of a comment or review, if it still says what it said when it was delivered. Raises NotFound."""
    now = await forge.read(thread.repository, _path(thread, source))
    node, body = str(now["node_id"]), now["body"] or ""
    return node if body_digest(body) == digest else None


def _path(thread: Thread, source: CommentRef | ReviewRef) -> str:
    match source.kind:
        case "review":
            return f"/pulls/{thread.number}/reviews/{source.id}"
        case "issue_comment":
            return f"/issues/comments/{source.id}"
        case "review_comment":
            return f"/pulls/comments/{source.id}"


@checked
async def came_by_mail(forge: Forge, repository: Repository, node: str) -> bool:
    """True where a comment or review was sent as an answer to a mail. Where GitHub does not say, it may have been."""
    try:
        answer = await forge.query(await forge.access.token(repository), BY_MAIL, id=node)
    except ForgeRefused:
        return True
    return bool((answer.get("node") or {}).get("createdViaEmail", True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An issue, or what a pull request shares with issues, as it is now."""

    number: int
    title: str
    body: str
    author: Actor
    open: bool
    locked: bool
    is_pull: bool
    labels: tuple[str, ...]


@checked
async def issue(forge: Forge, thread: Thread) -> Issue:
    """A thread as it is now."""
    answer = await forge.read(thread.repository, f"/issues/{thread.number}")
    return Issue(
        number=int(answer["number"]),
        title=str(answer["title"]),
        body=str(answer.get("body") or ""),
        author=actor_of(answer.get("user")),
        open=answer["state"] == "open",
        locked=bool(answer.get("locked")),
        is_pull=answer.get("pull_request") is not None,
        labels=tuple(str(label["name"]) for label in answer.get("labels") or ()),
    )


@checked
async def labels(forge: Forge, repository: Repository) -> list[tuple[str, str]]:
    """The repository's own labels, each with its description."""
    return [
        (str(label["name"]), str(label.get("description") or ""))
        async for label in forge.pages(repository, "/labels")
    ]


@checked
async def merge_base(forge: Forge, repository: Repository, base: str, head: str) -> str:
    """The commit from which `head` went its own way, as GitHub sees it now."""
    answer = await forge.read(repository, f"/compare/{segment(base)}...{segment(head)}", per_page=1)
    return str(answer["merge_base_commit"]["sha"])


@checked
async def is_ancestor(forge: Forge, repository: Repository, older: str, newer: str) -> bool:
    """True where a commit goes on from another one, however many lie between."""
    path = f"/compare/{segment(older)}...{segment(newer)}"
    answer = await forge.read(repository, path, per_page=1)
    return answer["status"] in ("ahead", "identical")


@checked
async def object_id(forge: Forge, repository: Repository, commit: str, path: str) -> str:
    """The id of a file's or folder's content at a commit, the whole tree's for ""; "" where there is none.

    The commit's own where GitHub does not list all of its folder: at another commit it may be other content.
    """
    if not path:
        return str((await forge.read(repository, f"/commits/{commit}"))["commit"]["tree"]["sha"])
    folder = "/".join(segment(part) for part in path.split("/")[:-1])
    try:
        listed = await forge.read(repository, f"/contents/{folder}", ref=commit)
    except NotFound:
        return ""
    found = listed if isinstance(listed, list) else []
    unlisted = commit if len(found) >= _LISTED_AT_MOST else ""
    return next((str(each["sha"]) for each in found if each["path"] == path), unlisted)


@checked
async def workflow_state(forge: Forge, repository: Repository, file: str) -> str:
    """GitHub's word for the state of an Actions workflow, by the name of its file; "" where there is none."""
    path = f"/actions/workflows/{segment(file)}"
    try:
        answer = await forge.call_once("GET", repository, path, LOOKING_AT_WORKFLOWS)
    except NotFound:
        return ""
    return str(answer["state"])


@checked
async def branch_head(forge: Forge, repository: Repository, branch: str) -> str:
    """The commit a branch is at now."""
    return str((await forge.read(repository, f"/branches/{segment(branch)}"))["commit"]["sha"])


GHOST: Final = Actor(id=10137, login="ghost", is_human=False)
"""Whoever wrote it has no account any more."""


def actor_of(user: Any) -> Actor:
    """An account; `ghost` where it is gone."""
    if not user:
        return GHOST
    return Actor(id=int(user["id"]), login=str(user["login"]), is_human=user.get("type") == "User")


@checked
async def pull(forge: Forge, thread: Thread) -> Pull:
    """A pull request as it is now."""
    answer = await forge.read(thread.repository, f"/pulls/{thread.number}")
    head_repository = answer["head"].get("repo") or {}
    return Pull(
        number=int(answer["number"]),
        title=str(answer["title"]),
        body=str(answer.get("body") or ""),
        author=actor_of(answer.get("user")),
        open=answer["state"] == "open",
        draft=bool(answer.get("draft")),
        head=str(answer["head"]["sha"]),
        head_ref=str(answer["head"]["ref"]),
        head_repository_id=head_repository.get("id"),
        base_ref=str(answer["base"]["ref"]),
        base=str(answer["base"]["sha"]),
    )


@checked
async def default_branch(forge: Forge, repository: Repository) -> str:
    """The branch from which configuration, recipes and guidance come."""
    return str((await forge.read(repository, ""))["default_branch"])


@checked
async def commit_messages(forge: Forge, thread: Thread) -> list[tuple[str, str]]:
    """Id and message of the first hundred commits of a pull request, oldest first."""
    found = await forge.read(thread.repository, f"/pulls/{thread.number}/commits", per_page=100)
    return [(str(each["sha"]), str(each["commit"]["message"])) for each in found]


@checked
async def issue_text(forge: Forge, repository: Repository, number: int) -> tuple[str, str] | None:
    """Title and body of an issue; None when there is none that we may see."""
    try:
        issue: dict[str, Any] = await forge.read(repository, f"/issues/{number}")
    except ForgeRefused:
        return None
    return str(issue["title"]), str(issue.get("body") or "")
