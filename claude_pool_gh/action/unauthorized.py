"""People who may not command here: they are refused at once, whatever the thread's jobs are at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from claude_pool_gh.commands.grammar import Mistake, Verb, parse
from claude_pool_gh.config.load import Configuration
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.repository.config_loader import ConfigLoader
from claude_pool_gh.conversation.services import needed_role, role_of
from claude_pool_gh.github import reads
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.trusted import TrustedFiles
from claude_pool_gh.terms.roles import Role

WHY: Final = "nobody who asks may command here, so there is nothing to be kept"


async def is_kept_out(
    forge: Forge, config_loader: ConfigLoader, verbs: Mapping[str, Verb], request: CommandRequest
) -> bool:
    """True where a command is refused, or not even answered, for who asks: whatever is stored, that is decided so.

    Where that is not certain, as for what also a thread's author may ask, it is False. Raises ForgeError.
    """
    if request.is_scheduled:  # the workflow on the default branch asks
        return False
    repository = request.thread.repository
    files = TrustedFiles(forge, repository, branch=await reads.default_branch(forge, repository))
    found = await config_loader.of(repository, files)
    config = found.value if isinstance(found, Configuration) else RepositoryConfig()
    if not request.actor.is_human and request.actor.id not in config.bots:
        return True
    role = await role_of(forge, repository, request.actor, config)
    command = parse(request.line, verbs)
    if isinstance(command, Mistake):
        return role < Role.triage
    return role < needed_role(command.verb, config) and not command.verb.tells
