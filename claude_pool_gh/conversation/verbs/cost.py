"""`/pool cost`: what a repository has spent."""

from __future__ import annotations

from claude_pool_gh.conversation.handler import TellingVerb
from claude_pool_gh.conversation.services import CommandContext, Services
from claude_pool_gh.conversation.tracking.status_views import cost_of
from claude_pool_gh.reports import tables
from claude_pool_gh.terms.markdown import SafeMarkdown


class Cost(TellingVerb):
    """Tells what the ledger has, and how much of each cap is left."""

    name = "cost"
    summary = "Shows what this repository has spent, by verb, model, user and week."
    order = 302

    async def tell(self, services: Services, asked: CommandContext) -> SafeMarkdown:
        """Sum up the last weeks."""
        now = services.clock.now_ms()
        return await services.database.read(
            lambda tx: tables.cost(cost_of(tx, services, asked, now))
        )
