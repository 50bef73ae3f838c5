"""Watches what happens in a process, so that it is shown, written, logged and traced."""

from __future__ import annotations

from dataclasses import dataclass

from claude_pool_gh.conversation.tracking.progress import Progress
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.github.effects.writer import Writer
from claude_pool_gh.service.monitoring import spans
from claude_pool_gh.service.monitoring.traces import Traces
from claude_pool_gh.service.server.journal import Journal
from claude_pool_gh.storage import Transaction


@dataclass(frozen=True, slots=True)
class Watching:
    """Shows every change of a chain, lets the writer know that there is something to write, and logs what has ended."""

    progress: Progress
    writer: Writer
    journal: Journal

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """See `Observer.changed`."""
        self.progress.changed(tx, chain_id)
        self.journal.changed(tx, chain_id)

    def committed(self) -> None:
        """See `Observer.committed`."""
        self.writer.wake()
        self.journal.committed()


def trace_effect(traces: Traces, row: EffectRow, outcome: str, begin_ms: int, end_ms: int) -> None:
    """Trace one try to write to GitHub."""
    if (span := spans.of_effect(row, outcome, begin_ms, end_ms)) is not None:
        traces.add(span)
