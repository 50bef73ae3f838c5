"""Decides what one request to the model may cost, and books what it did. The gateway's decisions, without HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from claude_pool_gh.agent import prices
from claude_pool_gh.agent.prices import Load
from claude_pool_gh.pool.model.ports import Clock
from claude_pool_gh.pool.store import ledger
from claude_pool_gh.storage import Database, Transaction

LEAST_OUTPUT: Final = 1024
"""Tokens below which an answer is not worth asking for."""

MOST_OUTPUT: Final = 32_000
"""Tokens a single answer may have. The CLI asks for 128,000, and reserving that would take a whole task's money for
one request: an answer that breaks off would then use up everything."""


@dataclass(frozen=True, slots=True)
class AdmittedRequest:
    """A request that may go out, with the `max_tokens` that its reservation pays for."""

    request_id: str
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Meter:
    """Reserves before a request, settles after it, each in a transaction of its own."""

    database: Database
    clock: Clock

    def after(self, seconds: float) -> datetime:
        """The clock's time then, in UTC."""
        return datetime.fromtimestamp(self.clock.now_ms() / 1000 + seconds, UTC)

    async def admit(
        self, run_id: str, model: str, load: Load, asked: int
    ) -> AdmittedRequest | None:
        """Durably set the worst case of a request aside; None when the run's money does not reach."""
        return await self.database.transact(lambda tx: self._admit(tx, run_id, model, load, asked))

    def _admit(
        self, tx: Transaction, run_id: str, model: str, load: Load, asked: int
    ) -> AdmittedRequest | None:
        left = ledger.left_in(tx, run_id)
        wanted = worst_case(model, load, asked, left)
        if wanted is None:
            return None
        request_id, (tokens, amount) = uuid4().hex, wanted
        if not ledger.reserve_request(tx, request_id, run_id, model, amount, self.clock.now_ms()):
            return None
        return AdmittedRequest(request_id, tokens)

    async def rest(self, run_id: str) -> tuple[int, int]:
        """The money that was set aside for a run, and what of it is left."""
        return await self.database.read(
            lambda tx: (ledger.granted(tx, run_id), ledger.left_in(tx, run_id))
        )

    async def reach(
        self, run_id: str, wanted: int, most: int | None, step: int | None = None
    ) -> int:
        """Let a run hold up to `wanted` more, as far as its step's and all other caps allow; what it has left then."""
        _, left = await self.rest(run_id)
        if left >= wanted or most is None:
            return left
        return await self.database.transact(
            lambda tx: ledger.extend(tx, run_id, wanted, most, self.clock.now_ms(), step=step)
        )

    async def open_beside(self, run_id: str) -> list[str]:
        """See `ledger.open_beside`."""
        return await self.database.read(lambda tx: ledger.open_beside(tx, run_id))

    async def settle(self, request_id: str, model: str, usage: Mapping[str, Any]) -> None:
        """Book what the API reported; without a list price at that of the dearest model, as an upper bound."""
        bound = not prices.is_priced(model)
        note = (
            f"no list price is known for {model}; it counts as the dearest model that has one"
            if bound
            else None
        )
        await self._settle(request_id, prices.price(model, usage), dict(usage), note)

    async def settle_part(
        self, request_id: str, model: str, usage: Mapping[str, Any], tokens: int, note: str
    ) -> None:
        """Book the input that the API reported and the most that an answer of `tokens` can cost, as an upper bound."""
        await self._settle(
            request_id, prices.most_for_rest(model, usage, tokens), dict(usage), note
        )

    async def _settle(
        self, request_id: str, cost: int, usage: dict[str, Any], note: str | None
    ) -> None:
        now = self.clock.now_ms()
        await self.database.transact(
            lambda tx: ledger.settle_request(
                tx, request_id, cost, now, usage=usage, upper_bound=note is not None, note=note
            )
        )

    async def settle_unknown(self, request_id: str, note: str) -> None:
        """Book the whole reservation as an upper bound."""
        await self.database.transact(
            lambda tx: ledger.settle_request_unknown(tx, request_id, note, self.clock.now_ms())
        )

    async def settle_unanswered(self, request_id: str) -> None:
        """Book nothing: the API refused the request, and refusals are free."""
        await self.database.transact(
            lambda tx: ledger.settle_request(tx, request_id, 0, self.clock.now_ms())
        )


def worst_case(model: str, load: Load, asked: int, left: int) -> tuple[int, int] | None:
    """The tokens of output that `left` microdollars pay for, and what to reserve; None when too few.

    A model without a list price counts as the dearest that has one.
    """
    rest = left - prices.most_for_input(model, load)
    tokens = min(asked, MOST_OUTPUT, _affordable(model, load, rest))
    if tokens < min(LEAST_OUTPUT, asked):
        return None
    return tokens, prices.most_for_input(model, load) + prices.most_for_output(model, load, tokens)


def needed(model: str, load: Load, tokens: int) -> int:
    """Microdollars that a request with an answer of so many tokens needs."""
    return prices.most_for_input(model, load) + prices.most_for_output(model, load, tokens) + 1


def _affordable(model: str, load: Load, money: int) -> int:
    per_million = prices.most_for_output(model, load, 1_000_000)
    return max(0, (money - 1) * 1_000_000 // per_million)
