"""Sets money aside for requests before they go out, and waits for what others may leave."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from claude_pool_gh.agent import prices
from claude_pool_gh.agent.call import Call
from claude_pool_gh.agent.meter import LEAST_OUTPUT, MOST_OUTPUT, AdmittedRequest, Meter, needed
from claude_pool_gh.agent.passes import Pass
from claude_pool_gh.agent.prices import Load
from claude_pool_gh.agent.upstream import Upstream
from claude_pool_gh.pool.model.money import dollars

_LOOK_SECONDS: Final = 0.5
"""Between two looks whether the runs beside one have left it money."""
_MARGIN: Final = 1.1
"""By how much an answer may be read as more tokens than the API has counted when it was asked: it
calls that count an estimate that may be off by a little."""
_NO_MONEY: Final = (
    "the money set aside for this run, {}, has {} left, which does not pay for another request"
)
_SEARCHING: Final = "; a search of the web may bring in as much as the model can read"
_AFTER_A_BREAK: Final = (
    ", since the model's API broke off an earlier answer and that counts at its worst case"
)


@dataclass(slots=True)
class Funding:
    """The money of all runs that are let through."""

    meter: Meter
    upstream: Upstream | None
    """Counts tokens where that may save a request."""
    patience: float
    """Seconds that a request waits for money that other runs of its step may leave."""
    short: Counter[str] = field(default_factory=Counter)
    """Requests, by run, that wait for money that the runs beside theirs may leave."""

    async def admit(self, call: Call) -> AdmittedRequest | None:
        """Set the request's worst case aside, as tight as it can be proven; None when the money does not reach.

        The API is asked to count only where what is known by itself leaves less than a whole answer.
        """
        run, asked = call.run, call.asked
        tokens = run.counts.bound(call.conversation)
        load = Load(tokens, prices.kept_for(call.body), call.searches)
        whole = needed(call.model, load, min(asked, MOST_OUTPUT))
        left = await self.meter.reach(run.run_id, whole, run.most, run.step)
        if left < whole and self.upstream is not None:
            told = await self.upstream.count(call.body, call.query, call.headers)
            if told is not None:
                load = Load(min(tokens, int(told * _MARGIN) + 1), load.cached, load.searches)
        while True:
            admitted = await self.meter.admit(run.run_id, call.model, load, asked)
            if admitted is not None:
                break
            if load.searches > 1:
                load = Load(load.tokens, load.cached, load.searches - 1)
            elif not await self._grows(run, needed(call.model, load, min(asked, LEAST_OUTPUT))):
                break
        if admitted is None:
            granted, left = await self.meter.rest(run.run_id)
            enough = needed(call.model, load, min(asked, LEAST_OUTPUT))
            run.short = max(run.short, granted - left + enough)
        elif load.searches:
            call.search_at_most(load.searches)
        return admitted

    async def _grows(self, run: Pass, enough: int) -> bool:
        """Wait, where the money does not reach, for what the runs beside it leave; False when they leave too little.

        Runs that wait like this one leave nothing: the last of them to come is refused, and leaves its rest to others.
        """
        granted, left = await self.meter.rest(run.run_id)
        if enough - left > (run.most or 0) - granted:
            return False  # its own cap does not reach, whatever others leave
        until = asyncio.get_running_loop().time() + self.patience
        self.short[run.run_id] += 1
        try:
            with run.signs.patient():
                while True:
                    beside = await self.meter.open_beside(run.run_id)
                    if await self.meter.reach(run.run_id, enough, run.most, run.step) >= enough:
                        return True
                    late = asyncio.get_running_loop().time() > until
                    if late or run.over.is_set() or all(self.short[each] for each in beside):
                        return False
                    await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self.short[run.run_id] -= 1

    async def shortage(self, call: Call) -> str:
        """The reason why a request is not paid for, for people."""
        granted, left = (dollars(amount) for amount in await self.meter.rest(call.run.run_id))
        searching = _SEARCHING if call.searches else ""
        broken = _AFTER_A_BREAK if call.run.unknown else ""
        return _NO_MONEY.format(granted, left) + searching + broken
