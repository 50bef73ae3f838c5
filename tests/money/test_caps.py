"""Each of the six caps refuses by its own name and amounts, and money that is only set aside comes free again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import pytest
import sqlalchemy as sa

from claude_pool_gh import (
    CapReached,
    ChainOptions,
    ChainStep,
    Ending,
    OnFailure,
    Pool,
    PoolConfig,
    TaskOverrides,
)
from claude_pool_gh.pool.model.caps import Account
from claude_pool_gh.pool.model.money import dollars
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import cap_uses, chains, ledger, task_records, tasks
from claude_pool_gh.pool.store.tables import reservations
from claude_pool_gh.rehearsal.model import (
    Answer,
    ModelRequest,
    Reply,
    ScriptedModel,
    Text,
    ToolUse,
    Usage,
    say,
)
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.agent.bench import alive
from tests.money.hasty import Hasty
from tests.money.jobs import HAIKU, OPUS
from tests.pool.make import NOW, account, caps, plan

T = TypeVar("T")
CENT: Final = 10_000
DOLLAR: Final = 100 * CENT


class Store:
    """A ledger without a pool."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def do(self, work: Callable[[Transaction], T]) -> T:
        with self.database.engine.begin() as tx:
            return work(tx)

    def chain(self, chain_id: str, who: Account | None = None, /, **limits: int) -> None:
        """A chain of $3 with tasks of $1."""
        own = caps(**_WIDE | limits)
        self.do(lambda tx: chains.create(tx, chain_id, plan(), who or account(), own, NOW))

    def task(self, run_id: str, most: int, least: int = 1) -> int:
        chain_id = run_id.partition(".")[0]
        return self.do(
            lambda tx: ledger.reserve_task(
                tx, run_id, chain_id, "find", most=most, least=least, now_ms=NOW
            )
        )

    def request(self, name: str, run_id: str, amount: int) -> bool:
        return self.do(lambda tx: ledger.reserve_request(tx, name, run_id, "m", amount, NOW))

    def spend(self, run_id: str, amount: int) -> None:
        """All that a run has cost, and its end."""
        assert self.request(f"{run_id}.request", run_id, amount)
        self.do(lambda tx: ledger.settle_request(tx, f"{run_id}.request", amount, NOW))
        self.do(lambda tx: ledger.settle(tx, run_id, NOW))

    def finish(self, chain_id: str) -> None:
        end = Outcome(verdict=Verdict.answered)
        self.do(lambda tx: chains.finish(tx, chains.get(tx, chain_id), end, NOW))

    def park(self, chain_id: str) -> None:
        def begin_and_park(tx: Transaction) -> None:
            chains.begin(tx, chains.get(tx, chain_id), NOW)
            chains.park(tx, chains.get(tx, chain_id), "approval")

        self.do(begin_and_park)

    def unpark(self, chain_id: str) -> None:
        self.do(lambda tx: chains.unpark(tx, chains.get(tx, chain_id), NOW))

    def state(self, chain_id: str) -> ChainState:
        return self.do(lambda tx: chains.get(tx, chain_id).state)

    def holds(self, name: str) -> int:
        """What is set aside under an id."""
        held = sa.select(reservations.c.reserved).where(reservations.c.id == name)
        return int(self.do(lambda tx: tx.execute(held).scalar_one()))

    def count(self) -> int:
        rows = sa.select(sa.func.count()).select_from(reservations)
        return int(self.do(lambda tx: tx.execute(rows).scalar_one()))


