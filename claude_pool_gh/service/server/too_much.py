"""The refusal of what is more than a server can take in."""

from __future__ import annotations


class TooMuch(Exception):
    """More bytes than there is room for, in this body or in all of them."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
