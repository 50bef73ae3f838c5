"""The key of a check run of ours: it is wanted under it, and known again by it as its external id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from claude_pool_gh.terms.ids import Thread

_KIND: Final = "check"
_PARTS: Final = 5
_DIGITS: Final = 19
"""So many at most has a number of GitHub's."""


@dataclass(frozen=True, slots=True)
class CheckKey:
    """A verb's check at one commit of a pull request."""

    repository_id: int
    number: int
    verb: str
    head: str

    @classmethod
    def of(cls, thread: Thread, verb: str, head: str) -> Self:
        """The key of a thread's check."""
        return cls(thread.repository.id, thread.number, verb, head)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The key that a text is; None where it is none. The inverse of `format`."""
        parts = text.split(":")
        if len(parts) != _PARTS or parts[0] != _KIND:
            return None
        _, repository, number, verb, head = parts
        if not (_is_number(repository) and _is_number(number)):
            return None
        key = cls(int(repository), int(number), verb, head)
        return key if key.format() == text else None

    def format(self) -> str:
        """The key as one text."""
        return f"{self.prefix()}{self.head}"

    def prefix(self) -> str:
        """The beginning of the keys of the same check at every commit."""
        return f"{_KIND}:{self.repository_id}:{self.number}:{self.verb}:"


def is_ours(external_id: str) -> bool:
    """True where a check run is one of ours, whichever of our servers or versions has made it."""
    return external_id.startswith(f"{_KIND}:")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) > 0
