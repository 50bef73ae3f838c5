"""The places where chains started in a shell are stored, and how one of them is found again by its id.

Each `claude-pool-gh chain` has a store of its own below the usual place of its folder, so that any number can run at
once and none goes on because of another. `--state-dir` and `--database-url` name one store in place of these.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Final, TypeVar

import click
from filelock import FileLock, Timeout

from claude_pool_gh.local import usual_state
from claude_pool_gh.pool.model.errors import UnknownChain
from claude_pool_gh.pool.model.ids import new_id
from claude_pool_gh.pool.store import chains, listing
from claude_pool_gh.service.existing_database import NoPoolDatabase, existing_database
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.service.shell.terminal import print_note
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.worktrees.checkouts.removal import remove

KEPT_SECONDS: Final = 14 * 86_400
"""How long the store of a chain that has ended is kept: so long it can be shown, continued and retried."""
_FILE: Final = "pool.sqlite"
_CHAINS: Final = "chains"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Store:
    """One pool's database."""

    url: str
    state: Path | None
    """The folder that it is in, with worktrees and conversations; None where an address was given."""
    named: bool = False
    """Whether it is the one that was asked for, so that it has to be there."""

    @property
    def is_busy(self) -> bool:
        """True where a process runs chains from it now; False for PostgreSQL, where that needs no lock."""
        if self.state is None or not (lock := self.state / f"{_FILE}.lock").exists():
            return False
        try:
            with FileLock(lock, timeout=0, mode=0o600):
                return False
        except Timeout:
            return True

    async def look(self, question: Callable[[Transaction], T]) -> T:
        """Read from it. Raises ClickException where it is not there, or cannot be reached."""
        with self.opened() as database:
            return await database.read(question)

    async def look_beside_others(self, question: Callable[[Transaction], T]) -> T | None:
        """As `look`; None where it was not named and cannot be read, so that the others still can be.

        That it holds no pool's database is no news: its process begins now, or died as it began.
        """
        try:
            return await self.look(question)
        except click.ClickException as error:
            if self.named:
                raise
            if not isinstance(error, NoPoolDatabase):
                print_note(error.message)
            return None

    async def change(self, work: Callable[[Transaction], T]) -> T:
        """Decide in it, in one transaction. Raises ClickException as `look`, and what the work raises."""
        with self.opened() as database:
            return await database.transact(work)

    @contextmanager
    def opened(self) -> Iterator[Database]:
        """Open it for the length of a block. Raises ClickException."""
        database = existing_database(self.url)
        try:
            yield database
        finally:
            database.close()


def new_state(folder: Path) -> Path:
    """A place for the store of a chain that begins now."""
    return usual_state(folder) / _CHAINS / new_id("run")


def known(settings: Settings, folder: Path) -> list[Store]:
    """The stores that a command looks at: the one that is named, else every one of the folder, oldest first."""
    if settings.model_fields_set & {"state_dir", "database_url"}:
        state = settings.state_dir.absolute() if not settings.database_url else None
        return [Store(settings.database, state, named=True)]
    usual = usual_state(folder)
    return [_in(state) for state in (usual, *_by_age(usual / _CHAINS)) if (state / _FILE).is_file()]


async def find(stores: Sequence[Store], chain_id: str) -> Store:
    """The store that holds a chain. Raises ClickException where none does."""
    for store in stores:
        with suppress(UnknownChain):
            if await store.look_beside_others(lambda tx: chains.get(tx, chain_id)) is not None:
                return store
    raise click.ClickException(
        f"no chain has the id {chain_id!r} here; `claude-pool-gh pool list --all` lists them, "
        "--folder or --state-dir says where else to look"
    )


async def remove_old(folder: Path) -> None:
    """Delete the stores of chains that ended long ago; what is unfinished is kept."""
    for state, changed in _by_age(usual_state(folder) / _CHAINS).items():
        if time.time() - changed < KEPT_SECONDS or _in(state).is_busy:
            continue
        with suppress(click.ClickException):
            if not await _holds(state, _is_unfinished):
                shutil.rmtree(state, ignore_errors=True)


async def tidy(state: Path) -> None:
    """After a command, leave no store in which no chain is, and of others no checkouts: they are made anew."""
    if not await _holds(state, listing.progress):
        shutil.rmtree(state, ignore_errors=True)
        return
    for checkouts in (state / "worktrees").glob("checkouts-*"):
        await asyncio.to_thread(remove, checkouts)


def is_own(state: Path) -> bool:
    """True where a folder is one that `new_state` has made."""
    return state.parent.name == _CHAINS and state.name.startswith("run-")


async def _holds(state: Path, question: Callable[[Transaction], object]) -> bool:
    """True where a store has what is asked for; False for one that its process did not come to fill."""
    try:
        return bool(await _in(state).look(question))
    except NoPoolDatabase:
        return False


def _is_unfinished(tx: Transaction) -> bool:
    return bool(listing.progress(tx, unfinished=True, limit=1))


def _in(state: Path) -> Store:
    return Store(f"sqlite:///{state.absolute()}/{_FILE}", state.absolute())


def _by_age(folder: Path) -> dict[Path, float]:
    """The stores in a folder, oldest first, and when each changed last."""
    inside: Iterable[Path] = folder.iterdir() if folder.is_dir() else ()
    changed: dict[Path, float] = {}
    for each in inside:
        with suppress(FileNotFoundError, NotADirectoryError):  # none, or another command tidies up
            changed[each] = (each / _FILE).stat().st_mtime
    return dict(sorted(changed.items(), key=itemgetter(1)))
