"""How each kind of effect is made, changed and found again on GitHub."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.kinds import CheckRun, Comment, Reaction, Reply, Review
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.github.errors import ForgeRefused, NotFound


class Deleted(Exception):
    """What stood was deleted by a person."""


async def make(forge: Forge, row: EffectRow) -> int | None:
    """Make the effect for the first time; its id on GitHub."""
    match row.effect:
        case Comment() | Reply():
            body = {"body": f"{row.effect.body}\n\n{row.marker}"}
            path = f"/issues/{row.effect.number}/comments"
            return int((await forge.call("POST", row.repository, path, body))["id"])
        case Reaction():
            await forge.call("POST", row.repository, _reactions(row.effect), {"content": row.effect.content})
            return None
        case CheckRun():
            body = _check(row.effect) | {"head_sha": row.effect.head, "external_id": row.key}
            return int((await forge.call("POST", row.repository, "/check-runs", body))["id"])
        case Review():
            return await _review(forge, row, row.effect)


async def change(forge: Forge, row: EffectRow, remote_id: int) -> None:
    """Bring what stands to the wanted content. Raises Deleted."""
    try:
        match row.effect:
            case Comment():
                body = {"body": f"{row.effect.body}\n\n{row.marker}"}
                await forge.call("PATCH", row.repository, f"/issues/comments/{remote_id}", body)
            case CheckRun():
                await forge.call("PATCH", row.repository, f"/check-runs/{remote_id}", _check(row.effect))
            case Reply() | Reaction() | Review():
                return
    except NotFound as error:
        raise Deleted from error


async def find(forge: Forge, row: EffectRow) -> int | None:
    """The id of what an earlier attempt made, if it did: by our marker or external id, and our own author."""
    match row.effect:
        case Comment() | Reply():
            listing = f"/issues/{row.effect.number}/comments"
            return await _by_marker(forge, row, listing)
        case Review():
            return await _by_marker(forge, row, f"/pulls/{row.effect.number}/reviews")
        case CheckRun():
            path = f"/commits/{row.effect.head}/check-runs"
            runs = forge.pages(
                row.repository, path, key="check_runs", check_name=row.effect.name, filter="all"
            )
            return await _first(runs, lambda run: run.get("external_id") == row.key)
        case Reaction():
            return None


async def _by_marker(forge: Forge, row: EffectRow, listing: str) -> int | None:
    own = await forge.access.own_id(row.repository)

    def is_ours(item: Any) -> bool:
        author = (item.get("user") or {}).get("id")
        return author == own and row.marker in (item.get("body") or "")

    return await _first(forge.pages(row.repository, listing), is_ours)


async def _first(items: Any, wanted: Callable[[Any], bool]) -> int | None:
    async for item in items:
        if wanted(item):
            return int(item["id"])
    return None


async def _review(forge: Forge, row: EffectRow, review: Review) -> int:
    path = f"/pulls/{review.number}/reviews"
    comments = [_inline(comment) for comment in review.comments]
    body = {"commit_id": review.commit, "event": "COMMENT", "body": f"{review.body}\n\n{row.marker}"}
    try:
        made = await forge.call("POST", row.repository, path, body | {"comments": comments})
    except ForgeRefused as error:
        if error.status != 422 or not review.fallback:
            raise
        # GitHub makes all comments or none; what cannot stand at its line still deserves to be read.
        whole = {"event": "COMMENT", "body": f"{review.fallback}\n\n{row.marker}"}
        made = await forge.call("POST", row.repository, path, whole)
    return int(made["id"])


def _inline(comment: Any) -> dict[str, Any]:
    place = {"path": comment.path, "body": comment.body, "line": comment.line, "side": "RIGHT"}
    if comment.start_line is not None and comment.start_line < comment.line:
        place |= {"start_line": comment.start_line, "start_side": "RIGHT"}
    return place


def _check(check: CheckRun) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": check.name,
        "status": check.status,
        "output": {"title": check.title, "summary": check.summary},
    }
    return body | ({"conclusion": check.conclusion} if check.conclusion else {})


def _reactions(reaction: Reaction) -> str:
    place = "issues" if reaction.comment.kind == "issue_comment" else "pulls"
    return f"/{place}/comments/{reaction.comment.id}/reactions"
