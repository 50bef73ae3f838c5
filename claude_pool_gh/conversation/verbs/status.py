"""`/pool status`: what runs and waits in a thread."""

from __future__ import annotations

from claude_pool_gh.conversation.handler import TellingVerb
from claude_pool_gh.conversation.services import CommandContext, Services
from claude_pool_gh.conversation.tracking.progress import Progress
from claude_pool_gh.conversation.tracking.status_views import status_of
from claude_pool_gh.reports import tables
from claude_pool_gh.terms.markdown import SafeMarkdown


class Status(TellingVerb):
    """Tells from the rows, so it is never behind."""

    name = "status"
    summary = "Shows what runs and waits here, and how busy the slots are."
    order = 301

    async def tell(self, services: Services, asked: CommandContext) -> SafeMarkdown:
        """Put the thread's runs into a table."""
        progress = Progress(services.clock, self.every)
        return await services.database.read(
            lambda tx: tables.status(status_of(tx, asked, progress))
        )
