"""What happened lately, for the message of a wait that was in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from claude_pool_gh.rehearsal.github.server import SimulatedGitHub

MOST = 15


def tell_recent(github: SimulatedGitHub) -> str:
    """The last requests, deliveries and comments in a few lines."""
    lines = ["last requests:"]
    lines += [f"  {one.method} {one.path} -> {one.status} ({one.actor})" for one in github.requests[-MOST:]]
    lines.append("last deliveries:")
    for delivery in github.deliveries[-MOST:]:
        name = ".".join(part for part in (delivery.event, delivery.action) if part)
        lines.append(f"  {name} -> {delivery.state} {delivery.status_code} {delivery.response_body[:200]}")
    lines.append("last comments:")
    everything = [
        comment
        for repository in github.world.repositories.values()
        for thread in repository.threads.values()
        for comment in thread.comments
    ]
    for comment in sorted(everything, key=lambda one: one.id)[-MOST:]:
        lines.append(f"  #{comment.issue.number} {comment.author.login}: {comment.body[:300]!r}")
    return "\n".join(lines)
