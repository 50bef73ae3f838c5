"""The ledger against a model of it, in any order of reserving and settling."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.store import chains, costs, ledger
from claude_pool_gh.pool.store.tables import reservations
from claude_pool_gh.storage import Database, migrations
from tests.pool.make import DAY, NOW, account, caps, plan
from tests.rotation import examples

ACCOUNTS = [
    account("1:7", "mona", "1"),
    account("1:7", "hubot", "1"),
    account("1:8", "mona", "1"),
    account("2:1", "mona", "2"),
]
THREAD, USER_DAY, REPOSITORY_MONTH, POOL = 70, 110, 150, 190


@cache
def _empty() -> bytes:
    """The file of a migrated database."""
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        file = Path(folder, "empty.db")
        database = Database.open(f"sqlite:///{file}")
        migrations.upgrade(database.engine)
        database.close()
        return file.read_bytes()


@dataclass
class Sum:
    """A reservation as it should be."""

    reserved: int
    parent: str | None = None
    who: int = 0
    day: int = 0
    settled: int | None = None
    upper_bound: bool = False
    children: list[str] = field(default_factory=list)

    @property
    def used(self) -> int:
        return self.reserved if self.settled is None else self.settled


class Ledger(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="ledger-")
        self.database = Database.open(f"sqlite:///{self.folder.name}/pool.db")
        self.sums: dict[str, Sum] = {}
        self.whole: dict[str, int] = {}
        self.least: dict[str, int] = {}
        """The caps of chains that began with little."""
        self.day = 0

    @initialize()
    def begin(self) -> None:
        Path(self.folder.name, "pool.db").write_bytes(_empty())

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    def _now(self) -> int:
        return NOW + self.day * DAY

    def _level(self, depth: int) -> list[str]:
        return [name for name in self.sums if name.count(".") == depth]

    def _left(self, name: str) -> int:
        one = self.sums[name]
        return (
            0
            if one.settled is not None
            else one.reserved - sum(self.sums[child].used for child in one.children)
        )

    def _used(self, **same: object) -> int:
        return sum(
            one.used
            for name, one in self.sums.items()
            if "." not in name
            and all(ACCOUNTS[one.who].get(key, one.day) == value for key, value in same.items())
        )

    def _add(self, name: str, reserved: int, parent: str | None, who: int = 0) -> None:
        self.sums[name] = Sum(reserved, parent, who, self.day)
        if parent is not None:
            self.sums[parent].children.append(name)

    @rule(who=st.integers(0, len(ACCOUNTS) - 1), amount=st.sampled_from([1, 10, 30, 70]))
    def reserve_chain(self, who: int, amount: int) -> None:
        name, mine = f"c{len(self.sums)}", ACCOUNTS[who]
        fits = (
            self._used(thread=mine["thread"]) + amount <= THREAD
            and self._used(user=mine["user"], day=self.day) + amount <= USER_DAY
            and self._used(repository=mine["repository"]) + amount <= REPOSITORY_MONTH
            and self._used() + amount <= POOL
        )
        limits = caps(
            chain=amount,
            thread=THREAD,
            user_day=USER_DAY,
            repository_month=REPOSITORY_MONTH,
            pool=POOL,
        )
        try:
            with self.database.engine.begin() as tx:
                assert chains.create(tx, name, plan(), mine, limits, self._now())
        except CapReached:
            assert not fits
        else:
            assert fits
            self._add(name, amount, None, who)

    @rule(
        who=st.integers(0, len(ACCOUNTS) - 1),
        amount=st.sampled_from([30, 200]),
        least=st.integers(1, 9),
    )
    def reserve_part_of_a_chain(self, who: int, amount: int, least: int) -> None:
        """A chain that begins with little."""
        name, mine = f"c{len(self.sums)}", ACCOUNTS[who]
        limits = caps(
            chain=amount,
            thread=THREAD,
            user_day=USER_DAY,
            repository_month=REPOSITORY_MONTH,
            pool=POOL,
            least=least,
        )
        with suppress(CapReached), self.database.engine.begin() as tx:
            assert chains.create(tx, name, plan(), mine, limits, self._now())
            self._add(name, least, None, who)
            self.whole[name], self.least[name] = amount, least

    @rule(
        data=st.data(),
        wanted=st.sampled_from([5, 200]),
        most=st.sampled_from([20, 200]),
        beside=st.integers(1, 3),
    )
    def extend(self, data: st.DataObject, wanted: int, most: int, beside: int) -> None:
        """How much it is, the rows say; the invariants say whether it may be."""
        if not (known := self._level(1)):
            return
        name = data.draw(st.sampled_from(known))
        parent = name.rpartition(".")[0]
        before = {each: self.sums[each].reserved for each in (name, parent)}
        with self.database.engine.begin() as tx:
            free = ledger.extend(tx, name, wanted, most, self._now(), beside=beside)
            for each in (name, parent):
                self.sums[each].reserved = ledger.granted(tx, each)
        assert self.sums[name].reserved <= max(before[name], most)
        assert self.sums[parent].reserved <= max(before[parent], self.whole.get(parent, 0))
        assert all(self.sums[each].reserved >= before[each] for each in before)
        assert free == self._left(name)

    @rule(data=st.data(), most=st.integers(1, 40), least=st.integers(1, 10))
    def reserve_task(self, data: st.DataObject, most: int, least: int) -> None:
        if not (known := self._level(0)):
            return
        parent = data.draw(st.sampled_from(known))
        if parent in self.whole:  # it may grow for this
            with self.database.engine.begin() as tx:
                grown = ledger._extended_chain(tx, parent, least, self._now())
                self.sums[parent].reserved = ledger.granted(tx, parent)
            assert grown == self._left(parent)
        name, wanted = f"{parent}.{len(self.sums)}", min(most, self._left(parent))
        try:
            with self.database.engine.begin() as tx:
                granted = ledger.reserve_task(
                    tx, name, parent, "find", most=most, least=least, now_ms=self._now()
                )
        except CapReached:
            assert wanted < least
        else:
            assert granted == wanted >= least
            self._add(name, granted, parent)

    @rule(data=st.data(), amount=st.integers(1, 20))
    def reserve_request(self, data: st.DataObject, amount: int) -> None:
        if not (known := self._level(1)):
            return
        parent = data.draw(st.sampled_from(known))
        name = f"{parent}.{len(self.sums)}"
        with self.database.engine.begin() as tx:
            taken = ledger.reserve_request(tx, name, parent, "m", amount, self._now())
        assert taken == (amount <= self._left(parent))
        if taken:
            self._add(name, amount, parent)

    @rule(data=st.data(), part=st.floats(0, 1))
    def settle_request(self, data: st.DataObject, part: float) -> None:
        if not (known := self._level(2)):
            return
        name = data.draw(st.sampled_from(known))
        one = self.sums[name]
        cost = int(one.reserved * part)
        with self.database.engine.begin() as tx:
            ledger.settle_request(tx, name, cost, self._now())
        if one.settled is None:
            one.settled = cost
        run = name.rpartition(".")[0]
        chain = run.rpartition(".")[0]
        if chain in self.least:  # what takes more as it needs it lets go what it does not need
            self._lower(run, self.least[chain])
            self._lower(chain, 0)

    def _lower(self, name: str, more: int) -> None:
        one = self.sums[name]
        if one.settled is None:
            one.reserved = min(
                one.reserved, sum(self.sums[each].used for each in one.children) + more
            )

    @rule(data=st.data())
    def lose_request(self, data: st.DataObject) -> None:
        if not (known := self._level(2)):
            return
        name = data.draw(st.sampled_from(known))
        with self.database.engine.begin() as tx:
            ledger.settle_request_unknown(tx, name, "lost", self._now())
        self._close(name)

    @rule(data=st.data(), depth=st.integers(0, 1))
    def settle(self, data: st.DataObject, depth: int) -> None:
        if not (known := self._level(depth)):
            return
        name = data.draw(st.sampled_from(known))
        with self.database.engine.begin() as tx:
            total = ledger.settle(tx, name, self._now())
        self._close(name)
        assert total == self.sums[name].settled

    def _close(self, name: str) -> None:
        one = self.sums[name]
        for child in one.children:
            self._close(child)
        if one.settled is None and name.count(".") == 2:
            one.settled, one.upper_bound = one.reserved, True
        elif one.settled is None:
            inside = [self.sums[child] for child in one.children]
            one.settled, one.upper_bound = (
                sum(each.used for each in inside),
                any(each.upper_bound for each in inside),
            )

    @rule()
    def sleep(self) -> None:
        self.day = min(self.day + 1, 20)  # still the same month

    @invariant()
    def the_rows_are_the_model(self) -> None:
        with self.database.engine.begin() as tx:
            rows = tx.execute(sa.select(reservations)).all()
            found = {name: costs.cost_of(tx, name) for name in self.sums if name.count(".") < 2}
        assert {row.id: (row.reserved, row.settled, bool(row.upper_bound)) for row in rows} == {
            name: (one.reserved, one.settled, one.upper_bound) for name, one in self.sums.items()
        }
        for name, (cost, bound) in found.items():
            inside = [
                one
                for each, one in self.sums.items()
                if each.startswith(f"{name}.") and each.count(".") == 2
            ]
            assert cost == sum(one.settled or 0 for one in inside)
            assert bound == any(one.upper_bound for one in inside)

    @invariant()
    def no_cap_is_passed(self) -> None:
        for name, one in self.sums.items():
            assert sum(self.sums[child].used for child in one.children) <= one.reserved, name
            assert one.used <= one.reserved
        for mine in ACCOUNTS:
            assert self._used(thread=mine["thread"]) <= THREAD
            assert self._used(repository=mine["repository"]) <= REPOSITORY_MONTH
            assert all(
                self._used(user=mine["user"], day=day) <= USER_DAY for day in range(self.day + 1)
            )
        assert self._used() <= POOL


TestLedger = pytest.mark.timeout(90)(Ledger.TestCase)
Ledger.TestCase.settings = settings(
    max_examples=examples(60), stateful_step_count=40, deadline=None
)
