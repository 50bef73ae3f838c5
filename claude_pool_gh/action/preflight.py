"""A check that the job's token can read what every command needs, before a promise or any cost. It only reads."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final

from claude_pool_gh.action.look import Fault
from claude_pool_gh.action.permissions import grant, is_missing, of_read
from claude_pool_gh.config.load import DEFAULT, PATH, Configuration, Faults
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.intake.command_policy import answers, is_switched_on
from claude_pool_gh.conversation.repository.config_loader import ConfigLoader
from claude_pool_gh.github import reads
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.errors import ForgeError, ForgeRefused
from claude_pool_gh.github.trusted import TrustedFiles
from claude_pool_gh.terms.ids import Trigger

_HERE: Final = "action"
_TRIGGER_KEYS: Final = {
    "label": "triggers.labels",
    "opened": "triggers.opened",
    "ready_for_review": "triggers.ready_for_review",
    "push": "review.on_push",
}


class NothingToDo(Exception):
    """The repository has decided that a job does nothing here; the text says where."""


async def preflight(
    forge: Forge, config_loader: ConfigLoader, request: CommandRequest, *, placed: bool = True
) -> RepositoryConfig | Faults:
    """Read what the command will need; the configuration that holds, or what is wrong with it.

    `placed`: its thread is known. Raises Fault, which names what is missing, or NothingToDo.
    """
    repository = request.thread.repository
    branch = await _read("the repository", "metadata=read", reads.default_branch(forge, repository))
    await _read("the default branch", "contents=read", reads.branch_head(forge, repository, branch))
    needed = "issues=read; pull_requests=read"
    issue = None
    if placed:
        asking = reads.issue(forge, request.thread)
        issue = await _read(f"number {request.thread.number}", needed, asking)
    if issue is not None and issue.is_pull:
        await _read("the pull request", "pull_requests=read", reads.pull(forge, request.thread))
    files = TrustedFiles(forge, repository, branch=branch)
    reading = config_loader.of(repository, files)
    found: Configuration | Faults = await _read(f"`{PATH}`", "contents=read", reading)
    if isinstance(found, Faults):
        return found
    _check_configuration(found, request)
    return found.value


def _check_configuration(found: Configuration, request: CommandRequest) -> None:
    if not answers(found, _HERE):
        written = f"`runs_in: {found.value.runs_in}` in {found.source('runs_in')}"
        raise NothingToDo(f"{written} leaves this repository's commands to the App")
    source = request.source
    if not isinstance(source, Trigger) or is_switched_on(source.kind, found.value):
        return
    key = _TRIGGER_KEYS[source.kind]
    if found.source(key) == DEFAULT:
        raise Fault(
            f"the event ({source.kind}) starts nothing by itself: give the input `command: /pool review`, or set "
            f"`{key}: true` in {PATH}"
        )
    raise NothingToDo(f"`{key}` in {found.source(key)} is off")


async def _read(what: str, needed: str, asking: Awaitable[Any]) -> Any:
    try:
        return await asking
    except ForgeRefused as refusal:
        raise Fault(_told(what, needed, refusal)) from refusal
    except ForgeError as error:
        raise Fault(
            f"GitHub could not be reached to read {what}: {error}. Run the job again"
        ) from error


def _told(what: str, needed: str, refusal: ForgeRefused) -> str:
    if refusal.status == 401:
        return (
            f"github_token: GitHub does not accept it ({refusal}). Leave the input out, so that the job's own token is "
            "used, or give one that is valid"
        )
    missing = of_read(what, needed, refusal)
    how = f". {grant(missing.permission)}" if is_missing(refusal) else ""
    return f"github_token may not read {what} ({refusal}){how}".rstrip(".")
