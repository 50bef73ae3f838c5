"""A process's metrics in Prometheus' form: what was counted since its start, and gauges of the moment.

Everything is kept where it happens, as plain counts; here it gets its names, labels and texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from claude_pool_gh.github.backlog import Backlog as GitHubBacklog
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.records import Load
from claude_pool_gh.pool.store.backlog import Backlog as PoolBacklog

PREFIX: Final = "claude_pool_"
WAITS: Final = "waits"
"""The outcome of a chain that waits for somebody."""
_SECONDS: Final = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0)
Counts = Mapping[str, int] | Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class RunEnd:
    """One agent run, once it has ended."""

    repository: str
    """`owner/name`."""
    model: str
    outcome: str
    usd: float


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """One chain, once it has ended or waits for somebody."""

    verb: str
    outcome: str
    seconds: float | None
    """From its beginning to its end; None for one that never began, or waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The state of a process and its database when somebody asks."""

    load: Load
    ready: bool
    pool: PoolBacklog | None
    """None, as what follows, where the database did not answer."""
    github: GitHubBacklog | None
    pool_cap: float | None
    """The part of the monthly cap on all spending that is spent or set aside; None without a cap too."""
    repository_caps: Mapping[str, float]
    """The same of the monthly caps of the repositories that have used most of theirs, by `owner/name`."""
    free_bytes: int
    rate_limit: int | None
    now_ms: int


class Metrics:
    """The metrics of one process."""

    def __init__(self, verbs: Iterable[str] = ()) -> None:
        """`verbs`: those whose chains are counted, from nothing on: see `add`."""
        self._registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"{PREFIX}{name}", text, labels, registry=registry)

        self._chains = counter(
            "chains", "Chains that ended, or wait for somebody", "verb", "outcome"
        )
        for counted in product(verbs, [*Verdict, WAITS]):
            self._chains.labels(*counted)
        self._chain_seconds = Histogram(
            f"{PREFIX}chain_seconds",
            "Seconds from a chain's beginning to its end",
            ("verb",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._runs = counter("runs", "Agent runs that ended", "model", "outcome")
        self._spent = counter("spent_usd", "US dollars that agent runs cost", "repository", "model")
        self._slots = gauge("slots", "Agents that this process may run at the same time")
        self._busy = gauge("slots_busy", "Agents that this process runs now")
        self._tasks = gauge("tasks_waiting", "Tasks of those chains that wait for a slot")
        self._running = gauge("chains_running", "Chains that this process runs now")
        self._ready = gauge("ready", "1 while the process can store and answer, else 0")
        self._database = gauge("database_up", "1 while the database answers, else 0")
        self._queued = gauge("chains_queued", "Chains in the queue of all processes")
        self._queue_age = gauge("queue_age_seconds", "Age of the oldest chain in the queue")
        self._parked = gauge("chains_parked", "Chains that wait for somebody", "reason")
        self._commands = gauge("commands_waiting", "Commands that are not handled yet")
        self._command_age = gauge("command_age_seconds", "Age of the oldest command")
        self._effects = gauge("effects_waiting", "Writes to GitHub that are still to be made")
        self._effect_age = gauge(
            "effect_age_seconds", "Seconds for which the oldest write to GitHub is due"
        )
        self._refused = gauge("effects_refused", "Writes that GitHub refused for good, as kept")
        self._cap = gauge("cap_used_ratio", "Part of a cap that is spent or set aside", "cap")
        self._repository_caps = gauge(
            "repository_cap_used_ratio",
            "Part of a repository's monthly cap that is spent or set aside, of the dearest ones",
            "repository",
        )
        self._disk = gauge("disk_free_bytes", "Free bytes on the disk of the state folder")
        self._limit = gauge("github_rate_limit_remaining", "GitHub requests left, as last reported")

    def add(
        self,
        name: str,
        text: str,
        labels: tuple[str, ...],
        counts: Counts,
        known: Iterable[str | tuple[str, str]] = (),
    ) -> None:
        """Show counts that are kept elsewhere, by their labels' values, as they are at each question.

        `known` are shown as 0 before they are counted: Prometheus sees no increase in a series that begins with 1.
        """
        self._registry.register(_Kept(f"{PREFIX}{name}", text, labels, counts, tuple(known)))

    def ended(self, end: RunEnd | ChainEnd) -> None:
        """Count the end of a run or chain."""
        match end:
            case RunEnd(repository, model, outcome, usd):
                self._runs.labels(model, outcome).inc()
                self._spent.labels(repository, model).inc(usd)
            case ChainEnd(verb, outcome, seconds):
                self._chains.labels(verb, outcome).inc()
                if seconds is not None:
                    self._chain_seconds.labels(verb).observe(max(0.0, seconds))

    def text(self, moment: Moment) -> bytes:
        """Everything, as Prometheus reads it."""
        self._show_process(moment)
        self._database.set(moment.pool is not None)
        self._parked.clear()
        self._cap.clear()
        self._repository_caps.clear()
        for repository, used in moment.repository_caps.items():
            self._repository_caps.labels(repository).set(used)
        if moment.pool is not None:
            self._queued.set(moment.pool.queued)
            self._queue_age.set(_age(moment.pool.oldest_ms, moment.now_ms))
            for reason, count in moment.pool.parked.items():
                self._parked.labels(reason).set(count)
        if moment.github is not None:
            self._commands.set(moment.github.commands)
            self._command_age.set(_age(moment.github.oldest_command_ms, moment.now_ms))
            self._effects.set(moment.github.effects)
            self._effect_age.set(_age(moment.github.oldest_effect_ms, moment.now_ms))
            self._refused.set(moment.github.refused)
        if moment.pool_cap is not None:
            self._cap.labels("pool and month").set(moment.pool_cap)
        return generate_latest(self._registry)

    def _show_process(self, moment: Moment) -> None:
        self._slots.set(moment.load.slots)
        self._busy.set(moment.load.busy)
        self._tasks.set(moment.load.tasks_waiting)
        self._running.set(moment.load.chains_running)
        self._ready.set(moment.ready)
        self._disk.set(moment.free_bytes)
        if moment.rate_limit is not None:
            self._limit.set(moment.rate_limit)


class _Kept(Collector):
    """Counts that are kept elsewhere."""

    def __init__(
        self, name: str, text: str, labels: tuple[str, ...], counts: Counts, known: tuple[Any, ...]
    ) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._counts, self._known = counts, known

    def collect(self) -> Iterator[CounterMetricFamily]:
        """See `Collector.collect`."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for values, count in sorted((dict.fromkeys(self._known, 0) | dict(self._counts)).items()):
            family.add_metric([values] if isinstance(values, str) else list(values), count)
        yield family


def _age(since_ms: int | None, now_ms: int) -> float:
    return 0.0 if since_ms is None else max(0.0, (now_ms - since_ms) / 1000)
