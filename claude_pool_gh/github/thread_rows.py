"""The facts that events have told of threads and repositories: hints, never ground for a decision."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.github.tables import repositories, threads
from claude_pool_gh.storage import Transaction, insert_once
from claude_pool_gh.terms.ids import Repository


@dataclass(frozen=True, slots=True)
class KnownThread:
    """A thread as events have told it last."""

    head: str
    """"" where nothing is known."""
    open: bool
    base: str = ""
    """The branch that a pull request goes into; "" where nothing was told of it since it was last asked."""


def known(tx: Transaction, key: str) -> KnownThread | None:
    """The facts that are known of a thread; None where there are none."""
    row = tx.execute(sa.select(threads).where(threads.c.key == key)).one_or_none()
    return None if row is None else KnownThread(row.head or "", row.open, row.base or "")


def note(
    tx: Transaction, key: str, *, head: str = "", base: str = "", is_open: bool | None = True
) -> None:
    """A thread is open or closed now (None: not told) and, unless they are empty, has this head and base."""
    told: dict[str, Any] = {"head": head, "base": base, "open": is_open}
    told = {name: value for name, value in told.items() if value not in ("", None)}
    if not insert_once(tx, threads, {"key": key, **told}) and told:
        tx.execute(threads.update().where(threads.c.key == key).values(**told))


def repository(tx: Transaction, repository_id: int) -> Repository:
    """A repository that deliveries have named."""
    row = tx.execute(sa.select(repositories).where(repositories.c.id == repository_id)).one()
    return Repository(
        id=row.id, owner=row.owner, name=row.name, installation_id=row.installation_id
    )


def is_reachable(tx: Transaction, repository_id: int) -> bool:
    """True where nothing was told that keeps us from writing in a repository."""
    state = sa.select(repositories.c.state).where(repositories.c.id == repository_id)
    return tx.execute(state).scalar_one_or_none() in (None, "active")


def mark_removed(tx: Transaction, repository_ids: Collection[int]) -> None:
    """These repositories were taken from their installation."""
    own = repositories.c.id.in_(repository_ids)
    tx.execute(repositories.update().where(own).values(state="removed"))


def mark_installation(tx: Transaction, installation_id: int, state: str) -> None:
    """An installation is active again, suspended or removed, with its repositories."""
    own = repositories.c.installation_id == installation_id
    if state == "active":  # of the others, only those come back that were suspended with it
        own = sa.and_(own, repositories.c.state == "suspended")
    tx.execute(repositories.update().where(own).values(state=state))


def of_installation(tx: Transaction, installation_id: int) -> tuple[int, ...]:
    """The ids of an installation's repositories."""
    own = sa.select(repositories.c.id).where(repositories.c.installation_id == installation_id)
    return tuple(tx.execute(own).scalars())
