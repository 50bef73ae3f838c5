"""Shows audits at work: slots as rows, parts done, money, time left; plain lines where nobody sits at a terminal."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.pool.model.states import ChainState, TaskState
from claude_pool_gh.pool.store import chains, costs, tasks
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.reports.figures import dollars, duration
from claude_pool_gh.service.console import Console, errors
from claude_pool_gh.service.shell.terminal import one_line, print_note
from claude_pool_gh.storage import Database, Transaction

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.5
_DOING: Final = {"find": "reads", "verify": "verifies", "merge": "compares"}
"""What an agent of each step does, for people."""
_OVER: Final = frozenset({TaskState.completed, TaskState.failed, TaskState.cancelled})
_BAR: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class BusySlot:
    """An agent at work."""

    slot: str
    step: str
    title: str
    repository: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Audits at one moment."""

    repositories: int = 1
    busy: tuple[BusySlot, ...] = ()
    parts: int = 0
    read: int = 0
    failed: int = 0
    """Parts that were not, and will not be."""
    claims: int = 0
    verified: int = 0
    cost: int = 0
    budget: int = 0
    seconds_of_parts: float = 0.0
    """The time that the parts that are read took, added up."""

    @property
    def left(self) -> float | None:
        """Seconds until the last part is read, if all take as long as those before; None where nothing tells."""
        waiting = self.parts - self.read - self.failed
        if not self.read or waiting <= 0:
            return None
        beside = max(1, sum(each.step == "find" for each in self.busy))
        return self.seconds_of_parts / self.read * waiting / beside


@dataclass(slots=True)
class Looks:
    """Looks at chains again and again; of one that has ended, what it came to is kept and not read again."""

    _ended: dict[str, Seen] = field(default_factory=dict)

    def now(self, tx: Transaction, chain_ids: Sequence[str], budget: int, now_ms: int) -> Seen:
        """All of these chains together."""
        live = [each for each in chain_ids if each not in self._ended]
        found, own = chains.several(tx, live), tasks.of_chains(tx, live)
        spent = costs.cost_of_chains(tx, live)
        told = {
            each: seen(chain, own[each], spent.get(each, (0, False))[0], now_ms)
            for each, chain in found.items()
        }
        self._ended |= {
            each: told[each] for each, chain in found.items() if chain.state is ChainState.done
        }
        every = [*(self._ended | told).values()]
        return Seen(
            repositories=len(chain_ids),
            busy=tuple(each for one in every for each in one.busy),
            parts=sum(one.parts for one in every),
            read=sum(one.read for one in every),
            failed=sum(one.failed for one in every),
            claims=sum(one.claims for one in every),
            verified=sum(one.verified for one in every),
            cost=sum(one.cost for one in every),
            budget=budget,
            seconds_of_parts=sum(one.seconds_of_parts for one in every),
        )


def seen(chain: ChainRow, own: Sequence[TaskRow], cost: int, now_ms: int) -> Seen:
    """The progress of one chain. Pure."""
    over = [task for task in own if task.step == "find" and task.state in _OVER]
    read = [task for task in over if task.state is TaskState.completed]
    running = [task for task in own if task.state is TaskState.running]
    return Seen(
        busy=tuple(_busy(chain, task, now_ms) for task in running),
        parts=len((chain.results.get("plan") or {}).get("shards", ())),
        read=len(read),
        failed=len(over) - len(read),
        claims=len((chain.results.get("check") or {}).get("candidates", ())),
        verified=sum(task.step == "verify" and task.state in _OVER for task in own),
        cost=cost,
        seconds_of_parts=sum(_seconds(task, now_ms) for task in read),
    )


def _busy(chain: ChainRow, task: TaskRow, now_ms: int) -> BusySlot:
    return BusySlot(
        slot=task.slot or "",
        step=task.step,
        title=task.title,
        repository=Subject.model_validate(chain.plan.context).repository,
        seconds=_seconds(task, now_ms),
    )


def _seconds(task: TaskRow, now_ms: int) -> float:
    if task.started_ms is None:
        return 0.0
    return ((task.ended_ms or now_ms) - task.started_ms) / 1000


def head(now: Seen, seconds: float) -> str:
    """Everything but the slots, in a line."""
    parts = [
        f"{now.read} of {now.parts} parts read" if now.parts else "planning",
        f"{now.failed} not read" if now.failed else "",
        f"{now.verified} of {now.claims} claims verified" if now.claims else "",
        f"{dollars(now.cost)} of {dollars(now.budget)}",
        duration(int(seconds * 1000)),
        "" if now.left is None else f"about {duration(int(now.left * 1000))} of reading left",
    ]
    return ", ".join(filter(None, parts))


def picture(now: Seen, seconds: float) -> RenderableType:
    """The view for a terminal: a bar, and a row for each slot that works."""
    rows = Table(box=None, pad_edge=False, show_header=False)
    for column in ("slot", "step", "title", "time"):
        rows.add_column(column, no_wrap=True, overflow="ellipsis")
    for each in sorted(now.busy, key=lambda busy: busy.slot):
        where = f"{each.repository}: " if now.repositories > 1 else ""
        rows.add_row(
            Text(each.slot, "dim"),
            Text(_DOING.get(each.step, each.step), "cyan"),
            Text(one_line(f"{where}{each.title}")),
            Text(duration(int(each.seconds * 1000)), "dim"),
        )
    bar = ProgressBar(total=max(1, now.parts), completed=now.read + now.failed, width=_BAR)
    return Group(Text(head(now, seconds), "bold"), bar, rows)


def news(before: Seen, now: Seen, seconds: float) -> Iterator[str]:
    """The lines that are worth a place in a log since the last look."""
    changed = (before.parts, before.read, before.failed, before.claims, before.verified)
    if changed != (now.parts, now.read, now.failed, now.claims, now.verified) and now.parts:
        yield head(now, seconds)


@dataclass(slots=True)
class AuditProgress:
    """Shows the chains of a store on standard error."""

    database: Database
    budget: int
    now_ms: Callable[[], int]
    console: Console = field(default_factory=errors)
    _looks: Looks = field(default_factory=Looks)
    _before: Seen = field(default_factory=Seen)
    _since: float = field(default_factory=time.monotonic)

    @asynccontextmanager
    async def watching(self, chain_ids: Callable[[], Sequence[str]]) -> AsyncIterator[None]:
        """Show how far they are while the block lasts, and how far they came at its end."""
        watcher = asyncio.create_task(self._watch(chain_ids))
        try:
            yield
        finally:
            watcher.cancel()
            last = self._look(chain_ids())
            for error in await asyncio.gather(watcher, last, return_exceptions=True):
                if isinstance(error, Exception):  # what is shown never ends what is paid for
                    logger.warning("progress not shown: %s", error, extra={"action": "not_shown"})

    async def _watch(self, chain_ids: Callable[[], Sequence[str]]) -> None:
        if not self.console.is_terminal:
            while True:
                await self._look(chain_ids())
                await asyncio.sleep(_LOOK_SECONDS)
        with Live(console=self.console, transient=True, refresh_per_second=4) as live:
            while True:
                now = await self._seen(chain_ids())
                live.update(picture(now, time.monotonic() - self._since))
                await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self, chain_ids: Sequence[str]) -> None:
        """Print what is new in lines."""
        now, before = await self._seen(chain_ids), self._before
        self._before = now
        for line in news(before, now, time.monotonic() - self._since):
            print_note(line)

    async def _seen(self, chain_ids: Sequence[str]) -> Seen:
        return await self.database.read(
            lambda tx: self._looks.now(tx, chain_ids, self.budget, self.now_ms())
        )
