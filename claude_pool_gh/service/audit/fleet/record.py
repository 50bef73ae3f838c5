"""The record of a fleet's run: which repositories it has, and why some of them were never begun.

It is a file beside the store, written whole or not at all, by the one process that has the store. What was begun stands
in the store: the chain of a repository is named after the run and the repository, so that nothing has to be kept twice.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from claude_pool_gh.service.audit.fleet.asked import Asked
from claude_pool_gh.service.audit.fleet.options import Found
from claude_pool_gh.service.audit.refused import AuditRefused
from claude_pool_gh.storage.private import private_file

_FILE: Final = "fleet.json"


class FleetRun(BaseModel):
    """One run over a fleet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    source: str
    """Where the repositories come from, in words."""
    asked: Asked
    started_ms: int
    ended_ms: int | None = None
    """None: some repositories are left, and the next command goes on with them."""
    repositories: tuple[Found, ...]
    left_out: dict[str, int]
    settled: dict[str, str] = {}
    """Repositories that are not audited in this run, with the reason."""

    def chain_of(self, found: Found) -> str:
        """The chain that carries the audit of a repository in this run."""
        return f"chain-{sha256(f'{self.id}:{found.id}'.encode()).hexdigest()[:20]}"

    def settle(self, found: Found, reason: str) -> FleetRun:
        """The run with a repository that is not audited."""
        return self.model_copy(update={"settled": {**self.settled, found.full_name: reason}})


def read(state: Path) -> FleetRun | None:
    """The newest run of a store; None before the first. Raises AuditRefused for a file that cannot be understood."""
    file = state / _FILE
    if not file.is_file():
        return None
    try:
        return FleetRun.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise AuditRefused(
            f"{file} is no record of this version: drop the run that it keeps with --fresh"
        ) from error


def write(state: Path, run: FleetRun) -> None:
    """Keep it, in place of what was there."""
    new = state / f".{_FILE}.new"
    private_file(new)
    with new.open("w", encoding="utf-8") as file:
        file.write(run.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    new.replace(state / _FILE)
