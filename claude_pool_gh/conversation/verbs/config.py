"""`/pool config`: what holds in a repository."""

from __future__ import annotations

from typing import Final

from claude_pool_gh.config.load import DEFAULT, flat
from claude_pool_gh.conversation.handler import TellingVerb
from claude_pool_gh.conversation.services import CommandContext, Services
from claude_pool_gh.reports import tables
from claude_pool_gh.terms.markdown import SafeMarkdown

_SERVER: Final = "this server"
"""Where a value comes from that the operator decides."""


class Config(TellingVerb):
    """Tells each value as it is used."""

    name = "config"
    summary = "Shows every setting and where its value comes from."
    order = 303

    async def tell(self, services: Services, asked: CommandContext) -> SafeMarkdown:
        """List the values with their sources."""
        configuration, held = asked.configuration, services.defaults.overrides()
        if (
            configuration.source("runs_in") == DEFAULT
            and services.runs_in != configuration.value.runs_in
        ):
            held |= {"runs_in": services.runs_in}  # a job answers where no file says who does
        sources = {**configuration.sources, **dict.fromkeys(held, _SERVER)}
        return tables.configuration(flat(configuration.value) | held, sources, DEFAULT)
