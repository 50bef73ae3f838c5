"""Members by e-mail address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Member:
    email: str
    name: str
    joined: date


class MemberStore:
    def __init__(self) -> None:
        self._by_email: dict[str, Member] = {}

    def add(self, member: Member) -> bool:
        """Add a member; False when the address is already known."""
        if member.email in self._by_email:
            return False
        self._by_email[member.email] = member
        return True

    def get(self, email: str) -> Member | None:
        return self._by_email.get(email)

    def __len__(self) -> int:
        return len(self._by_email)
