"""The link between the dispatcher and a pool: what is asked and told about the chains that it carries."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from claude_pool_gh.pool.model.events import ChainFinished
from claude_pool_gh.pool.model.ports import Observer
from claude_pool_gh.pool.run.chain_runner import ChainRunner
from claude_pool_gh.pool.run.chain_waiters import ChainWaiters
from claude_pool_gh.pool.run.feed import Feed, end_of, recorded
from claude_pool_gh.pool.run.running import TakenUp
from claude_pool_gh.pool.run.slots import Slots
from claude_pool_gh.pool.store import chains
from claude_pool_gh.pool.store.queue import Claim
from claude_pool_gh.storage import Transaction


@dataclass(frozen=True, slots=True)
class ChainCarrier:
    """Joins the dispatcher with the runner, the slots, and whoever waits for a chain or watches it."""

    runner: ChainRunner
    slots: Slots
    waiting: ChainWaiters
    observer: Observer
    feed: Feed
    _ended: dict[str, ChainFinished] = field(default_factory=dict)

    def begin(self, tx: Transaction, claim: Claim) -> TakenUp:
        """Begin a chain in the transaction that takes it up."""
        return TakenUp(*recorded(partial(self.runner.begin, claim=claim))(tx))

    def taken(self, claim: Claim, begun: TakenUp | None) -> None:
        """Let the chain's first task have its place among those that wait for a slot; tell that it has begun."""
        self.slots.expect(claim.chain_id, claim.priority, claim.since)
        if begun is not None:
            self.runner.attempts.tell(claim.chain_id, begun.moves)

    async def carry(self, claim: Claim, begun: TakenUp | None = None) -> None:
        """Bring a chain to rest, and wake who waits for that."""
        held = (
            self.runner.live.new(claim.chain_id, claim.generation) if begun is None else begun.held
        )
        try:
            await self.runner.carry(held)
        finally:
            self.waiting.wake(claim.chain_id)

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """Let the observer note, in the transaction, a chain that nobody carried."""
        self.observer.changed(tx, chain_id)
        if (end := end_of(chains.get(tx, chain_id))) is not None:
            self._ended[chain_id] = end

    def ended(self, chain_id: str) -> None:
        """Tell the observer, and wake who waits."""
        self.observer.committed()
        if (event := self._ended.pop(chain_id, None)) is not None:
            self.feed.ended(event)
        self.waiting.wake(chain_id)

    def heard(self, chain_id: str | None) -> None:
        """Wake who waits for a chain that another worker may have brought to rest."""
        if chain_id is None:
            self.waiting.wake_all()
        else:
            self.waiting.wake(chain_id)

    def room(self) -> int:
        """The number of chains to carry: without slots none, since others have them.

        Those that wait while a slot is idle need another one, and are in nobody's way.
        """
        if not self.slots.count:
            return 0
        return 2 * self.slots.count + 2 + (self.slots.waiting if self.slots.idle_ids else 0)

    def next_priority(self) -> int | None:
        """The lowest priority number among the tasks that wait for a slot."""
        return self.slots.next_priority
