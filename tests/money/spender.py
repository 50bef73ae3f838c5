"""Spends: opens a durable pool with the real Claude CLI, and works off jobs; may be killed and started again.

`FOLDER/orders.json` says what to do; `FOLDER/report.json`, written after the pool has closed, what the pool says of it.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh import (
    CapReached,
    ChainOptions,
    ChainStep,
    MetricsFilter,
    OnFailure,
    Pool,
    PoolConfig,
    TaskOverrides,
)
from claude_pool_gh.pool.model.ids import ChainId, TaskId
from claude_pool_gh.pool.store import chains
from claude_pool_gh.pool.store.tables import reservations, tags
from claude_pool_gh.storage import Transaction
from tests.money import watch
from tests.money.hasty import Hasty

_MOST_GREEDY: Final = 200
_DEAR: Final = TaskOverrides(model="claude-opus-5-5", max_budget_usd=1.2)


async def main(folder: Path) -> None:
    orders = json.loads((folder / "orders.json").read_text())
    # timed-out runs need not be waited for so long
    agent = Hasty(key="x", base_url=orders["model"], read_on=orders["read_on"])
    config = PoolConfig.model_validate(orders["config"])
    async with Pool.open(
        agent, folder=folder / "work", state=folder / "state", slots=orders["slots"], config=config
    ) as pool:
        await pool.database.transact(lambda tx: watch.begin(tx, config.budget_microdollars or 0))
        known = await pool.database.read(_by_tag)
        cancelling = asyncio.create_task(_cancel(pool, orders["jobs"]))
        await asyncio.gather(
            *(_carry(pool, job, known.get(job["name"], [])) for job in orders["jobs"])
        )
        cancelling.cancel()
        with suppress(asyncio.CancelledError):
            await cancelling
        await _fill_up(pool, known, orders["runs"])
        refused = await asyncio.gather(*(_spend_the_rest(pool, known, shard) for shard in range(2)))
        report = await _report(pool)
    (folder / "report.json").write_text(json.dumps(report | {"refused": refused}))


def _by_tag(tx: Transaction) -> dict[str, list[str]]:
    """What was queued before this process was started, by the job's name."""
    found = defaultdict(list)
    for row in tx.execute(sa.select(tags.c.tag, tags.c.chain_id).order_by(tags.c.chain_id)):
        found[str(row.tag)].append(str(row.chain_id))
    return found


async def _carry(pool: Pool, job: dict[str, Any], known: list[str]) -> None:
    """One job to its end; the pool's cap may be reached before."""
    with suppress(CapReached):
        for each in known or await _begin(pool, job):
            await (
                pool.wait_chain(ChainId(each))
                if job["kind"] == "chain"
                else pool.wait(TaskId(each))
            )


async def _begin(pool: Pool, job: dict[str, Any]) -> list[str]:
    """Queue a job; the ids of what is still to be waited for."""
    texts, configs = zip(*job["prompts"], strict=True)
    settings, tag = [TaskOverrides.model_validate(config) for config in configs], (job["name"],)
    match job["kind"]:
        case "task":
            return [await pool.submit(texts[0], config=settings[0], tags=tag)]
        case "fan":
            await pool.fan_out(texts, config=settings[0], tags=tag)
            return []
        case _:
            steps = [
                ChainStep(
                    name=f"s{number}",
                    prompt=text,
                    config=settings[number],
                    on_failure=OnFailure.go_on,
                )
                for number, text in enumerate(texts)
            ]
            options = ChainOptions(tags=tag, budget_usd=job["budget_usd"])
            return [await pool.submit_chain(steps, options=options)]


async def _cancel(pool: Pool, jobs: list[dict[str, Any]]) -> None:
    """Cancel the first run that begins of each job that is to be cancelled, so long after its beginning."""
    wanted = {job["name"]: job["cancel"] for job in jobs if job["cancel"] is not None}
    seen: set[str] = set()
    async with asyncio.TaskGroup() as group:
        while True:
            await asyncio.sleep(0.05)
            begun = [
                each for each, held in pool.live.held.items() if held.runs and each not in seen
            ]
            seen |= set(begun)
            read = partial(chains.tags_of, chain_ids=begun)
            names = await pool.database.read(read) if begun else {}
            for each, (name, *_) in names.items():
                if name in wanted:
                    group.create_task(_cancel_later(pool, each, wanted.pop(name)))


async def _cancel_later(pool: Pool, given: str, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await (
        pool.cancel_chain(ChainId(given))
        if given.startswith("chain-")
        else pool.cancel(TaskId(given))
    )


async def _fill_up(pool: Pool, known: dict[str, list[str]], runs: int) -> None:
    """Plain tasks until there were so many runs."""
    before = known.get("extra", [])
    for each in before:
        await pool.wait(TaskId(each))
    begun = sa.select(sa.func.count()).where(reservations.c.level == "task")
    missing = runs - int(await pool.database.read(lambda tx: tx.execute(begun).scalar_one()))
    config = TaskOverrides(model="claude-haiku-4-5", max_budget_usd=0.2)
    with suppress(CapReached):
        texts = [f"[extra{len(before) + number}.0] Go." for number in range(missing)]
        await pool.fan_out(texts, config=config, tags=["extra"])


async def _spend_the_rest(pool: Pool, known: dict[str, list[str]], shard: int) -> dict[str, Any]:
    """Dear tasks, one after the other, until the pool refuses one."""
    for number in range(shard, _MOST_GREEDY, 2):
        name = f"greedy{number}"
        text, config = f"[{name}.0] Say all you can.", _DEAR
        try:
            (task_id,) = known.get(name) or [await pool.submit(text, config=config, tags=(name,))]
        except CapReached as refusal:
            return {
                "cap": refusal.cap,
                "text": str(refusal),
                "left": refusal.left,
                "asked": refusal.asked,
            }
        await pool.wait(TaskId(task_id))
    raise RuntimeError("the pool's money never ends")


async def _report(pool: Pool) -> dict[str, Any]:
    everything = MetricsFilter()
    results = {
        each.chain_id: await pool.chain_result(each.chain_id) for each in await pool.chains()
    }
    return {
        "tasks": [task.model_dump(mode="json") for task in await pool.tasks()],
        "chains": {
            name: result and result.model_dump(mode="json") for name, result in results.items()
        },
        "metrics": (await pool.metrics(everything)).model_dump(mode="json"),
        "status": (await pool.status()).model_dump(mode="json"),
    }


def spend(arguments: Sequence[str]) -> None:
    """What the process does."""
    asyncio.run(main(Path(arguments[0])))
