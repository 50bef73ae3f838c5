"""Keeps what came in: deliveries, their commands, and the names that repositories have now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.command_states import COMMAND
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.github.intake import Found
from claude_pool_gh.github.repository_events import RepositoryEvent
from claude_pool_gh.github.tables import commands, deliveries, repositories
from claude_pool_gh.storage import Transaction, insert_once, inserting
from claude_pool_gh.terms.ids import Repository


def take_in(
    tx: Transaction,
    delivery: VerifiedDelivery,
    found: Found,
    now_ms: int,
    told: Callable[[Transaction, RepositoryEvent], None] = lambda _tx, _news: None,
) -> int:
    """Make a delivery, its commands and its events durable; how many commands were new.

    A GUID is stored with its work, so one whose first attempt died before the commit is taken in again. `told` gets
    each of the events, in the same transaction; hearing it twice must do no harm.
    """
    row = {"guid": delivery.guid, "event": delivery.event[:64], "received_ms": now_ms}
    insert_once(tx, deliveries, row | {"action": str(delivery.payload.get("action"))[:64]})
    for each in found.events:
        told(tx, each)
    return sum(store(tx, named(request, delivery), now_ms) for request in found.requests)


def named(request: CommandRequest, delivery: VerifiedDelivery) -> CommandRequest:
    """A command with the delivery that brought it."""
    return request.model_copy(update={"delivery": delivery.guid})


def remember_repository(tx: Transaction, repository: Repository, state: str = "active") -> None:
    """Keep a repository's present names, by its number: it may have been renamed or transferred."""
    tx.execute(_naming(tx.dialect.name), repository.model_dump() | {"state": state})


@cache
def _naming(dialect: str) -> sa.Insert:
    """Insert a repository, or let the one that is there have other names or another state, if it has."""
    insert = inserting(repositories, dialect)
    news = {name: insert.excluded[name] for name in ("owner", "name", "installation_id", "state")}
    return insert.on_conflict_do_update(
        index_elements=[repositories.c.id],
        set_=news,
        where=sa.or_(*(repositories.c[name] != new for name, new in news.items())),
    )


def active_repositories(tx: Transaction) -> list[Repository]:
    """The repositories that can be reached, under their present names."""
    rows = tx.execute(
        sa.select(repositories).where(repositories.c.state == "active").order_by(repositories.c.id)
    )
    return [
        Repository(id=row.id, owner=row.owner, name=row.name, installation_id=row.installation_id)
        for row in rows
    ]


def known_repository(tx: Transaction, repository_id: int) -> Repository | None:
    """A repository under its present names."""
    row = tx.execute(
        sa.select(repositories).where(repositories.c.id == repository_id)
    ).one_or_none()
    if row is None:
        return None
    return Repository(
        id=row.id, owner=row.owner, name=row.name, installation_id=row.installation_id
    )


def store(tx: Transaction, request: CommandRequest, now_ms: int) -> bool:
    """Make a command durable with its repository. False when it was known."""
    remember_repository(tx, request.thread.repository)
    values: Mapping[str, Any] = {
        "key": request.key,
        "state": COMMAND.first,
        "thread": f"{request.thread.repository.id}:{request.thread.number}",
        "actor_id": request.actor.id,
        "line": request.line,
        "request": request.model_dump(mode="json"),
        "tries": 0,
        "due_ms": now_ms,
        "received_ms": now_ms,
    }
    return insert_once(tx, commands, values)
