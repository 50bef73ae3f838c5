"""The states of a command. `command_rows` writes them, as this table says."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from claude_pool_gh.pool.model.state_table import StateTable


class CommandState(StrEnum):
    """The state of a command."""

    received = "received"
    """Stored, and not decided: after a crash it is judged again."""
    handled = "handled"
    """Refused, answered, or its chain was made: for good."""


class CommandEvent(StrEnum):
    """An event in the life of a command."""

    close = "close"


COMMAND: Final = StateTable(
    "command",
    CommandState.received,
    {(CommandState.received, CommandEvent.close): CommandState.handled},
)
