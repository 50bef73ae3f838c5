"""`claude-pool-gh replay EVENT.json`: what the bot would decide about a recorded event, and why. Nothing is run.

The event is read as a server reads it. Its commands are then judged against a simulated GitHub that holds the local
repository, so that the configuration here counts.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click
from pydantic import SecretStr

from claude_pool_gh.github import intake
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.github.intake import NotForUs
from claude_pool_gh.rehearsal.github import App, Issue, Repository, Role, SimulatedGitHub, User
from claude_pool_gh.service.rehearsals.rehearse_command import (
    LocalCommits,
    RehearsalOptions,
    staged,
)
from claude_pool_gh.service.rehearsals.replayed import Replayed, judged, show
from claude_pool_gh.service.server.runtime import open_runtime
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.terms import ids

_BY_PARTS: Final = (
    ("check_run", "check_run"),
    ("check_suite", "check_suite"),
    ("merge_group", "merge_group"),
    ("review", "pull_request_review"),
    ("installation_repositories", "installation_repositories"),
)
_ROLES: Final[Mapping[str, Role]] = {"OWNER": "admin", "MEMBER": "write", "COLLABORATOR": "write"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """An event as it was recorded, and what it meets."""

    text: str
    folder: Path
    event: str = ""
    role: Role | None = None
    runs_in: str = "app"
    base: str = ""
    head: str = "HEAD"
    as_json: bool = False


async def replay_event(recorded: RecordedEvent) -> int:
    """Print what the bot makes of it; the exit code is 1 where the text is no event."""
    replayed = await replay(recorded)
    show(replayed, as_json=recorded.as_json)
    return int(replayed.malformed)


async def replay(recorded: RecordedEvent) -> Replayed:
    """The bot's decisions on it. Raises ClickException where it is no event that can be read."""
    name, payload = read_event(recorded.text, recorded.event)
    read = Replayed(
        event=name,
        action=str(payload.get("action") or ""),
        sender=str(_of(payload, "sender").get("login") or "nobody"),
    )
    found = intake.recognise(VerifiedDelivery("replay", name, payload))
    if isinstance(found, NotForUs):
        return replace(read, ignored=found.reason, malformed=found.malformed)
    read = replace(read, noted=tuple(str(event) for event in found.events))
    return await _judged(recorded, payload, found.requests, read) if found.requests else read


def read_event(text: str, name: str) -> tuple[str, dict[str, Any]]:
    """The event's name and payload, of each form in which one is recorded. Raises ClickException."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"the file holds no JSON: {error}") from error
    if not isinstance(told, dict):
        raise click.ClickException("the file holds no event, which is a JSON object")
    request = told.get("request")
    # a delivery, as the API shows it
    if isinstance(request, dict) and isinstance(request.get("payload"), dict):
        return name or str(told.get("event") or ""), request["payload"]
    found = name or name_of(told)
    if not found:
        raise click.ClickException(
            "the event's name cannot be seen by its parts: give it with --event"
        )
    return found, told


def name_of(payload: Mapping[str, Any]) -> str:
    """The name of the event with these parts; "" for one that cannot be told.

    Its name stands in a header only. Pure.
    """
    if "comment" in payload and "pull_request" in payload:
        return "pull_request_review_comment"
    if "comment" in payload and "issue" in payload:
        return "issue_comment"
    for part, name in _BY_PARTS:
        if part in payload:
            return name
    return "pull_request" if "pull_request" in payload else "issues" if "issue" in payload else ""


async def _judged(
    recorded: RecordedEvent,
    payload: Mapping[str, Any],
    requests: Sequence[CommandRequest],
    read: Replayed,
) -> Replayed:
    wanted = RehearsalOptions(
        command="", folder=recorded.folder, base=recorded.base, head=recorded.head, issue="any"
    )
    is_pull = "pull_request" in payload or "pull_request" in _of(payload, "issue")
    with tempfile.TemporaryDirectory(prefix="claude-pool-replay-") as folder:
        here = Path(folder)
        local = await LocalCommits.read(wanted, here / "local")
        async with SimulatedGitHub.start(here / "github") as github:
            title = str(_of(payload, "issue").get("title") or "An issue")
            repository, thread, _ = staged(github, local, "" if is_pull else title)
            app = github.create_app("claude-pool")
            installation = github.install(app, repository.owner.login, [repository])
            sender, role = _sender(github, repository, payload, recorded.role)
            settings = _settings(github, app, here / "state")
            async with open_runtime(settings, runs_in=recorded.runs_in) as runtime:
                commands = []
                for request in requests:
                    own = await _here(github, repository, thread, sender, request, payload)
                    own = _through(own, installation.id)
                    decision = await runtime.command_worker.judge.decide(own)
                    model = runtime.services.defaults.model
                    commands.append(judged(request.line, decision, model))
    return replace(read, sender=sender.login, role=role, commands=tuple(commands))


def _settings(github: SimulatedGitHub, app: App, state: Path) -> Settings:
    return Settings(
        app_id=str(app.id),
        private_key=SecretStr(app.private_key),
        state_dir=state,
        database_url="",
        anthropic_api_key=SecretStr("none"),
        github_api_url=github.api_url,
        github_server_url=github.url,
    ).model_copy(update={"database_url": "", "slots": 1})


def _sender(
    github: SimulatedGitHub, repository: Repository, payload: Mapping[str, Any], wanted: Role | None
) -> tuple[User, Role]:
    login = str(_of(payload, "sender").get("login") or "somebody")
    user = github.create_user(f"{login}-" if login == repository.owner.login else login)
    said = [_of(payload, part).get("author_association") for part in ("comment", "review")]
    guessed: Role = next((_ROLES.get(str(each), "read") for each in said if each), "write")
    role: Role = wanted or guessed
    repository.grant(user, role)
    return user, role


async def _here(
    github: SimulatedGitHub,
    repository: Repository,
    thread: Issue,
    sender: User,
    request: CommandRequest,
    payload: Mapping[str, Any],
) -> CommandRequest:
    """The same command in the simulated repository: what was written under a line stands in the conversation there."""
    is_human = request.actor.is_human
    actor = ids.Actor(id=sender.id, login=sender.login, is_human=is_human)
    place = ids.Repository(id=repository.id, owner=repository.owner.login, name=repository.name)
    moved = request.model_copy(
        update={"actor": actor, "thread": ids.Thread(repository=place, number=thread.number)}
    )
    if request.written_in is None:
        return moved
    body = str(_of(payload, "comment" if "comment" in payload else "review").get("body") or "")
    comment = await github.comment(sender, repository, thread.number, body)
    return moved.model_copy(update={"source": ids.CommentRef(id=comment.id)})


def _through(request: CommandRequest, installation: int) -> CommandRequest:
    repository = request.thread.repository.model_copy(update={"installation_id": installation})
    thread = request.thread.model_copy(update={"repository": repository})
    return request.model_copy(update={"thread": thread})


def _of(payload: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    found = payload.get(part)
    return found if isinstance(found, dict) else {}
