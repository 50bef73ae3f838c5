"""The roles of a user in a repository, as GitHub's API says them."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """GitHub's roles, in order."""

    none = 0
    read = 1
    triage = 2
    write = 3
    maintain = 4
    admin = 5

    @classmethod
    def named(cls, name: str) -> Role:
        """The role of a name; an unknown one, such as an organization's custom role, counts as none."""
        return cls.__members__.get(name, cls.none)
