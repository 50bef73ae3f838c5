"""Names what the next command must ask for so that it reads what a run has left. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from claude_pool_gh.audits.model import Coverage

_MOST_NAMED: Final = 10
_MOST_LETTERS: Final = 1_000
"""Of all that is named: a command is one line, whose length has a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The paths of the next command, and what it reads with them."""

    paths: tuple[str, ...]
    """None: all that the configuration names."""
    alone: bool
    """Whether that is what is left and no more; otherwise it is read first, and the rest again."""


def rest(covered: Coverage, asked: tuple[str, ...], *, continues: bool) -> Rest:
    """Find them. `asked`: the paths of the command before; `continues`: it read only what no run had read."""
    left = covered.unread
    if continues:
        return Rest(paths=asked, alone=True)
    if len(left) == covered.files_unread <= _MOST_NAMED and _can_be_named(left):
        return Rest(paths=tuple(f"/{path}" for path in left), alone=True)
    return Rest(paths=asked, alone=False)


def _can_be_named(paths: tuple[str, ...]) -> bool:
    """True where these paths can be typed, and as patterns name themselves and nothing else."""
    letters = "".join(paths)
    return letters.isprintable() and not set("*?") & set(letters) and len(letters) <= _MOST_LETTERS
