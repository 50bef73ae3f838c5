"""The reads of a job before it holds its thread: whether it can begin at all, and who asks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp

from claude_pool_gh.action.asked import Asked, asked_of
from claude_pool_gh.action.look import Fault
from claude_pool_gh.action.preflight import preflight
from claude_pool_gh.action.unauthorized import is_kept_out
from claude_pool_gh.audits.rules import KINDS
from claude_pool_gh.config.load import Faults
from claude_pool_gh.conversation import registry
from claude_pool_gh.conversation.repository.config_loader import ConfigLoader
from claude_pool_gh.github.access import JobAccess
from claude_pool_gh.github.api import TIMEOUT, Forge
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.service.settings import Settings

logger = logging.getLogger(__name__)

_OF_APPS: Final = "ghs_"
"""How the tokens of jobs and of Apps begin."""


@dataclass(frozen=True, slots=True)
class EventReading:
    """The event's thread and sender, as GitHub shows them."""

    is_kept_out: bool
    """Whether whoever asks is refused whatever they ask: that needs nothing of what earlier jobs know."""
    asked: Asked
    """Whose state the commands need."""
    configured: frozenset[str] | None = None
    """The names of the audits that can be asked for; None where a faulty configuration does not tell."""
    faults: str = ""
    """What is wrong with the configuration."""


async def read_first(
    settings: Settings, token: str, requests: Sequence[CommandRequest], *, placed: bool = True
) -> EventReading:
    """Read what every command needs. `placed`: their thread is known. Raises Fault and NothingToDo."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        access = JobAccess(session, settings.github_api_url, token)
        forge = Forge(session, settings.github_api_url, access)
        every = {name: each.verb for name, each in registry.handlers().items()}
        config_loader = ConfigLoader(forge, frozenset(every))
        await _check_token(access, requests[0])
        config = await preflight(forge, config_loader, requests[0], placed=placed)
        if isinstance(config, Faults):
            configured, faults = None, f"{config.file}, {config.faults[0]}"
        else:
            configured, faults = frozenset({*KINDS, *config.audits}), ""
        asked = asked_of([each.line for each in requests], every, configured)
        try:
            kept_out = all(
                [await is_kept_out(forge, config_loader, every, each) for each in requests]
            )
        except ForgeError as error:
            logger.warning("it is not known yet who asks: %s", error)
            kept_out = False
        return EventReading(kept_out, asked, configured, faults)


async def _check_token(access: JobAccess, request: CommandRequest) -> None:
    """Check whose the token is, where it is no job's and no App's: the bot obeys no words of its own account."""
    if access.job_token.startswith(_OF_APPS) or request.is_scheduled or not request.actor.is_human:
        return
    try:
        own = await access.account(request.thread.repository)
    except ForgeError:  # what every job reads next says why
        return
    if own.id == request.actor.id:
        raise Fault(
            f"github_token: it is {own.login}'s own, and what that account asks for is not done, since the bot writes "
            "under the same name. Leave the input out, so that the job's own token is used, or give an App's "
            "(examples/workflows/app-token.yml)"
        )
