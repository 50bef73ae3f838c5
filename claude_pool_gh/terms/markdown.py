"""The only kind of text that may be posted."""

from __future__ import annotations

from typing import NewType

SafeMarkdown = NewType("SafeMarkdown", str)
"""Markdown in which nothing of an agent's or stranger's making is alive. Only `reports` makes it."""

COMMENT_LIMIT = 65_000
"""Characters; GitHub refuses comments a little above."""
