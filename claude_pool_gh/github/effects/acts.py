"""How each kind of effect is made, changed and found again on GitHub."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.effects import pushes, reactions, reviews, threads
from claude_pool_gh.github.effects.kinds import (
    CheckRun,
    Comment,
    Labels,
    Proposal,
    Push,
    Reaction,
    Reply,
    Review,
    Settled,
)
from claude_pool_gh.github.effects.marks import ours
from claude_pool_gh.github.effects.rows import EffectRow, marker
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable, NotFound
from claude_pool_gh.terms.ids import Repository

_STATES: Final = {"success": "success", "neutral": "success", "skipped": "success", "failure": "failure"}
_DESCRIPTION_LIMIT: Final = 140
_RESOLVE_TRIES: Final = 5
"""How often a thread is tried to be resolved where GitHub only fails; after that its comment is folded instead."""
_ISO: Final = "%Y-%m-%dT%H:%M:%SZ"


class Deleted(Exception):
    """What stood was deleted by a person."""


async def make(forge: Forge, row: EffectRow) -> int | None:
    """Make the effect for the first time; its id on GitHub."""
    repository, effect = row.repository, row.effect
    match effect:
        case Comment():
            return await _post(
                forge, repository, f"/issues/{effect.number}/comments", _marked(row, effect.body)
            )
        case Reply():
            return await _reply(forge, row, effect)
        case Reaction():
            return await reactions.react(forge, row, effect)
        case Labels():
            await forge.call(
                "POST", repository, f"/issues/{effect.number}/labels", {"labels": list(effect.names)}
            )
            return None
        case CheckRun():
            return await _check_run(forge, row, effect)
        case Review():
            return await reviews.post(forge, row, effect)
        case Settled():
            return await _settle(forge, row, effect)
        case Push():
            return await pushes.push(forge, repository, effect)
        case Proposal():
            return await pushes.propose(forge, repository, effect)


async def change(forge: Forge, row: EffectRow, remote_id: int) -> int:
    """Bring what stands to the wanted content; the id that it has now. Raises Deleted."""
    try:
        match row.effect:
            case Comment():
                body = _marked(row, row.effect.body)
                await forge.call("PATCH", row.repository, f"/issues/comments/{remote_id}", body)
            case CheckRun():
                await forge.call("PATCH", row.repository, f"/check-runs/{remote_id}", _check(row.effect))
            case Reaction():
                return await reactions.react(forge, replace(row, remote_id=remote_id), row.effect)
            case Reply():
                await _replace(forge, row.repository, row.effect)
            case Labels() | Review() | Settled() | Push() | Proposal():
                pass
    except NotFound as error:
        await _see(forge, row.repository)
        raise Deleted from error
    return remote_id


async def _see(forge: Forge, repository: Repository) -> None:
    """Raises ForgeUnavailable where the whole repository is out of reach: nothing in it was deleted by a person."""
    try:
        await forge.read(repository, "")
    except ForgeRefused as error:
        raise ForgeUnavailable(f"{repository.full_name} is out of reach") from error


async def find(forge: Forge, row: EffectRow) -> int | None:
    """The id of what an earlier attempt made, if it did: by our marker or external id, and our own author."""
    match row.effect:
        case Comment() | Reply(in_reply_to=None):
            return await _by_marker(forge, row, f"/issues/{row.effect.number}/comments")
        case Reply():
            return await _by_marker(forge, row, f"/pulls/{row.effect.number}/comments")
        case Review():
            return await _by_marker(forge, row, f"/pulls/{row.effect.number}/reviews")
        case CheckRun() if _may_not_check(forge, row.repository):
            return None
        case CheckRun():
            path = f"/commits/{row.effect.head}/check-runs"
            runs = forge.pages(
                row.repository, path, key="check_runs", check_name=row.effect.name, filter="all"
            )
            return await _first(runs, lambda run: run.get("external_id") == row.key)
        case Push():
            return await pushes.find_push(forge, row.repository, row.effect)
        case Proposal():
            return await pushes.find_proposal(forge, row.repository, row.effect)
        case Reaction():
            return await reactions.find(forge, row, row.effect)
        case Labels() | Settled():  # GitHub makes these once, or the act looks for itself
            return None


async def _reply(forge: Forge, row: EffectRow, reply: Reply) -> int:
    path = f"/issues/{reply.number}/comments"
    if reply.in_reply_to is not None:
        path = f"/pulls/{reply.number}/comments/{reply.in_reply_to}/replies"
    made = await _post(forge, row.repository, path, _marked(row, reply.body))
    await _replace(forge, row.repository, reply)
    return made


async def _replace(forge: Forge, repository: Repository, reply: Reply) -> None:
    """Delete the comment that a reply takes the place of; it may be gone already."""
    if reply.replaces is not None:
        with suppress(NotFound):
            await forge.call("DELETE", repository, f"/issues/comments/{reply.replaces}")


def _marked(row: EffectRow, body: str) -> dict[str, str]:
    return {"body": f"{body}\n\n{row.marker}"}


async def _post(forge: Forge, repository: Repository, path: str, body: Any) -> int:
    return int((await forge.call("POST", repository, path, body))["id"])


async def _by_marker(forge: Forge, row: EffectRow, listing: str) -> int | None:
    found = await ours(forge, row.repository, listing, row.marker)
    return None if found is None else int(found["id"])


async def _first(items: Any, wanted: Callable[[Any], bool]) -> int | None:
    async for item in items:
        if wanted(item):
            return int(item["id"])
    return None


async def _settle(forge: Forge, row: EffectRow, settled: Settled) -> int | None:
    """Answer under our inline comment and resolve its thread; where that is not allowed, fold it under a headline."""
    listing = f"/pulls/{settled.number}/comments"
    comment = await ours(forge, row.repository, listing, marker(settled.mark))
    if comment is None:  # never made inline, or deleted by a person
        return None
    if await ours(forge, row.repository, listing, row.marker) is None:
        await _post(forge, row.repository, f"{listing}/{comment['id']}/replies", _marked(row, settled.reply))
    body = str(comment["body"])
    is_resolved = row.tries < _RESOLVE_TRIES and await threads.resolve(
        forge, row.repository, settled.number, int(comment["id"])
    )
    if not is_resolved and not body.startswith(settled.headline):
        folded = (
            f"{settled.headline}\n\n<details><summary>what was reported</summary>\n\n{body}\n\n</details>"
        )
        await forge.call("PATCH", row.repository, f"/pulls/comments/{comment['id']}", {"body": folded})
    return int(comment["id"])


async def _check_run(forge: Forge, row: EffectRow, check: CheckRun) -> int | None:
    body = _check(check) | {"head_sha": check.head, "external_id": row.key}
    try:
        if not _may_not_check(forge, row.repository):
            return await _post(forge, row.repository, "/check-runs", body)
    except ForgeRefused as error:
        if error.status != 403:
            raise
    # The token may not write checks: a commit status says at least the verdict.
    state = _STATES.get(check.conclusion or "", "error") if check.status == "completed" else "pending"
    status = {"state": state, "context": check.name, "description": check.title[:_DESCRIPTION_LIMIT]}
    await forge.call("POST", row.repository, f"/statuses/{segment(check.head)}", status)
    return None


def _may_not_check(forge: Forge, repository: Repository) -> bool:
    """Whether the installation is known not to have been granted checks."""
    lacking = forge.access.lacking(repository)
    return lacking is not None and any(name.startswith("checks:") for name in lacking.permissions)


def _check(check: CheckRun) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": check.name,
        "status": check.status,
        "output": {"title": check.title, "summary": check.summary},
        "actions": [button.model_dump() for button in check.buttons],
    }
    if check.conclusion:
        body["conclusion"] = check.conclusion
        if check.answered_ms is not None:
            body["completed_at"] = datetime.fromtimestamp(check.answered_ms / 1000, UTC).strftime(_ISO)
    return body
