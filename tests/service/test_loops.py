"""The loops of a server: a round that fails is told and costs the next one nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from claude_pool_gh.service.server import runtime as module
from claude_pool_gh.service.server.incoming import Incoming
from claude_pool_gh.service.server.runtime import Runtime
from tests.patience import until


@dataclass
class Parts:
    """What the loops use of a server: what each was asked for, and what breaks."""

    seen: list[str] = field(default_factory=list)
    breaks: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    """Chains that wait to be handled; "" is a command that starts none."""
    running: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def do(self, what: str) -> None:
        self.seen.append(what)
        if what in self.breaks:
            self.breaks.remove(what)
            raise OSError(what)

    async def handle_next(self) -> str | None:
        if not self.commands:
            return None
        chain = self.commands.pop(0)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        self.do(f"handled {chain}".strip())
        return chain

    async def everything(self) -> int:
        self.do("caught up")
        return 1

    async def look(self) -> int:
        self.do("schedules")
        return 1

    async def read(self, question: Callable[[Any], Any]) -> Any:
        return question(None)

    async def transact(self, work: Callable[[Any], Any]) -> Any:
        return work(None)

    def running_of(self, _tx: Any) -> list[str]:
        self.do("running")
        return self.running

    def tick(self, _tx: Any, *, chain_id: str) -> None:
        self.do(f"tick {chain_id}")


@dataclass
class Waked:
    """Something that can be waked, which is noted."""

    name: str
    seen: list[str]

    def wake(self) -> None:
        self.seen.append(self.name)


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
def server(parts: Parts) -> Runtime:
    progress: Any = type("Shown", (), {"running": parts.running_of, "tick": parts.tick})
    anything: Any = parts
    given: dict[str, Any] = {
        "database": anything,
        "writer": Waked("writer waked", parts.seen),
        "pool": Waked("pool waked", parts.seen),
        "command_worker": anything,
        "progress": progress,
        "catch_up": anything,
        "scheduler": anything,
    }
    rest = ("clock", "services", "screen", "event_handler", "monitor", "retention")
    return Runtime(**given, **dict.fromkeys(rest, anything))


async def while_running(loop: Awaitable[None], holds: Callable[[], object]) -> None:
    running = asyncio.ensure_future(loop)
    await until(holds, 0.005)
    assert not running.done()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_commands_are_handled_until_none_is_left_and_chains_wake_the_pool(
    server: Runtime, parts: Parts
) -> None:
    parts.commands = ["a", "", "b"]
    await server.handle_due()
    assert sorted(each for each in parts.seen if "handled" in each) == [
        "handled",
        "handled a",
        "handled b",
    ]
    assert parts.seen.count("writer waked") == 3
    assert parts.seen.count("pool waked") == 2, "a command without a chain starts nothing"


async def test_a_few_are_handled_at_the_same_time(server: Runtime, parts: Parts) -> None:
    parts.commands = [str(number) for number in range(40)]
    await server.handle_due()
    assert parts.most_at_once == 4


async def test_what_comes_in_is_handled_at_once(
    server: Runtime, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY", 1_000)
    running = asyncio.ensure_future(server.serve_commands())
    await until(lambda: server.beats, 0.005)
    parts.commands = ["a"]
    await asyncio.sleep(0.02)
    assert parts.seen == [], "nobody has said so"
    server.wake()
    await until(lambda: "handled a" in parts.seen, 0.005)
    assert "handled a" in parts.seen
    running.cancel()


async def test_what_was_postponed_is_looked_for_all_the_same(
    server: Runtime, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.01)
    running = asyncio.ensure_future(server.serve_commands())
    await until(lambda: server.beats, 0.005)
    parts.commands = ["late"]
    await until(lambda: "handled late" in parts.seen, 0.005)
    assert "handled late" in parts.seen
    running.cancel()


async def test_a_round_that_fails_is_told_and_is_no_beat(
    server: Runtime, parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.01)
    parts.commands, parts.breaks = ["a", "b"], ["handled a"]
    beats: list[int] = []

    def holds() -> bool:
        if caplog.records and not beats:
            beats.append(len(server.beats))
        return "handled b" in parts.seen and bool(server.beats)

    await while_running(server.serve_commands(), holds)
    assert "handled b" in parts.seen
    assert [vars(each)["action"] for each in caplog.records] == ["commands_failed"]
    assert list(server.beats) == ["the handling of commands"]


async def test_other_work_waits_while_many_deliveries_come_in(
    server: Runtime, parts: Parts
) -> None:
    object.__setattr__(server, "incoming", Incoming(many=1, longest=1_000, count=1))
    parts.commands = ["a"]
    handling = asyncio.ensure_future(server.handle_due())
    await asyncio.sleep(0.02)
    assert parts.seen == []
    server.incoming._end()
    await handling
    assert "handled a" in parts.seen


@pytest.mark.parametrize(
    ("loop", "what", "action"),
    [
        ("catch_up_for_ever", "caught up", "catch_up_failed"),
        ("start_audits_for_ever", "schedules", "schedules_failed"),
        ("show_time_for_ever", "running", "tick_failed"),
    ],
)
async def test_each_loop_goes_on_after_a_failure(
    server: Runtime,
    parts: Parts,
    loop: str,
    what: str,
    action: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("_SCHEDULES", "_TICK"):
        monkeypatch.setattr(module, name, 0.005)
    parts.breaks = [what]
    given = (0.005,) if loop == "catch_up_for_ever" else ()
    await while_running(getattr(server, loop)(*given), lambda: parts.seen.count(what) >= 3)
    told = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert [vars(each)["action"] for each in told] == [action]
    assert told[0].exc_info is not None
    if loop != "show_time_for_ever":
        assert server.arrived.is_set(), "what was found is handled at once"


async def test_the_time_of_each_running_chain_is_shown_and_then_written(
    server: Runtime, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TICK", 0.005)
    parts.running = ["a", "b"]
    await while_running(server.show_time_for_ever(), lambda: "writer waked" in parts.seen)
    assert parts.seen[:4] == ["running", "tick a", "tick b", "writer waked"]


@pytest.mark.parametrize("loop", ["catch_up_for_ever", "start_audits_for_ever"])
async def test_where_there_is_nothing_to_look_for_a_loop_ends(server: Runtime, loop: str) -> None:
    for name in ("catch_up", "scheduler"):
        object.__setattr__(server, name, None)
    async with asyncio.timeout(5):
        await getattr(server, loop)(*((1,) if loop == "catch_up_for_ever" else ()))
