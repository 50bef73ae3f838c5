"""The latest events, for the message of a wait that was in vain."""

from __future__ import annotations

from collections.abc import Sequence

from claude_pool_gh.rehearsal.github.state.world import World
from claude_pool_gh.rehearsal.github.web.journal import Request

MOST = 15


def tell_recent(world: World, requests: Sequence[Request]) -> str:
    """The last requests, deliveries and comments in a few lines."""
    lines = ["last requests:"]
    lines += [
        f"  {one.method} {one.path} -> {one.status} ({one.actor})" for one in requests[-MOST:]
    ]
    lines.append("last deliveries:")
    for delivery in world.deliveries[-MOST:]:
        name = ".".join(part for part in (delivery.event, delivery.action) if part)
        lines.append(
            f"  {name} -> {delivery.state} {delivery.status_code} {delivery.response_body[:200]}"
        )
    lines.append("last comments:")
    everything = [
        comment
        for repository in world.repositories.values()
        for thread in repository.threads.values()
        for comment in thread.comments
    ]
    for comment in sorted(everything, key=lambda one: one.id)[-MOST:]:
        lines.append(f"  #{comment.issue.number} {comment.author.login}: {comment.body[:300]!r}")
    return "\n".join(lines)
