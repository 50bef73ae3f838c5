"""Remembers which run of a store has no reports yet: one that ended, but was killed before they were written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import chains, lookup
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.private import private_file

_FILE: Final = "untold"


@dataclass(frozen=True, slots=True)
class Untold:
    """A file beside the store, with the name of the run, from before that begins until its reports are written."""

    state: Path

    def write(self, chain_id: str) -> None:
        """Note a run that is about to begin."""
        new = self.state / f".{_FILE}.new"
        private_file(new)
        new.write_text(chain_id, "utf-8")
        new.replace(self.state / _FILE)

    def clear(self) -> None:
        """Note that the reports are written."""
        (self.state / _FILE).unlink(missing_ok=True)

    async def chain(self, database: Database) -> ChainRow | None:
        """The run, where it has ended; None where there is none."""
        try:
            chain_id = (self.state / _FILE).read_text("utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return None

        def ended(tx: Transaction) -> ChainRow | None:
            done = lookup.state_of(tx, chain_id) is ChainState.done
            return chains.get(tx, chain_id) if done else None

        return await database.read(ended)
