"""The condition under which a step runs, decided by an earlier typed result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from claude_pool_gh.pool.model.config import Frozen
from claude_pool_gh.pool.model.render import look_up

if TYPE_CHECKING:  # what a caller may write
    Values = Sequence[Any]
else:
    Values = tuple[Any, ...]


class Condition(Frozen):
    """One test of one value. Several would be a program; a step that computes the answer is easier to read."""

    value: str
    """Path to the value, such as `steps.review.verdict` or `args.draft`."""
    equals: Any = None
    """The value is this."""
    differs: Any = None
    """The value is anything else."""
    one_of: Values | None = None
    """The value is one of these."""
    above: float | None = None
    """The value is a number greater than this."""
    below: float | None = None
    """The value is a number less than this."""
    empty: bool | None = None
    """Whether the value is an empty text or list, or missing."""

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        if len(self._tests()) != 1:
            raise ValueError(
                "a condition needs `value` and exactly one of equals, differs, one_of, above, below, empty"
            )
        return self

    def _tests(self) -> list[str]:
        return [
            name
            for name in type(self).model_fields
            if name != "value" and getattr(self, name) is not None
        ]

    def holds(self, values: Mapping[str, Any]) -> bool:
        """True where the test passes. Raises RecipeError where the path leads nowhere."""
        found = look_up(self.value, values)
        (test,) = self._tests()
        match test:
            case "equals":
                return bool(found == self.equals)
            case "differs":
                return bool(found != self.differs)
            case "one_of":
                return found in (self.one_of or ())
            case "empty":
                return (found in (None, "", [], {})) is self.empty
            case "above":
                return _number(found) and found > self.above
            case _:
                return _number(found) and found < self.below


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
