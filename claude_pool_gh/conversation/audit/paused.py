"""A check that GitHub has not switched off the workflow that starts audits: an off schedule cannot say so."""

from __future__ import annotations

import logging
import re
from typing import Final

from claude_pool_gh.commands.lines import WORD
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.github import reads
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.github.trusted import names_in, trusted_file
from claude_pool_gh.terms.ids import Repository

logger = logging.getLogger(__name__)

_FOLDER: Final = ".github/workflows"
_MOST_FILES: Final = 20
WORDS: Final = {
    "disabled_inactivity": "after 60 days without activity in the repository",
    "disabled_manually": "as somebody asked it to",
    "disabled_fork": "since this is a fork",
}
"""GitHub's words for why a workflow does not run, and ours."""


async def paused(services: Services, repository: Repository, commit: str) -> str:
    """The note on workflows that start audits and are off; "" where there are none, or nobody may look."""
    told = []
    try:
        for path in await _scheduling(services, repository, commit):
            name = path.rpartition("/")[2]
            state = await reads.workflow_state(services.forge, repository, name)
            if (why := WORDS.get(state)) is not None:
                page = f"{services.links.server.rstrip('/')}/{repository.full_name}/actions/workflows/{name}"
                told.append(
                    f"GitHub has switched off the workflow `{name}`, {why}: no audit starts by its schedule any "
                    f"more. [Its page]({page}) has the button that switches it on."
                )
    except ForgeError as error:
        logger.info("workflows not looked at: %s", error, extra={"action": "workflows_unread"})
    return " ".join(told)


async def _scheduling(services: Services, repository: Repository, commit: str) -> list[str]:
    """The workflows of the default branch that ask for audits by a schedule."""
    names = await names_in(services.forge, repository, commit, _FOLDER)
    files = [name for name in names if name.endswith((".yml", ".yaml")) and _is_plain(name)]
    found = []
    for path in files[:_MOST_FILES]:
        file = await trusted_file(services.forge, repository, commit, path)
        if file is not None and "schedule:" in file.text and f"{WORD} audit" in file.text:
            found.append(path)
    return found


def _is_plain(path: str) -> bool:
    """True where a name can stand in a sentence of ours as it is."""
    return re.fullmatch(r"[A-Za-z0-9._-]+", path.rpartition("/")[2]) is not None
