"""`python -m tests.architecture.diagrams`: draws the states in docs/explanation/architecture.md from the tables."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from claude_pool_gh.findings.states import FINDING
from claude_pool_gh.github.command_states import COMMAND
from claude_pool_gh.github.effects.states import EFFECT
from claude_pool_gh.pool.model.state_table import StateTable
from claude_pool_gh.pool.model.states import TABLES

PAGE: Final = Path(__file__).parents[2] / "docs" / "explanation" / "architecture.md"
BEGIN: Final = "<!-- states: begin -->\n"
END: Final = "<!-- states: end -->\n"
EVERY: Final[tuple[StateTable[Any, Any], ...]] = (*TABLES, EFFECT, COMMAND, FINDING)


def rendered() -> str:
    """Every table as a diagram."""
    return "\n".join(_section(table) for table in EVERY)


def written(page: str) -> str:
    """A page with the diagrams as they are to be between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{rendered()}\n{END}{after}"


def moves(table: StateTable[StrEnum, StrEnum]) -> Iterator[tuple[str, str]]:
    """Every pair of different states that an event leads over."""
    return ((state, new) for (state, _), new in table.moves.items() if state != new)


def _section(table: StateTable[Any, Any]) -> str:
    return f"### {table.name.capitalize()}\n\n```mermaid\n{table.mermaid()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
