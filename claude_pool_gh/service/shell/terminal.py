"""Shows a pool at work: lines that change in place in a terminal, none where the output goes to a file.

What an agent says is a stranger's text: it is shown as it is, never as markup, and cannot drive the terminal.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.text import Text

from claude_pool_gh.local import Pool
from claude_pool_gh.pool.model.ids import ChainId, TaskId
from claude_pool_gh.pool.model.records import ChainProgress
from claude_pool_gh.reports.figures import dollars, duration
from claude_pool_gh.service.console import Console, errors
from claude_pool_gh.service.plain import echo, plain

_LOOK_SECONDS = 0.2
_LINES = 6


@dataclass(slots=True)
class Terminal:
    """Progress goes to standard error, the answer to standard output: so it can be piped."""

    pool: Pool
    progress: Console = field(default_factory=errors)

    @property
    def interactive(self) -> bool:
        """True where a person can be asked here."""
        return sys.stdin.isatty() and self.progress.is_terminal

    @asynccontextmanager
    async def watching(
        self, chain_id: ChainId | TaskId, *, title: str, steps: Sequence[str] = ()
    ) -> AsyncIterator[None]:
        """Show how far a chain is while the block lasts; nothing where nobody looks."""
        if not self.progress.is_terminal:
            yield
            return
        since = time.monotonic()
        with Live(console=self.progress, transient=True, refresh_per_second=8) as live:
            watcher = asyncio.create_task(self._watch(live, chain_id, title, steps, since))
            try:
                yield
            finally:
                watcher.cancel()
                with suppress(asyncio.CancelledError):
                    await watcher

    def note(self, text: str) -> None:
        """A line beside the answer."""
        print_note(text)

    def show_work(self, text: str, step: str) -> None:
        """Show what waits for a decision."""
        self.progress.print(
            Panel(Text(text), title=Text(f"{step} waits for approval"), title_align="left")
        )

    async def _watch(
        self, live: Live, chain_id: ChainId | TaskId, title: str, steps: Sequence[str], since: float
    ) -> None:
        while True:
            progress = await self.pool.chain_progress(chain_id)
            live.update(picture(progress, title, steps, time.monotonic() - since))
            await asyncio.sleep(_LOOK_SECONDS)


def print_answer(text: str) -> None:
    """Write to standard output what a command was asked for; nothing where there is nothing."""
    if text:
        echo(text)


def print_note(text: str) -> None:
    """Write a line to standard error, beside the answer."""
    errors().print(text, style="dim", soft_wrap=True)


def picture(progress: ChainProgress, title: str, steps: Sequence[str], seconds: float) -> Group:
    """The view of a chain at a moment, for a terminal."""
    head = Text.assemble(
        (one_line(title), "bold"),
        f"  {duration(int(seconds * 1000))}  {dollars(progress.cost_microdollars)}",
    )
    lines: list[Text | Spinner] = [head]
    for position, name in enumerate(steps):
        if progress.current_step is not None and position == progress.current_step:
            lines.append(
                Spinner("dots", Text(f"{name} {progress.waits_for or ''}".rstrip(), "cyan"))
            )
        else:
            done = progress.current_step is None or position < progress.current_step
            lines.append(Text(f"{'✓' if done else '·'} {name}", "green" if done else "dim"))
    if not steps:
        lines.append(Spinner("dots", Text(progress.status.value, "cyan")))
    said = plain(progress.current_step_partial_output or "").rstrip().splitlines()[-_LINES:]
    return Group(
        *lines, *(Text(f"  {line}", "dim", no_wrap=True, overflow="ellipsis") for line in said)
    )


def one_line(text: str) -> str:
    """The beginning of a text, for a line of its own."""
    flat = " ".join(plain(text).split())
    return flat if len(flat) <= 70 else f"{flat[:69]}…"
