"""Texts of strangers, for a terminal: what a repository or an agent says cannot drive it."""

from __future__ import annotations


def plain(text: str) -> str:
    """A text that cannot drive a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
