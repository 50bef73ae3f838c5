"""`/pool cost`: what a repository has spent."""

from __future__ import annotations

from claude_pool_gh.conversation.desk import Asked, Desk
from claude_pool_gh.conversation.handler import TellingVerb
from claude_pool_gh.conversation.tell import cost_of
from claude_pool_gh.reports import tables
from claude_pool_gh.terms.markdown import SafeMarkdown


class Cost(TellingVerb):
    """Tells what the ledger has, and how much of each cap is left."""

    name = "cost"
    summary = "Shows what this repository has spent, by verb, model, user and week."
    order = 302

    async def tell(self, desk: Desk, asked: Asked) -> SafeMarkdown:
        """Sum up the last weeks."""
        now = desk.clock.now_ms()
        return await desk.database.read(lambda tx: tables.cost(cost_of(tx, desk, asked, now)))
