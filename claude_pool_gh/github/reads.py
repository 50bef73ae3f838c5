"""What the bot asks of GitHub before it decides. Every answer becomes a frozen value of ours."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.errors import ForgeRefused, NotFound
from claude_pool_gh.github.intake import body_digest
from claude_pool_gh.terms.ids import Actor, CommentRef, Repository, Thread
from claude_pool_gh.terms.roles import Role

_FILE_LIMIT: Final = 256 * 1024


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


@dataclass(frozen=True, slots=True)
class TrustedFile:
    """A file of the default branch, with the id of its content."""

    path: str
    text: str
    blob: str


async def role_of(forge: Forge, repository: Repository, actor: Actor) -> Role:
    """The live role of a user. Fails closed: whatever is not a clear answer about this very user is `none`."""
    try:
        answer = await forge.read(repository, f"/collaborators/{segment(actor.login)}/permission")
    except ForgeRefused:
        return Role.none
    user = answer.get("user") or {}
    if user.get("id") != actor.id:  # a login can be given up and taken by somebody else
        return Role.none
    return max(Role.named(str(answer.get("role_name"))), Role.named(str(answer.get("permission"))))


async def comment_unchanged(forge: Forge, repository: Repository, comment: CommentRef, digest: str) -> bool:
    """Whether a comment still exists and says what it said when it was delivered."""
    place = "issues" if comment.kind == "issue_comment" else "pulls"
    try:
        now = await forge.read(repository, f"/{place}/comments/{comment.id}")
    except NotFound:
        return False
    return body_digest(now.get("body") or "") == digest


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


async def issue(forge: Forge, thread: Thread) -> Issue:
    """A thread as it is now."""
    answer = await forge.read(thread.repository, f"/issues/{thread.number}")
    return Issue(
        number=int(answer["number"]),
        title=str(answer["title"]),
        body=str(answer.get("body") or ""),
        author=_actor(answer.get("user")),
        open=answer["state"] == "open",
        locked=bool(answer.get("locked")),
        is_pull=answer.get("pull_request") is not None,
        labels=tuple(str(label["name"]) for label in answer.get("labels") or ()),
    )


async def labels(forge: Forge, repository: Repository) -> list[str]:
    """The repository's own labels."""
    return [str(label["name"]) async for label in forge.pages(repository, "/labels")]


async def comments(forge: Forge, thread: Thread, *, last: int = 30) -> list[tuple[Actor, str]]:
    """Who said what in a thread's conversation, the newest of it, oldest first."""
    listing = forge.pages(thread.repository, f"/issues/{thread.number}/comments")
    found = [(_actor(each.get("user")), str(each.get("body") or "")) async for each in listing]
    return found[-last:]


async def merge_base(forge: Forge, repository: Repository, base: str, head: str) -> str:
    """The commit from which `head` went its own way, as GitHub sees it now."""
    answer = await forge.read(repository, f"/compare/{segment(base)}...{segment(head)}", per_page=1)
    return str(answer["merge_base_commit"]["sha"])


async def is_ancestor(forge: Forge, repository: Repository, older: str, newer: str) -> bool:
    """Whether a commit goes on from another one, however many lie between. Not where GitHub no longer knows it."""
    try:
        answer = await forge.read(repository, f"/compare/{segment(older)}...{segment(newer)}", per_page=1)
    except NotFound:
        return False
    return answer["status"] in ("ahead", "identical")


async def branch_head(forge: Forge, repository: Repository, branch: str) -> str:
    """The commit a branch is at now."""
    return str((await forge.read(repository, f"/branches/{segment(branch)}"))["commit"]["sha"])


def _actor(user: Any) -> Actor:
    """An account; `ghost` where it is gone."""
    if not user:
        return Actor(id=10137, login="ghost", is_human=False)
    return Actor(id=int(user["id"]), login=str(user["login"]), is_human=user.get("type") == "User")


async def pull(forge: Forge, thread: Thread) -> Pull:
    """A pull request as it is now."""
    answer = await forge.read(thread.repository, f"/pulls/{thread.number}")
    head_repository = answer["head"].get("repo") or {}
    return Pull(
        number=int(answer["number"]),
        title=str(answer["title"]),
        body=str(answer.get("body") or ""),
        author=_actor(answer.get("user")),
        open=answer["state"] == "open",
        draft=bool(answer.get("draft")),
        head=str(answer["head"]["sha"]),
        head_ref=str(answer["head"]["ref"]),
        head_repository_id=head_repository.get("id"),
        base_ref=str(answer["base"]["ref"]),
        base=str(answer["base"]["sha"]),
    )


async def default_branch(forge: Forge, repository: Repository) -> str:
    """The branch from which configuration, recipes and guidance come."""
    return str((await forge.read(repository, ""))["default_branch"])


async def trusted_file(
    forge: Forge, repository: Repository, branch: str | None, path: str
) -> TrustedFile | None:
    """A text file of the default branch; None when there is none. Never called with a pull request's head."""
    where = "/".join(segment(part) for part in path.split("/"))
    try:
        answer = await forge.read(repository, f"/contents/{where}", ref=branch)
    except NotFound:
        return None
    if not isinstance(answer, dict) or answer.get("type") != "file" or answer.get("size", 0) > _FILE_LIMIT:
        return None
    text = base64.b64decode(answer.get("content") or "").decode(errors="replace")
    return TrustedFile(path, text, str(answer["sha"]))


async def commit_messages(forge: Forge, thread: Thread) -> list[tuple[str, str]]:
    """Id and message of the first hundred commits of a pull request, oldest first."""
    found = await forge.read(thread.repository, f"/pulls/{thread.number}/commits", per_page=100)
    return [(str(each["sha"]), str(each["commit"]["message"])) for each in found]


async def failed_checks(forge: Forge, repository: Repository, commit: str) -> list[str]:
    """Names of the check runs that failed at a commit; none where the App may not read checks."""
    try:
        answer = await forge.read(repository, f"/commits/{commit}/check-runs", per_page=100)
    except ForgeRefused:
        return []
    return [str(run["name"]) for run in answer["check_runs"] if run.get("conclusion") == "failure"]


async def issue_text(forge: Forge, repository: Repository, number: int) -> tuple[str, str] | None:
    """Title and body of an issue; None when there is none that we may see."""
    try:
        issue: dict[str, Any] = await forge.read(repository, f"/issues/{number}")
    except ForgeRefused:
        return None
    return str(issue["title"]), str(issue.get("body") or "")
