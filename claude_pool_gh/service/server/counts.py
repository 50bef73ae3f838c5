"""The counts that a process keeps where things happen, as metrics.

What an alert is raised over is there from the start, as 0: Prometheus sees no increase in a series that begins with 1.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Final

from claude_pool_gh.conversation.intake.command_worker import CAP_REACHED, CommandWorker
from claude_pool_gh.github.effects.registry import kinds
from claude_pool_gh.github.effects.writer import Writer
from claude_pool_gh.service.monitoring.github_watch import GitHubWatch
from claude_pool_gh.service.monitoring.metrics import Metrics

_REFUSALS: Final = ("400", "401", "402", "403", "404")
"""Answers of the model's API at the first of which the operator is to be told."""


def show_counts(
    metrics: Metrics,
    writer: Writer,
    answers: Counter[str],
    watch: GitHubWatch,
    worker: CommandWorker,
) -> None:
    """Add them. `answers`: those of the model's API, by status."""
    refused = product(kinds(), ("refused",))
    metrics.add("effects", "Tries to write to GitHub", ("kind", "outcome"), writer.counts, refused)
    metrics.add("model_answers", "Answers of the model's API", ("status",), answers, _REFUSALS)
    metrics.add("github_answers", "Answers of GitHub's API", ("status",), watch.answers)
    capped = (CAP_REACHED,)
    metrics.add("commands", "Commands that were handled", ("outcome",), worker.counts, capped)
