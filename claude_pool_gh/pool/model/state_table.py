"""A table of states: which event takes a record from where to where, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from claude_pool_gh.pool.model.errors import IllegalTransition

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class StateTable(Generic[S, E]):
    """Every legal move of one kind of record. What writes a move is elsewhere, in one place."""

    name: str
    """The kind of record, for people."""
    first: S
    """The state in which a record is made."""
    moves: Mapping[tuple[S, E], S]

    def after(self, state: S, event: E) -> S:
        """The state into which an event takes a record. Raises IllegalTransition for one that is not listed."""
        found = self.moves.get((state, event))
        if found is None:
            raise IllegalTransition(self.name, state, event)
        return found

    def before(self, event: E) -> tuple[S, ...]:
        """The states in which an event can happen."""
        return tuple(state for state, each in self.moves if each == event)

    @property
    def states(self) -> type[S]:
        """Every state."""
        return type(self.first)

    @property
    def final(self) -> frozenset[S]:
        """The states that nothing leads out of."""
        left = {state for (state, _), new in self.moves.items() if new != state}
        return frozenset(set(self.states) - left)

    def mermaid(self) -> str:
        """The table as a diagram, which GitHub draws."""
        return "\n".join(("stateDiagram-v2", *(f"    {line}" for line in self._lines())))

    def _lines(self) -> Iterator[str]:
        yield f"[*] --> {self.first}"
        arrows: dict[tuple[S, S], list[str]] = {}
        for (state, event), new in self.moves.items():
            arrows.setdefault((state, new), []).append(event.replace("_", " "))
        for (state, new), events in arrows.items():
            yield f"{state} --> {new}: {', '.join(events)}"
        for state in self.states:
            if state in self.final:
                yield f"{state} --> [*]"
