"""The view of audits at work: slots as rows, parts done, money and time; plain lines for a log."""

from __future__ import annotations

import io
from dataclasses import replace

from claude_pool_gh.config.model import Audit
from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.service.audit.progress import BusySlot, Seen, head, news, picture, seen
from claude_pool_gh.service.console import Console
from tests.conversation import rows
from tests.pool.make import NOW as NOW_MS


def busy(slot: str, step: str = "find", **more: str) -> BusySlot:
    fields = {"title": "shop/ (a.py to b.py)", "repository": "octo/shop"} | more
    return BusySlot(slot=slot, step=step, seconds=12.0, **fields)


NOW = Seen(
    busy=(busy("slot-1"), busy("slot-0", "verify", title="shop/prices.py:8 \x1b[31m")),
    parts=10,
    read=4,
    claims=2,
    verified=1,
    cost=1_230_000,
    budget=5_000_000,
    seconds_of_parts=120.0,
)


def drawn(now: Seen) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=140, color_system=None)
    console.print(picture(now, 65.0))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_sees_slots_as_rows_parts_money_and_the_time_that_is_left() -> None:
    lines = drawn(NOW).splitlines()
    assert lines[0].startswith(
        "4 of 10 parts read, 1 of 2 claims verified, $1.23 of $5.00, 1 min 5 s"
    )
    assert "about 3 min of reading left" in " ".join(lines[:2])
    (first,) = [line for line in lines if "slot-0" in line]
    (second,) = [line for line in lines if "slot-1" in line]
    assert lines.index(first) < lines.index(second), "a slot keeps its row"
    assert "verifies" in first
    assert "\x1b" not in first, "a file's name cannot drive the terminal"
    assert "reads" in second


def test_of_several_repositories_each_row_names_its_own() -> None:
    assert "octo/shop: shop/" in drawn(Seen(repositories=2, busy=(busy("slot-0"),)))
    assert "octo/shop" not in drawn(Seen(busy=(busy("slot-0"),)))


def test_the_time_left_is_told_only_where_something_tells_it() -> None:
    assert NOW.left == 120 / 4 * 6 / 1
    assert Seen(parts=3).left is None
    assert Seen(parts=3, read=3, seconds_of_parts=9.0).left is None
    assert head(Seen(budget=1_000_000), 2.0) == "planning, $0.00 of $1.00, 2.0 s"


def test_a_part_that_failed_is_not_called_read() -> None:
    found = rows.step("plan", result={"shards": [{}, {}, {}]})
    own = [
        rows.task("find", 0),
        rows.task("find", 1, TaskState.failed),
        rows.task("find", 2, TaskState.running),
    ]
    context = {"repository_id": 0, "repository": "shop", "commit": "c", "branch": "main"}
    subject = Subject(**context, name="n", kind="defects", settings=Audit())
    carried = rows.chain(rows=[found])
    plan = carried.plan.model_copy(update={"context": subject.model_dump(mode="json")})
    now = seen(replace(carried, plan=plan), own, 0, NOW_MS)
    assert head(now, 2.0).startswith("1 of 3 parts read, 1 not read, ")
    assert len(list(news(Seen(parts=3, read=1), now, 2.0))) == 1


def test_a_log_gets_a_line_only_when_something_was_done() -> None:
    assert list(news(Seen(), Seen(), 1.0)) == []
    assert len(list(news(Seen(), NOW, 1.0))) == 1
    assert list(news(NOW, NOW, 2.0)) == [], "time alone is no news"
