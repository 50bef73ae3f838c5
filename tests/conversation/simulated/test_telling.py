"""What status, cost, config and help tell is what the rows and the files say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from claude_pool_gh.conversation.services import Defaults
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.tables import Standing
from claude_pool_gh.github import thread_rows
from claude_pool_gh.pool.model.config import SlotConfig
from claude_pool_gh.pool.store import ledger, slot_rows, steps, tasks
from tests.conversation.simulated.kit import Desk
from tests.conversation.simulated.kit import desk as opened
from tests.findings.make import finding

pytestmark = pytest.mark.asyncio(loop_scope="module")
DAY = 86_400_000


def rows(text: str) -> list[list[str]]:
    """The cells of every row of the text's tables."""
    lines = [line for line in text.splitlines() if line.startswith("|") and "--" not in line]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def spend(desk: Desk, chain_id: str, amount: int, model: str = "m") -> None:
    """An agent of a chain has spent this."""
    chain, name = desk.row(chain_id), f"{chain_id}.mend.0"
    desk.made += 1
    request = f"r{desk.made}"
    with desk.database.engine.begin() as tx:
        if not chain.steps[0].started_ms:
            steps.begin(tx, chain.steps[0], desk.clock.now)
            tasks.add(tx, name, chain_id, "mend", 0, "all of it", desk.clock.now)
            task = tasks.begin(tx, tasks.get(tx, name), "slot-0", model, desk.clock.now)
            ledger.reserve_task(
                tx, task.run_id, chain_id, "mend", most=2_000_000, least=1, now_ms=desk.clock.now
            )
        ledger.reserve_request(tx, request, f"{name}.1", model, amount, desk.clock.now)
        ledger.settle_request(tx, request, amount, desk.clock.now)


# ---- status


async def test_status_lists_the_threads_runs_newest_first_with_what_became_of_each(
    desk: Desk,
) -> None:
    pull = desk.topic()
    over = desk.end(desk.chain(desk.facts(pull)))
    running = desk.chain(desk.facts(pull))
    queued = desk.chain(desk.facts(pull), begun=False)
    waiting, gate = desk.shown(desk.facts(pull))
    spend(desk, running, 250_000)
    text = (await desk.say("/pool status", at=pull)).text
    found = {cells[0].strip("`"): cells[2:] for cells in rows(text)[1:]}
    assert list(found) == [waiting, queued, running, over]
    assert found[over] == ["NOT DONE: out of budget", "`mona`", "$0.00"]
    assert found[running] == ["running", "`mona`", "$0.25"]
    assert found[queued] == ["waiting in the queue", "`mona`", "$0.00"]
    assert found[waiting][0] == f"AWAITING APPROVAL: 1 file, +1 -1 `{gate}`"
    assert "0 of 0 slots are busy" in text


async def test_a_patch_that_nobody_can_approve_any_more_has_no_id(desk: Desk) -> None:
    pull = desk.topic()
    _, gate = desk.shown(desk.facts(pull))
    key = f"{desk.shop.id}:{pull.number}"
    desk.do(lambda tx: thread_rows.note(tx, key, head="e" * 40))
    text = (await desk.say("/pool status", at=pull)).text
    assert "NOT APPLIED: the head has moved to `eeeeeeeee`" in text
    assert gate not in text


