"""From a verified delivery to the commands and events in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from claude_pool_gh.commands.lines import WORD
from claude_pool_gh.github import payloads, repository_events
from claude_pool_gh.github.check_key import CheckKey
from claude_pool_gh.github.command_request import CommandRequest, as_stored, requests
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.github.events import why_unheard
from claude_pool_gh.github.repository_events import RepositoryEvent
from claude_pool_gh.terms.ids import (
    CommentRef,
    Repository,
    ReviewRef,
    Thread,
    Trigger,
)

_GROUP: Final = re.compile(r"/pr-([1-9][0-9]{0,9})-[0-9a-f]{7,64}\Z", re.ASCII)
_VERB: Final = re.compile(r"[a-z]{2,20}", re.ASCII)
_PRESSED: Final = re.compile(r"(?:approve|reject):[0-9a-f]{10}", re.ASCII)
"""Identifiers of our buttons."""
LABEL: Final = "pool:"
"""A label that begins so asks for the verb after it."""
REVIEW: Final = f"{WORD} review"
_WITHOUT_WORDS: Final = "Rejected with the button, without a comment."


@dataclass(frozen=True, slots=True)
class Found:
    """The parts of a delivery that concern us."""

    requests: tuple[CommandRequest, ...] = ()
    events: tuple[RepositoryEvent, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.requests or self.events)


@dataclass(frozen=True, slots=True)
class NotForUs:
    """A delivery that asks for nothing, and why; `malformed` when it is not even what its event name says."""

    reason: str
    malformed: bool = False


def recognise(delivery: VerifiedDelivery) -> Found | NotForUs:
    """The commands and events in a delivery. Pure: whether they may run is decided later, against GitHub itself."""
    action = delivery.payload.get("action")
    reader = _READERS.get((delivery.event, action)) if isinstance(action, str) else None
    if reader is None:
        return NotForUs(why_unheard(delivery.event, action if isinstance(action, str) else None))
    try:
        return reader(delivery)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, e["loc"])) for e in error.errors()}))
        return NotForUs(f"the body is not that of {delivery.event}: {fields}", malformed=True)


def _comment(delivery: VerifiedDelivery) -> Found | NotForUs:
    payload = payloads.CommentEvent.model_validate(delivery.payload)
    holder = payload.issue if delivery.event == "issue_comment" else payload.pull_request
    comment = payload.comment
    if holder is None:
        return NotForUs(f"the body is not that of {delivery.event}: no thread", malformed=True)
    if comment.user is None or comment.user.id != payload.sender.id:
        return NotForUs("the sender is not the comment's author")
    found = requests(
        as_stored(comment.body or ""),
        thread=Thread(repository=payload.place, number=holder.number),
        actor=comment.user.actor,
        source=_ref(delivery.event, comment),
    )
    return Found(tuple(found))


def _submitted(delivery: VerifiedDelivery) -> Found | NotForUs:
    """The text of a review itself; the comments that come with it have events of their own."""
    payload = payloads.ReviewEvent.model_validate(delivery.payload)
    review = payload.review
    if review.user is None or review.user.id != payload.sender.id:
        return NotForUs("the sender is not the review's author")
    found = requests(
        as_stored(review.body or ""),
        thread=Thread(repository=payload.place, number=payload.pull_request.number),
        actor=review.user.actor,
        source=ReviewRef(id=review.id),
    )
    return Found(tuple(found))


def _deleted(delivery: VerifiedDelivery) -> Found | NotForUs:
    payload = payloads.CommentEvent.model_validate(delivery.payload)
    holder = payload.issue if delivery.event == "issue_comment" else payload.pull_request
    if holder is None:
        return NotForUs(f"the body is not that of {delivery.event}: no thread", malformed=True)
    thread = Thread(repository=payload.place, number=holder.number)
    return Found(
        events=(repository_events.CommentDeleted(thread, _ref(delivery.event, payload.comment)),)
    )


def _ref(event: str, comment: payloads.Comment) -> CommentRef:
    if event == "issue_comment":
        return CommentRef(id=comment.id)
    return CommentRef(
        id=comment.id, kind="review_comment", root=comment.in_reply_to_id or comment.id
    )


def _labeled(delivery: VerifiedDelivery) -> Found | NotForUs:
    payload: payloads.PullEvent | payloads.IssueEvent
    if delivery.event == "issues":
        payload = payloads.IssueEvent.model_validate(delivery.payload)
        holder: payloads.Issue | payloads.Pull = payload.issue
    else:
        payload = payloads.PullEvent.model_validate(delivery.payload)
        holder = payload.pull_request
    name = payload.label.name if payload.label else ""
    if not name.startswith(LABEL):
        return NotForUs("a label that asks for nothing")
    line = f"{WORD} {' '.join(name.removeprefix(LABEL).split())}"
    # A label that is taken off and put on again asks again; the time of the event tells the two apart.
    return Found(
        (
            _triggered(
                payload, holder.number, "label", f"{holder.number}:{name}:{holder.updated_at}", line
            ),
        )
    )


def _opened(delivery: VerifiedDelivery) -> Found | NotForUs:
    payload = payloads.PullEvent.model_validate(delivery.payload)
    pull = payload.pull_request
    known = _moved(payload)
    if pull.draft:
        return Found(events=(known,))
    kind = str(delivery.payload["action"])
    id_ = f"{pull.number}" if kind == "opened" else f"{pull.number}:{pull.updated_at}"
    return Found((_triggered(payload, pull.number, kind, id_, REVIEW),), (known,))


def _pushed(delivery: VerifiedDelivery) -> Found | NotForUs:
    payload = payloads.PullEvent.model_validate(delivery.payload)
    pull = payload.pull_request
    moved = _moved(payload)
    asked = _triggered(payload, pull.number, "push", f"{pull.number}:{pull.head.sha}", REVIEW)
    return Found(() if pull.draft else (asked,), (moved,))


def _moved(payload: payloads.PullEvent) -> repository_events.HeadMoved:
    pull = payload.pull_request
    return repository_events.HeadMoved(_thread(payload, pull.number), pull.head.sha, pull.base.ref)


def _edited(delivery: VerifiedDelivery) -> Found | NotForUs:
    payload = payloads.PullEvent.model_validate(delivery.payload)
    if "base" not in (payload.changes or {}):
        return NotForUs("a title or a body that was edited is read when a command runs")
    pull = payload.pull_request
    return Found(
        (),
        (repository_events.BaseChanged(_thread(payload, pull.number), pull.base.ref),),
    )


def _closed(delivery: VerifiedDelivery) -> Found | NotForUs:
    payload: payloads.PullEvent | payloads.IssueEvent
    if delivery.event == "issues":
        if delivery.payload["action"] == "deleted" and "comment" in delivery.payload:
            # The event's name is not signed, and a deleted comment has all that a deleted issue has.
            return NotForUs("the body is not that of issues: it has a comment", malformed=True)
        payload = payloads.IssueEvent.model_validate(delivery.payload)
        number = payload.issue.number
    else:
        payload = payloads.PullEvent.model_validate(delivery.payload)
        number = payload.pull_request.number
    return Found(events=(repository_events.ThreadClosed(_thread(payload, number)),))


def _reopened(delivery: VerifiedDelivery) -> Found | NotForUs:
    payload: payloads.PullEvent | payloads.IssueEvent
    if delivery.event == "issues":
        payload = payloads.IssueEvent.model_validate(delivery.payload)
        return Found(
            events=(repository_events.ThreadReopened(_thread(payload, payload.issue.number)),)
        )
    payload = payloads.PullEvent.model_validate(delivery.payload)
    pull = payload.pull_request
    return Found(
        events=(
            repository_events.ThreadReopened(
                _thread(payload, pull.number), pull.head.sha, pull.base.ref
            ),
        )
    )


def _grouped(delivery: VerifiedDelivery) -> Found | NotForUs:
    """A merge queue asks for checks of a commit of its own, whose branch names the pull request that it is made for."""
    payload = payloads.GroupEvent.model_validate(delivery.payload)
    named = _GROUP.search(payload.merge_group.head_ref)
    if named is None:
        return NotForUs("a merge group that names no pull request")
    return Found(
        events=(
            repository_events.GroupQueued(
                _thread(payload, int(named[1])), payload.merge_group.head_sha
            ),
        )
    )


def _check(delivery: VerifiedDelivery) -> Found | NotForUs:
    payload = payloads.CheckEvent.model_validate(delivery.payload)
    run = payload.check_run
    key = CheckKey.parse(run.external_id or "")
    if key is None or key.repository_id != payload.place.id or not _VERB.fullmatch(key.verb):
        return NotForUs("a check run of somebody else's")
    thread = _thread(payload, key.number)
    # Who pressed belongs to it: somebody who is refused does not use up the press of somebody who may.
    id_ = f"{run.id}:{run.completed_at}:{payload.sender.id}"
    if payload.requested_action is None:
        rerun = _triggered(
            payload, thread.number, "rerun", id_, f"{WORD} {key.verb}", check=key.format()
        )
        return Found((rerun,))
    # Whoever presses sees a label; what it stands for must not be a command of another's making.
    if not _PRESSED.fullmatch(payload.requested_action.identifier):
        return NotForUs("a button that none of ours is")
    act, _, gate = payload.requested_action.identifier.partition(":")
    id_ = f"{id_}:{payload.requested_action.identifier}"
    words = _WITHOUT_WORDS if act == "reject" else ""
    line = f"{WORD} {act} {gate} {words}".strip()
    return Found((_triggered(payload, thread.number, "button", id_, line, check=key.format()),))


def _all_checks(delivery: VerifiedDelivery) -> Found | NotForUs:
    """All checks again means the reviews: what a person must approve has buttons of its own."""
    payload = payloads.CheckSuiteEvent.model_validate(delivery.payload)
    suite = payload.check_suite
    pressed = f"{suite.id}:{suite.updated_at}:{payload.sender.id}"
    numbers = [pull.number for pull in suite.pull_requests]
    return Found(tuple(_triggered(payload, n, "rerun", f"{pressed}:{n}", REVIEW) for n in numbers))


def _installation(delivery: VerifiedDelivery) -> Found | NotForUs:
    payload = payloads.InstallationEvent.model_validate(delivery.payload)
    states = {"deleted": "removed", "suspend": "suspended"}
    owner = payload.installation.account.login if payload.installation.account else ""
    gained = [*(payload.repositories or ()), *payload.repositories_added]
    if payload.action == "removed":
        ids = tuple(each.id for each in payload.repositories_removed)
        return Found(events=(repository_events.RepositoriesRemoved(payload.installation.id, ids),))
    named = tuple(
        Repository(id=each.id, owner=owner, name=each.name, installation_id=payload.installation.id)
        for each in (gained if owner else ())
    )
    state: Any = states.get(payload.action, "active")
    return Found(
        events=(repository_events.InstallationChanged(payload.installation.id, state, named),)
    )


def _repository_changed(delivery: VerifiedDelivery) -> Found | NotForUs:
    payload = payloads.Event.model_validate(delivery.payload)
    gone = delivery.payload["action"] == "deleted"
    state: Any = "removed" if gone else "archived" if payload.repository.archived else "active"
    return Found(events=(repository_events.RepositoryChanged(payload.place, state),))


_Reader = Callable[[VerifiedDelivery], Found | NotForUs]
_READERS: Final[Mapping[tuple[str, str], _Reader]] = {
    ("issue_comment", "created"): _comment,
    ("issue_comment", "deleted"): _deleted,
    ("pull_request_review", "submitted"): _submitted,
    ("pull_request_review_comment", "created"): _comment,
    ("pull_request_review_comment", "deleted"): _deleted,
    ("issues", "labeled"): _labeled,
    ("issues", "closed"): _closed,
    ("issues", "deleted"): _closed,
    ("issues", "transferred"): _closed,
    ("issues", "reopened"): _reopened,
    ("pull_request", "labeled"): _labeled,
    ("pull_request", "opened"): _opened,
    ("pull_request", "ready_for_review"): _opened,
    ("pull_request", "synchronize"): _pushed,
    ("pull_request", "edited"): _edited,
    ("pull_request", "closed"): _closed,
    ("pull_request", "reopened"): _reopened,
    ("merge_group", "checks_requested"): _grouped,
    ("check_run", "rerequested"): _check,
    ("check_run", "requested_action"): _check,
    ("check_suite", "rerequested"): _all_checks,
    **{
        ("installation", act): _installation
        for act in ("created", "deleted", "suspend", "unsuspend")
    },
    **{("installation_repositories", act): _installation for act in ("added", "removed")},
    **{
        ("repository", act): _repository_changed
        for act in ("renamed", "transferred", "archived", "unarchived", "deleted")
    },
}
"""The closed list. For everything else `events` says why not."""

EVENTS: Final = frozenset(_READERS)


def _thread(payload: payloads.Event, number: int) -> Thread:
    return Thread(repository=payload.place, number=number)


def _triggered(
    payload: payloads.Event, number: int, kind: Any, id_: str, line: str, check: str = ""
) -> CommandRequest:
    source = Trigger(kind=kind, id=as_stored(id_)[:100], check=check)
    return CommandRequest(
        thread=_thread(payload, number),
        actor=payload.sender.actor,
        source=source,
        line=as_stored(line),
    )
