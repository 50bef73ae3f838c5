"""Which chains are whose: a chain belongs to the pool of a name and, where agents work in a folder, of that folder.

So what was submitted from one folder never runs in another: not after a restart elsewhere, and not where two programs
share a store.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import sqlalchemy as sa

from claude_pool_gh.pool.model.errors import NoWorkspace
from claude_pool_gh.pool.model.plan import WorkspaceSpec
from claude_pool_gh.pool.model.states import OPEN
from claude_pool_gh.pool.store.tables import chains
from claude_pool_gh.storage import Transaction


def queue_of(name: str, folder: Path | None) -> str:
    """Under which name a pool's chains are queued, taken up and ended when overdue."""
    return name if folder is None else f"{name}@{sha256(str(folder).encode()).hexdigest()[:16]}"


def adopt(tx: Transaction, name: str, queue: str) -> None:
    """Take what versions before this one queued under the name alone: nobody else would take it up any more.

    Its plan says of no folder where it belongs, so it goes where that version would have run it: here.
    """
    if name == queue:
        return
    workspace = chains.c.plan["workspace"]
    nowhere = sa.and_(
        workspace["folder"].as_string().is_(None), workspace["isolation"].as_string().is_not(None)
    )
    old = sa.and_(chains.c.pool == name, chains.c.state.in_(OPEN), nowhere)
    tx.execute(chains.update().where(old).values(pool=queue))


def elsewhere(tx: Transaction, name: str, queue: str) -> dict[str, int]:
    """The unfinished chains of a pool's name by their other folders: whoever opens it here runs none of them.

    Folders by their full names.
    """
    others = sa.and_(chains.c.pool.startswith(f"{name}@", autoescape=True), chains.c.pool != queue)
    folder = chains.c.plan["workspace"]["folder"].as_string()
    found = (
        sa.select(folder, sa.func.count()).where(others, chains.c.state.in_(OPEN)).group_by(folder)
    )
    return {str(where): int(count) for where, count in tx.execute(found).all()}


def check(spec: WorkspaceSpec, folder: Path) -> None:
    """Raises NoWorkspace where a plan says another folder than this one."""
    if spec.folder is not None and Path(spec.folder) != folder:
        raise NoWorkspace(
            f"this was submitted to work in {spec.folder}, and this pool works in {folder}: open one in that folder"
        )
