"""A flood of lines about one thing is told in part and counted; of chains the newest are remembered."""

from __future__ import annotations

import io
import logging
import threading
from typing import Any

import pytest

from claude_pool_gh.service.log.log_floods import EACH, LINES_A_MINUTE, FloodGate, SparingHandler
from claude_pool_gh.service.log.log_names import ChainNames


def record(
    message: str = "broke", level: int = logging.WARNING, name: str = "a", **more: Any
) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": name, "levelno": level, "msg": message} | more)
    made.levelname = logging.getLevelName(level)
    return made


def raised(kind: type[Exception]) -> dict[str, Any]:
    return {"exc_info": (kind, kind(), None)}


def written(gate: FloodGate, times: int, now: float = 0.0, **more: Any) -> int:
    return sum(gate.admits(record(**more), now) for _ in range(times))


def test_of_one_thing_so_many_lines_are_written_in_a_minute() -> None:
    gate = FloodGate()
    assert written(gate, 40) == LINES_A_MINUTE
    assert written(gate, 40, now=59.9) == 0
    assert list(gate.over(59.9)) == []
    assert list(gate.over(60.0)) == [(("a", "broke", ""), 80 - LINES_A_MINUTE)]
    assert list(gate.over(60.0)) == [], "it is told once"
    assert written(gate, 40, now=60.0) == LINES_A_MINUTE


def test_a_minute_begins_with_the_first_line_of_each_thing() -> None:
    gate = FloodGate(most=1)
    written(gate, 2, now=0.0, message="one")
    written(gate, 2, now=30.0, message="two")
    assert [thing[1] for thing, _ in gate.over(60.0)] == ["one"]
    assert [thing[1] for thing, _ in gate.over(90.0)] == ["two"]


@pytest.mark.parametrize(
    "more",
    [
        {"message": "another"},
        {"name": "b"},
        raised(ValueError),
        raised(KeyError),
    ],
)
def test_another_message_logger_or_error_is_another_thing(more: dict[str, Any]) -> None:
    gate = FloodGate(most=1)
    assert written(gate, 9) == 1
    assert written(gate, 9, **more) == 1


def test_the_same_message_with_other_arguments_is_the_same_thing() -> None:
    gate = FloodGate(most=1)
    assert gate.admits(record("try %s", args=(1,)), 0)
    assert not gate.admits(record("try %s", args=(2,)), 0)


def test_what_is_no_warning_is_always_written() -> None:
    assert written(FloodGate(most=1), 50, level=logging.INFO) == 50


@pytest.mark.parametrize("action", sorted(EACH))
def test_what_work_bounds_is_told_each_time(action: str) -> None:
    assert written(FloodGate(most=1), 50, action=action) == 50


def test_a_thing_of_which_nothing_was_left_out_is_forgotten_without_a_word() -> None:
    gate = FloodGate()
    written(gate, LINES_A_MINUTE)
    assert list(gate.over(61.0)) == []
    assert written(gate, LINES_A_MINUTE, now=61.0) == LINES_A_MINUTE


def test_the_memory_of_things_has_an_end() -> None:
    gate = FloodGate(most=1)
    for number in range(5_000):
        assert gate.admits(record(f"message {number}"), 0.0)
    assert len(gate._minutes) <= 1_000


def test_what_was_left_out_is_told_before_the_next_line_whatever_that_is() -> None:
    now, out = [0.0], io.StringIO()
    handler = SparingHandler(out, lambda: now[0])
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    for _ in range(LINES_A_MINUTE + 7):
        handler.emit(record("broke", **raised(OSError) | {"name": "writer"}))
    now[0] = 61.0
    handler.emit(record("well", logging.INFO))
    lines = [each for each in out.getvalue().splitlines() if each[:4] in ("WARN", "INFO")]
    assert lines[:LINES_A_MINUTE] == ["WARNING writer broke"] * LINES_A_MINUTE
    assert lines[LINES_A_MINUTE:] == [
        "WARNING writer lines of one kind were left out",
        "INFO a well",
    ]


def test_the_line_of_what_was_left_out_says_how_many_and_of_what() -> None:
    seen: list[logging.LogRecord] = []

    class Kept(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            seen.append(record)
            return ""

    now = [0.0]
    handler = SparingHandler(io.StringIO(), lambda: now[0])
    handler.setFormatter(Kept())
    for _ in range(LINES_A_MINUTE + 7):
        handler.emit(record("try %s", args=(1,), **raised(OSError)))
    now[0] = 61.0
    handler.emit(record("well", logging.INFO))
    told = vars(seen[-2])
    assert (told["action"], told["left_out"]) == ("lines_left_out", 7)
    assert (told["of"], told["error"]) == ("try %s", "OSError")


def test_the_newest_chains_are_known_and_the_oldest_forgotten() -> None:
    names = ChainNames()
    for number in range(10_000):
        names.remember(str(number), {"verb": str(number)})
    names.remember("0", {"verb": "again"})
    names.remember("new", {"verb": "new"})
    assert names.of("1") == {}, "the oldest is forgotten"
    assert names.of("0") == {"verb": "again"}, "what was told again is new"
    assert names.of("2") == {"verb": "2"}
    assert names.of("nosuch") == {}


def test_names_are_remembered_from_any_thread() -> None:
    names, faults = ChainNames(), []

    def remember(own: int) -> None:
        try:
            for number in range(4_000):
                names.remember(f"{own}-{number}", {"verb": "v"})
        except Exception as error:  # noqa: BLE001 - whatever a race would raise
            faults.append(error)

    threads = [threading.Thread(target=remember, args=(own,)) for own in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert faults == []
    assert len(names._known) == 10_000