async def test_status_says_how_busy_the_slots_are_and_who_waits(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with opened(tmp_path_factory.mktemp("busy")) as desk:
        desk.do(lambda tx: slot_rows.register(tx, "w", [SlotConfig(), SlotConfig()]))
        waits = desk.chain(desk.facts(), begun=False)
        text = (await desk.say("/pool status")).text
        assert "0 of 2 slots are busy, the queue is empty." in text, "it begins at once"
        for slot in ("slot-0", "slot-1"):
            with desk.database.engine.begin() as tx:
                slot_rows.occupy(tx, slot, "w", SlotConfig(), waits)
        text = (await desk.say("/pool status")).text
        assert "2 of 2 slots are busy, 1 waiting in the queue." in text


async def test_status_tells_what_became_of_earlier_findings(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with opened(tmp_path_factory.mktemp("shares")) as desk:
        assert "earlier findings" not in (await desk.say("/pool status")).text
        found = [finding(evidence=f"line {number}", title=f"t{number}") for number in range(3)]
        key = f"{desk.shop.id}:7"
        desk.do(lambda tx: tables.remember(tx, key, "c", "review", found, 1))
        first = desk.do(lambda tx: tables.every(tx, key))[0]
        desk.do(lambda tx: tables.settle(tx, key, first.mark, Standing.fixed, 2))
        text = (await desk.say("/pool status")).text
        assert ["review", "3", "1 (33 %)", "0", "0", "2 (66 %)"] in rows(text)


# ---- cost


async def test_cost_sums_up_by_verb_model_user_and_week_the_dearest_first(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with opened(tmp_path_factory.mktemp("cost")) as desk:
        # The first of a month: what was spent the day before counts in the weeks alone.
        desk.clock.now = int(datetime(2026, 9, 1, 12, tzinfo=UTC).timestamp() * 1000)
        for days, verb, amount, model in (
            (100, "fix", 900_000, "m1"),
            (8, "fix", 100_000, "m1"),
            (1, "fix", 200_000, "m1"),
            (0, "review", 400_000, "m2"),
        ):
            desk.clock.now -= days * DAY
            spend(desk, desk.chain(desk.facts(), verb), amount, model)
            desk.clock.now += days * DAY
        text = (await desk.say("/pool cost")).text
    assert "has spent **$0.40** this month." in text
    found = rows(text)
    at = found.index(["verb", "runs", "cost"])
    assert found[at + 1 : at + 3] == [["`review`", "1", "$0.40"], ["`fix`", "2", "$0.30"]]
    assert found[at + 3 : at + 6] == [
        ["model", "runs", "cost"],
        ["`m2`", "1", "$0.40"],
        ["`m1`", "2", "$0.30"],
    ]
    assert found[at + 6 : at + 8] == [["user", "runs", "cost"], ["`mona`", "3", "$0.70"]]
    assert found[at + 8 :] == [
        ["week", "runs", "cost"],
        ["`2026-W36`", "2", "$0.60"],
        ["`2026-W35`", "1", "$0.10"],
    ]


# ---- config


async def test_config_tells_each_value_and_who_has_set_it(desk: Desk) -> None:
    with desk.configured("budget: {task: 2}\nbots: [5, 6]\n"):
        text = (await desk.say("/pool config", at=desk.topic())).text
    found = {cells[0].strip("`"): cells[1:] for cells in rows(text)}
    assert found["budget.task"] == ["`2.0`", "`.github/claude-pool.yml`"]
    assert found["bots"] == ["`[5, 6]`", "`.github/claude-pool.yml`"]
    assert found["budget.chain"] == ["`3.0`", "default"]
    assert found["notify"] == ["`true`", "default"]
    assert found["runs_in"] == ["`app`", "default"]


async def test_config_tells_what_the_server_decides(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    defaults = Defaults(model="m", pool_cap=None, idle_seconds=60, wall_seconds=90)
    folder = tmp_path_factory.mktemp("server")
    async with opened(folder, defaults=defaults, runs_in="action") as desk:
        text = (await desk.say("/pool config")).text
        found = {cells[0].strip("`"): cells[1:] for cells in rows(text)}
        assert found["wall_minutes"] == ["`1.5`", "this server"]
        assert found["runs_in"] == ["`action`", "this server"]
        with desk.configured("runs_in: action\nwall_minutes: 5\n"):
            text = (await desk.say("/pool config", at=desk.topic())).text
        found = {cells[0].strip("`"): cells[1:] for cells in rows(text)}
        assert found["runs_in"] == ["`action`", "`.github/claude-pool.yml`"]
        assert found["wall_minutes"] == ["`1.5`", "this server"], "it goes before the file"


# ---- help


async def test_help_tells_the_roles_that_hold_here(desk: Desk) -> None:
    sorter = desk.user("sorter", "triage")
    with desk.configured("permissions: {review: triage, status: admin}\n"):
        text = (await desk.say("/pool help", sorter, at=desk.topic())).text
        one = (await desk.say("/pool help REVIEW", at=desk.topic())).text
    found = {cells[0].strip("`").split()[1]: cells[2] for cells in rows(text)[1:]}
    assert (found["review"], found["fix"], found["status"]) == ("triage", "write 🔒", "admin 🔒")
    assert "Your role here is **triage**. 🔒 needs a higher role than yours." in text
    assert one.startswith("`/pool review [PATH…]`")
    assert "Needs the role **triage** here." in one
    assert "- `--focus TEXT` what to look at first, in quotes" in one


async def test_help_with_a_word_that_is_no_verb_is_help_with_all(desk: Desk) -> None:
    text = (await desk.say("/pool help nonsense", at=desk.topic())).text
    assert text.startswith("| command | on | needs | does |")
    admin = desk.user("boss", "admin")
    assert "🔒" not in (await desk.say("/pool help", admin, at=desk.topic())).text
