"""What can go wrong with git."""

from __future__ import annotations


class WorktreeError(Exception):
    """A git command failed or took too long. `detail` is git's own word, for operators, never for a comment."""

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(f"{what}: {detail}" if detail else what)
        self.what, self.detail = what, detail
