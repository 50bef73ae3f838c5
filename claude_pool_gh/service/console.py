"""The console on which commands draw tables and panels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

from claude_pool_gh.service.plain import plain

_WIDE: Final = 240
"""Columns of a table that goes to a file or a pipe: no id in it is cut."""


class Console(RichConsole):
    """A console that shows texts as they are: never as markup, and they cannot drive the terminal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False} | options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The parts of what is shown; only rich's own may be orders to the terminal."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=plain(segment.text))


def errors() -> Console:
    """Standard error, on which progress and questions are shown."""
    return Console(stderr=True)


def results() -> Console:
    """Standard output; wide enough for whole ids where it is no terminal."""
    there = Console()
    return there if there.is_terminal else Console(width=_WIDE)
