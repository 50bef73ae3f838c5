"""The address of a kept conversation: `SLOT/SESSION`, as results and records name it."""

from __future__ import annotations


def slot_of(resume: str | None) -> str | None:
    """The slot that keeps the conversation, from `SLOT/SESSION`."""
    return None if resume is None else resume.partition("/")[0]


def session_of(resume: str | None) -> str | None:
    """The conversation's session id, from `SLOT/SESSION`."""
    return None if resume is None else resume.partition("/")[2]
