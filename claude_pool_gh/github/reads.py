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
    author: str
    open: bool
    draft: bool
    head: str
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


async def is_pull(forge: Forge, thread: Thread) -> bool:
    """Whether a thread is a pull request."""
    issue = await forge.read(thread.repository, f"/issues/{thread.number}")
    return issue.get("pull_request") is not None


async def pull(forge: Forge, thread: Thread) -> Pull:
    """A pull request as it is now."""
    answer = await forge.read(thread.repository, f"/pulls/{thread.number}")
    head_repository = answer["head"].get("repo") or {}
    return Pull(
        number=int(answer["number"]),
        title=str(answer["title"]),
        body=str(answer.get("body") or ""),
        author=str((answer.get("user") or {}).get("login", "ghost")),
        open=answer["state"] == "open",
        draft=bool(answer.get("draft")),
        head=str(answer["head"]["sha"]),
        head_repository_id=head_repository.get("id"),
        base_ref=str(answer["base"]["ref"]),
        base=str(answer["base"]["sha"]),
    )


async def default_branch(forge: Forge, repository: Repository) -> str:
    """The branch from which configuration, recipes and guidance come."""
    return str((await forge.read(repository, ""))["default_branch"])


async def trusted_file(forge: Forge, repository: Repository, branch: str, path: str) -> TrustedFile | None:
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
    """Names of the check runs that failed at a commit."""
    answer = await forge.read(repository, f"/commits/{commit}/check-runs", per_page=100)
    return [str(run["name"]) for run in answer["check_runs"] if run.get("conclusion") == "failure"]


async def issue_text(forge: Forge, repository: Repository, number: int) -> tuple[str, str] | None:
    """Title and body of an issue; None when there is none that we may see."""
    try:
        issue: dict[str, Any] = await forge.read(repository, f"/issues/{number}")
    except ForgeRefused:
        return None
    return str(issue["title"]), str(issue.get("body") or "")