_WIDE: Final = {
    "task": DOLLAR,
    "chain": 3 * DOLLAR,
    "thread": 99 * DOLLAR,
    "user_day": 99 * DOLLAR,
    "repository_month": 99 * DOLLAR,
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    database = Database.open(f"sqlite:///{tmp_path}/pool.sqlite")
    migrations.upgrade(database.engine)
    yield Store(database)
    database.close()


def told(refusal: CapReached) -> tuple[str, int, int, int]:
    return refusal.cap, refusal.limit, refusal.left, refusal.asked


# the four caps that many chains share

SHARED: Final = [
    ("thread", "thread", account(user="x", repository="2")),
    ("user_day", "user and day", account(thread="x", repository="2")),
    ("repository_month", "repository and month", account(thread="x", user="x")),
    ("pool", "pool and month", account(thread="x", user="x", repository="2")),
]
"""Setting, name, and an account that has only this cap in common with the first one."""


@pytest.mark.parametrize(("setting", "cap", "other"), SHARED)
def test_a_shared_cap_refuses_by_its_name_and_amounts(
    store: Store, setting: str, cap: str, other: Account
) -> None:
    limit = {setting: 5 * DOLLAR}
    store.chain("one", **limit)
    before = store.count()
    with pytest.raises(CapReached) as refused:
        store.chain("two", other, **limit)
    assert told(refused.value) == (cap, 5 * DOLLAR, 2 * DOLLAR, 3 * DOLLAR)
    assert str(refused.value) == f"the cap per {cap} of $5.00 has $2.00 left, asked for $3.00"
    assert store.count() == before


@pytest.mark.parametrize(("setting", "cap", "other"), SHARED)
def test_what_was_set_aside_and_not_spent_comes_free_for_others(
    store: Store, setting: str, cap: str, other: Account
) -> None:
    limit = {setting: 5 * DOLLAR}
    own = caps(**_WIDE | limit)
    store.chain("one", **limit)
    store.task("one.find.0.1", DOLLAR)
    store.spend("one.find.0.1", 30 * CENT)
    assert store.do(lambda tx: cap_uses.could_be_freed(tx, other, own, NOW)), "it is only set aside"
    store.do(lambda tx: cap_uses.ensure_affordable(tx, other, own, NOW))
    store.finish("one")
    store.chain("two", other, **limit)
    store.task("two.find.0.1", 3 * DOLLAR)
    store.spend("two.find.0.1", 3 * DOLLAR)
    store.finish("two")
    assert not store.do(lambda tx: cap_uses.could_be_freed(tx, other, own, NOW)), "it is spent"
    for attempt in (
        cap_uses.ensure_affordable,
        lambda tx, *rest: ledger.reserve_chain(tx, "three", *rest),
    ):
        with pytest.raises(CapReached) as refused:
            store.do(lambda tx, again=attempt: again(tx, other, own, NOW))  # type: ignore[misc]
        assert told(refused.value) == (cap, 5 * DOLLAR, 170 * CENT, 3 * DOLLAR)


@pytest.mark.parametrize(("setting", "cap", "other"), SHARED)
def test_a_parked_chain_lets_its_unused_money_go_and_takes_it_again(
    store: Store, setting: str, cap: str, other: Account
) -> None:
    limit = {setting: 5 * DOLLAR}
    store.chain("one", **limit)
    store.task("one.find.0.1", DOLLAR)
    store.spend("one.find.0.1", 30 * CENT)
    store.park("one")
    assert store.holds("one") == 30 * CENT
    store.chain("two", other, **limit)
    with pytest.raises(CapReached) as refused:
        store.unpark("one")
    assert told(refused.value) == (cap, 5 * DOLLAR, 170 * CENT, 270 * CENT)
    assert (store.state("one"), store.holds("one")) == (ChainState.parked, 30 * CENT)
    store.finish("two")
    store.unpark("one")
    assert (store.state("one"), store.holds("one")) == (ChainState.queued, 3 * DOLLAR)
    assert store.task("one.find.0.2", 9 * DOLLAR) == 270 * CENT, "what it had spent stays spent"
    with pytest.raises(CapReached):
        store.chain("three", other, **limit)


def test_a_parked_chain_that_ends_has_cost_what_it_spent(store: Store) -> None:
    store.chain("one", thread=5 * DOLLAR)
    store.task("one.find.0.1", DOLLAR)
    store.spend("one.find.0.1", 30 * CENT)
    store.park("one")
    store.finish("one")
    uses = store.do(
        lambda tx: cap_uses.cap_uses(tx, account(), caps(**_WIDE | {"thread": 5 * DOLLAR}), NOW)
    )
    assert {(use.used, use.limit - use.left) for use in uses} == {(30 * CENT, 30 * CENT)}


# the chain's and the task's own


def test_the_chains_cap_refuses_by_its_name_and_amounts(store: Store) -> None:
    store.chain("one")
    store.task("one.find.0.1", 299 * CENT)
    with pytest.raises(CapReached) as refused:
        store.task("one.find.1.1", DOLLAR, least=2 * CENT)
    assert told(refused.value) == ("chain", 3 * DOLLAR, CENT, 2 * CENT)
    assert str(refused.value) == "the cap per chain of $3.00 has $0.01 left, asked for $0.02"
    store.do(lambda tx: ledger.settle(tx, "one.find.0.1", NOW))
    assert store.task("one.find.1.1", DOLLAR, least=2 * CENT) == DOLLAR, (
        "the other task did not need it"
    )


def test_what_is_set_aside_for_a_task_is_all_that_its_requests_get(store: Store) -> None:
    store.chain("one")
    store.task("one.find.0.1", DOLLAR)
    assert store.request("a", "one.find.0.1", 60 * CENT)
    before = store.count()
    assert not store.request("b", "one.find.0.1", 40 * CENT + 1)
    assert store.count() == before
    store.do(lambda tx: ledger.settle_request(tx, "a", CENT, NOW))
    assert store.request("b", "one.find.0.1", 99 * CENT), "the first one did not need it"
    assert not store.request("c", "one.find.0.1", 1)


def test_a_task_that_is_cancelled_after_its_worker_died_still_tells_what_it_cost(
    store: Store,
) -> None:
    store.chain("one")

    def begin(tx: Transaction) -> None:
        tasks.add(tx, "one.find.0", "one", "find", 0, "Find", NOW)
        tasks.begin(tx, tasks.get(tx, "one.find.0"), "slot", "m", NOW)

    store.do(begin)
    store.task("one.find.0.1", DOLLAR)
    assert store.request("a", "one.find.0.1", 60 * CENT)
    end = Outcome(verdict=Verdict.cancelled)
    store.do(lambda tx: chains.finish(tx, chains.get(tx, "one"), end, NOW))
    result = store.do(lambda tx: task_records.task(tx, "one.find.0")).result
    assert result is not None
    assert (result.ending, result.success) == (Ending.cancelled, False)
    assert (result.cost_microdollars, result.upper_bound) == (60 * CENT, True)


# through a pool, with the real CLI


class Place:
    """Opens pools with the real CLI, whose model is scripted."""

    def __init__(self, model: ScriptedModel, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.agent = Hasty(key="x", base_url=model.url, model=HAIKU)

    def open(self, *, slots: int = 1, **config: Any) -> AbstractAsyncContextManager[Pool]:
        settings = PoolConfig(unattended_mode=True, retry_delay_secs=0.01, **config)
        return self._open(slots, settings)

    @asynccontextmanager
    async def _open(self, slots: int, settings: PoolConfig) -> AsyncIterator[Pool]:
        async with Pool.open(
            self.agent,
            folder=self.folder / "work",
            state=self.folder / "state",
            slots=slots,
            config=settings,
        ) as pool:
            yield pool
            held = sa.select(sa.func.count()).where(reservations.c.settled.is_(None))
            assert await pool.database.read(lambda tx: tx.execute(held).scalar_one()) == 0
            total = sa.select(sa.func.sum(reservations.c.settled)).where(
                reservations.c.level == "request"
            )
            spent = await pool.database.read(lambda tx: tx.execute(total).scalar_one()) or 0
            assert (await pool.status()).total_spend_microdollars == spent >= self.model.bill.total


@pytest.fixture
async def place(folder: Path) -> AsyncIterator[Place]:
    async with ScriptedModel.start(lambda _: say("done")) as model:
        yield Place(model, folder)


def dear(request: ModelRequest) -> Answer:
    """As much as the request's money pays for, and wanting more."""
    usage = Usage(input_tokens=10, output_tokens=int(request.body["max_tokens"]))
    return Answer((ToolUse("Read", {"file_path": "a.txt"}),), usage)


async def test_a_task_ends_at_its_cap_and_says_what_it_was(place: Place) -> None:
    place.model.script = dear
    async with place.open() as pool:
        result = await pool.run("Go", config=TaskOverrides(max_budget_usd=0.15))
    left = 15 * CENT - result.cost_microdollars
    assert result.ending is Ending.out_of_budget
    assert result.reason.startswith(
        f"the money set aside for this run, $0.15, has {dollars(left)} left, which does not pay for another request"
    )
    assert "TaskOverrides.max_budget_usd" in result.reason, "the setting that changes it"
    assert 0 < result.cost_microdollars == place.model.bill.total <= 15 * CENT


async def test_a_task_too_poor_to_begin_is_refused_by_the_tasks_cap(place: Place) -> None:
    async with place.open() as pool:
        with pytest.raises(CapReached) as refused:
            await pool.run("Go", config=TaskOverrides(max_budget_usd=0.01))
        assert await pool.tasks() == []
    assert refused.value.asked > refused.value.left == CENT
    assert str(refused.value) == (
        f"the cap per task of $0.01 has $0.01 left, asked for {dollars(refused.value.asked)}; "
        "to change it, set TaskOverrides.max_budget_usd or PoolConfig.task_budget_usd"
    )
    assert place.model.requests == []


async def test_a_second_attempt_is_refused_by_the_tasks_cap_where_the_first_has_used_it(
    place: Place,
) -> None:
    """The CLI dies in mid-answer, which would be worth another try: what it cost is its worst case, so everything."""

    def script(_: ModelRequest) -> Reply:
        for process in alive(str(place.folder / "tmp")):
            process.kill()
        return Answer((Text("half"), Text("never")), stall_after=1)

    place.model.script = script
    async with place.open() as pool:
        result = await pool.run("Go", config=TaskOverrides(max_budget_usd=0.1, retries=1))
    assert result.ending is Ending.out_of_budget
    assert result.reason.startswith("the cap per task of $0.10 has $0.00")
    assert len(place.model.requests) == 1
    assert result.upper_bound
    assert 10 * CENT - 10 <= result.cost_microdollars <= 10 * CENT


async def test_a_chains_later_step_is_refused_by_the_chains_cap(place: Place) -> None:
    place.model.script = lambda _: Answer((Text("half"), Text("never")), cut_after=1)
    steps = [
        ChainStep(name="one", prompt="Go", on_failure=OnFailure.go_on),
        ChainStep(name="two", prompt="Go on"),
    ]
    async with place.open() as pool:
        chain_id = await pool.submit_chain(steps, options=ChainOptions(budget_usd=0.09))
        result = await pool.wait_chain(chain_id)
        asked = len(place.model.requests)
        place.model.script = lambda _: say("done")
        chain_id = await pool.submit_chain(steps, options=ChainOptions(budget_usd=0.09))
        frugal = await pool.wait_chain(chain_id)
    assert result is not None
    assert (result.verdict, asked) == ("out_of_budget", 1)
    told = r"step two: the cap per chain of \$0\.09 has \$0\.0[34]\d* left, asked for \$0\.06"
    assert re.match(told, result.reason), "before its process is started"
    assert result.total_cost_microdollars <= 9 * CENT
    assert frugal is not None
    assert frugal.success, "what the first step did not need is there for the second"


async def test_a_step_whose_share_is_too_small_is_not_told_of_the_chains_cap(place: Place) -> None:
    steps = [ChainStep(name="one", prompt="Go", share=0.01)]
    async with place.open() as pool:
        chain_id = await pool.submit_chain(steps, options=ChainOptions(budget_usd=1))
        result = await pool.wait_chain(chain_id)
    assert result is not None
    assert result.reason.startswith(
        "step one: the cap per step of $0.01 has $0.01 left, asked for $0.06"
    )


async def test_the_pools_cap_refuses_by_its_name_once_it_is_spent_and_not_before(
    place: Place,
) -> None:
    """All three tasks of $0.30 run, beside each other: each begins with the least and needs no more."""
    config = TaskOverrides(max_budget_usd=0.3)
    async with place.open(slots=3, budget_microdollars=40 * CENT) as pool:
        results = await pool.fan_out(["a", "b", "c"], config=config)
        assert [result.success for result in results] == [True] * 3
        place.model.script = dear
        with pytest.raises(CapReached) as refused:  # noqa: PT012 - which of them finds too little is no matter
            for number in range(10):
                await pool.run(f"dear {number}", config=config)
        status = await pool.status()
    spent = status.total_spend_microdollars
    assert told(refused.value)[:3] == ("pool and month", 40 * CENT, 40 * CENT - spent)
    assert refused.value.left < refused.value.asked < 7 * CENT, "no more than a run needs to begin"
    assert spent <= 40 * CENT
    assert (status.budget_microdollars, status.reserved_microdollars) == (40 * CENT, 0)


async def test_a_chain_that_waits_for_approval_leaves_its_money_to_others(place: Place) -> None:
    """And cannot go on while they hold it; then it takes it again."""
    answer = asyncio.Event()

    async def script(request: ModelRequest) -> Reply:
        if "[held]" in request.text:
            await answer.wait()
        return say("done")

    place.model.script = script
    steps = [ChainStep(name="one", prompt="Go", gate=True), ChainStep(name="two", prompt="Go on")]
    async with place.open(slots=2, budget_microdollars=25 * CENT) as pool:
        chain_id = await pool.submit_chain(steps, options=ChainOptions(budget_usd=0.3))
        assert await pool.wait_chain(chain_id) is None
        spent = (await pool.status()).total_spend_microdollars
        assert (await pool.status()).reserved_microdollars == 0
        holder = await pool.submit("[held]", config=TaskOverrides(max_budget_usd=0.3))
        while not any("[held]" in request.text for request in place.model.requests):
            await asyncio.sleep(0.02)
        with pytest.raises(CapReached) as refused:
            await pool.approve(chain_id)
        assert (refused.value.cap, refused.value.limit) == ("pool and month", 25 * CENT)
        assert refused.value.left < refused.value.asked < 7 * CENT
        assert spent > 0
        assert (await pool.chain_progress(chain_id)).waits_for == "approval"
        answer.set()
        assert (await pool.wait(holder)).success
        await pool.approve(chain_id)
        result = await pool.wait_chain(chain_id)
        assert result is not None
        assert result.success


async def test_a_model_that_the_task_may_not_use_is_refused_and_costs_nothing(place: Place) -> None:
    refused: list[int] = []

    async def script(request: ModelRequest) -> Reply:
        """While the CLI waits for its answer, somebody asks for another model in its name."""
        gateway = place.agent.opened
        assert gateway is not None
        (token,) = gateway._passes
        url = f"{gateway._url}/run/{token}/v1/messages"
        async with aiohttp.ClientSession() as session:
            for model in (OPUS, "", HAIKU.upper()):
                async with session.post(url, json={**request.body, "model": model}) as answer:
                    refused.append(answer.status)
        return say("done", usage=Usage(10, 20))

    place.model.script = script
    async with place.open() as pool:
        result = await pool.run("Go")
        rows = sa.select(reservations.c.model, reservations.c.settled).where(
            reservations.c.level == "request"
        )
        booked = await pool.database.read(lambda tx: tx.execute(rows).all())
    assert refused == [402] * 3
    assert [request.model for request in place.model.requests] == [HAIKU]
    assert [tuple(row) for row in booked] == [(HAIKU, 110)]
    assert (result.ending, result.cost_microdollars) == (Ending.failed, 110)
    assert result.reason == f"the agent asked for the model {OPUS!r}, which this step may not use"
