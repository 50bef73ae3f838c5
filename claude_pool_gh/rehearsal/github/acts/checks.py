"""Check runs and statuses, with their caps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claude_pool_gh.rehearsal.github.errors import RefusedError, invalid
from claude_pool_gh.rehearsal.github.shapes import checks as shapes
from claude_pool_gh.rehearsal.github.state.checks import CheckRun, CommitStatus
from claude_pool_gh.rehearsal.github.state.clock import parse_iso
from claude_pool_gh.rehearsal.github.state.people import Actor
from claude_pool_gh.rehearsal.github.state.repository import Repository
from claude_pool_gh.rehearsal.github.state.site import Event
from claude_pool_gh.rehearsal.github.state.world import World

Json = Mapping[str, Any]
CONCLUSIONS = (
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "success",
    "skipped",
    "timed_out",
)
LEVELS = ("notice", "warning", "failure")


def create_check_run(repository: Repository, actor: Actor, body: Json) -> CheckRun:
    """Put a check run on a commit."""
    sha = body.get("head_sha")
    if not sha or repository.git.resolve(str(sha)) != sha:
        raise RefusedError(422, f"No commit found for SHA: {sha}")
    if not body.get("name"):
        raise invalid("CheckRun", "name", "missing_field")
    _check(repository, body)
    site = repository.site
    suite = next(
        (
            one.suite_id
            for one in repository.all_check_runs
            if (one.app, one.head_sha) == (actor.app, sha)
        ),
        None,
    )
    run = CheckRun(
        site.ids.next(), suite or site.ids.next(), actor.app, str(sha), str(body["name"]), "queued"
    )
    _apply(run, body, site.now())
    repository.all_check_runs.append(run)
    site.changed()
    return run


def update_check_run(repository: Repository, run: CheckRun, body: Json) -> None:
    """Change a check run; annotations are appended to those there are."""
    _check(repository, body)
    _apply(run, body, repository.site.now())
    repository.site.changed()


def _check(repository: Repository, body: Json) -> None:
    limits, output = repository.site.limits, body.get("output") or {}
    for name in ("summary", "text"):
        if len(output.get(name) or "") > limits.output_characters:
            problem = f"Only {limits.output_characters} characters are allowed; {len(output[name])} were supplied."
            raise RefusedError(422, f"Invalid request.\n\n{problem}")
    annotations = output.get("annotations") or []
    if len(annotations) > limits.annotations_per_request:
        most = limits.annotations_per_request
        problem = f"No more than {most} items are allowed; {len(annotations)} were supplied."
        raise RefusedError(422, f"Invalid request.\n\n{problem}")
    required = ("path", "start_line", "end_line", "annotation_level", "message")
    for annotation in annotations:
        lacking = [name for name in required if annotation.get(name) is None]
        if lacking or annotation["annotation_level"] not in LEVELS:
            raise invalid("CheckAnnotation", lacking[0] if lacking else "annotation_level")
    if body.get("conclusion") is not None and body["conclusion"] not in CONCLUSIONS:
        raise invalid("CheckRun", "conclusion")
    if body.get("status") == "completed" and body.get("conclusion") is None:
        raise RefusedError(422, "Invalid request.\n\nMissing required key `conclusion`")
    if len(body.get("actions") or []) > 3:
        raise invalid("CheckRun", "actions")


def _apply(run: CheckRun, body: Json, now: float) -> None:
    for name in ("name", "details_url", "external_id", "status"):
        if body.get(name) is not None:
            setattr(run, name, body[name])
    if body.get("started_at"):
        run.started_at = parse_iso(body["started_at"])
    elif run.started_at is None:
        run.started_at = now
    if body.get("conclusion") is not None:
        run.conclusion, run.status = body["conclusion"], "completed"
        run.completed_at = parse_iso(body["completed_at"]) if body.get("completed_at") else now
    elif body.get("status") in ("queued", "in_progress"):
        run.conclusion = run.completed_at = None
    output = body.get("output") or {}
    for name in ("title", "summary", "text"):
        if output.get(name) is not None:
            setattr(run, name, output[name])
    run.annotations.extend(output.get("annotations") or [])
    run.actions = list(body.get("actions") or run.actions)


def press(
    world: World, repository: Repository, run: CheckRun, actor: Actor, button: str | None
) -> None:
    """Tell the App that made a check run that somebody pressed a button of it."""
    shape = shapes.check_run(repository, run)
    payload: dict[str, object] = {"check_run": shape}
    if button is not None:
        payload["requested_action"] = {"identifier": button}
    action = "rerequested" if button is None else "requested_action"
    owner = _installed(world, repository, run)
    repository.site.emit(Event("check_run", action, actor, payload, repository.id, owner))


def press_all(world: World, repository: Repository, run: CheckRun, actor: Actor) -> None:
    """Tell the App that made a check run that somebody wants all its checks of that commit again."""
    payload: dict[str, object] = {"check_suite": shapes.check_suite(repository, run)}
    repository.site.emit(
        Event(
            "check_suite",
            "rerequested",
            actor,
            payload,
            repository.id,
            _installed(world, repository, run),
        )
    )


def _installed(world: World, repository: Repository, run: CheckRun) -> int | None:
    """The id of the installation under which a check run was made."""
    every = world.installations.values()
    return next((one.id for one in every if one.app is run.app and one.covers(repository)), None)


def create_status(repository: Repository, actor: Actor, sha: str, body: Json) -> CommitStatus:
    """Put a status on a commit."""
    limits = repository.site.limits
    if repository.git.resolve(sha) != sha:
        raise RefusedError(422, f"No commit found for SHA: {sha}")
    if body.get("state") not in ("error", "failure", "pending", "success"):
        raise invalid("Status", "state")
    description = body.get("description")
    if len(description or "") > limits.status_description:
        raise invalid(
            "Status",
            "description",
            "custom",
            f"description is too long (maximum is {limits.status_description} characters)",
        )
    context = body.get("context") or "default"
    if (
        sum(one.context == context for one in repository.statuses(sha))
        >= limits.statuses_per_context
    ):
        raise invalid(
            "Status",
            "context",
            "custom",
            "This SHA and context has reached the maximum number of statuses.",
        )
    status = CommitStatus(
        repository.site.ids.next(),
        sha,
        actor.user,
        str(body["state"]),
        str(context),
        description,
        body.get("target_url"),
        repository.site.now(),
    )
    repository.all_statuses.append(status)
    repository.site.changed()
    return status
