"""From a delivery to commands: a closed list of events, and only what a person wrote there."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.github import events, repository_events, tables
from claude_pool_gh.github.command_request import CommandRequest, body_digest, requests
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.github.inbox import take_in
from claude_pool_gh.github.intake import EVENTS, Found, NotForUs, recognise
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import CommentRef, Repository, Thread, Trigger

GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
PAYLOADS: list[tuple[str, dict[str, Any]]] = [
    (event, payload)
    for event, payload in map(
        json.loads, (Path(__file__).parent / "data/payloads.jsonl").read_text("utf-8").splitlines()
    )
]
NAMES = sorted({event for event, _ in PAYLOADS})
COMMENTS = ["issue_comment", "pull_request_review_comment"]


def payload(event: str = "issue_comment", **changes: Any) -> dict[str, Any]:
    """A comment of Mona's; a dotted name as `comment__user` replaces what stands there."""
    mona = {"id": 7, "login": "mona", "type": "User"}
    made: dict[str, Any] = {
        "action": "created",
        "comment": {"id": 77, "body": "/pool review\n\n/pool help", "user": dict(mona)},
        "repository": {
            "id": 5,
            "name": "widgets",
            "owner": {"id": 1, "login": "octo", "type": "Organization"},
        },
        "sender": dict(mona),
        "installation": {"id": 9},
        "issue" if event == "issue_comment" else "pull_request": {"number": 3},
    }
    for name, value in changes.items():
        *path, last = name.split("__")
        here = made
        for part in path:
            here = here[part]
        if value is None:
            del here[last]
        else:
            here[last] = value
    return made


def heard(body: dict[str, Any], event: str = "issue_comment") -> Found:
    said = recognise(VerifiedDelivery(GUID, event, body))
    assert isinstance(said, Found), said
    return said


def found(body: dict[str, Any], event: str = "issue_comment") -> list[CommandRequest]:
    said = heard(body, event)
    assert said.events == ()
    return list(said.requests)


def dropped(body: dict[str, Any], event: str = "issue_comment") -> NotForUs:
    reason = recognise(VerifiedDelivery(GUID, event, body))
    assert isinstance(reason, NotForUs), reason
    return reason


WIDGETS = Repository(id=5, owner="octo", name="widgets", installation_id=9)
HERE = Thread(repository=WIDGETS, number=3)
ONLY_THE_REPOSITORY = {"installation", "installation_repositories", "repository"}
"""Events of which only the installation or the repository is read, so that others' bodies have what they need."""


def everything(action: str, **changes: Any) -> dict[str, Any]:
    """A body that has what each of our events needs."""
    made = payload(
        action=action,
        pull_request={"number": 3, "head": {"sha": "a" * 40}, "draft": False, "updated_at": "then"},
        issue={"number": 3, "updated_at": "then"},
        label={"name": "pool:review"},
        check_run={"id": 88, "external_id": "check:5:3:review:" + "a" * 40, "completed_at": "then"},
        check_suite={
            "id": 89,
            "updated_at": "then",
            "pull_requests": [{"number": 3}, {"number": 4}],
        },
        merge_group={
            "head_sha": "b" * 40,
            "head_ref": f"refs/heads/gh-readonly-queue/main/pr-3-{'c' * 40}",
        },
        review={
            "id": 90,
            "body": "/pool review",
            "user": {"id": 7, "login": "mona", "type": "User"},
        },
        repositories=[{"id": 6, "name": "gadgets", "full_name": "octo/gadgets"}],
        installation={"id": 9, "account": {"login": "octo"}},
        repositories_added=[],
        repositories_removed=[{"id": 7, "name": "gizmos", "full_name": "octo/gizmos"}],
    )
    if action == "requested_action":
        made["requested_action"] = {"identifier": "approve:0123456789"}
    for name, value in changes.items():
        *path, last = name.split("__")
        here = made
        for part in path:
            here = here[part]
        here[last] = value
    return made


def heard_requests(said: Found | NotForUs) -> bool:
    return isinstance(said, Found) and bool(said.requests)


@pytest.mark.parametrize(
    ("event", "kind"),
    [("issue_comment", "issue_comment"), ("pull_request_review_comment", "review_comment")],
)
def test_every_command_of_a_comment_is_found_with_where_it_came_from(event: str, kind: str) -> None:
    first, second = found(payload(event), event)
    assert (first.line, second.line, first.ordinal, second.ordinal) == (
        "/pool review",
        "/pool help",
        0,
        1,
    )
    assert (first.key, second.key) == (f"{kind}:5:77:0", f"{kind}:5:77:1")
    assert first.thread.model_dump() == {
        "repository": {"id": 5, "owner": "octo", "name": "widgets", "installation_id": 9},
        "number": 3,
    }
    assert first.actor.model_dump() == {"id": 7, "login": "mona", "is_human": True}
    assert first.body_sha256 == body_digest("/pool review\n\n/pool help")
    root = None if event == "issue_comment" else 77
    assert (
        first.source
        == first.comment
        == CommentRef.model_validate({"id": 77, "kind": kind, "root": root})
    )


def test_a_reply_in_a_reviews_thread_says_which_comment_began_it() -> None:
    body = payload("pull_request_review_comment", comment__in_reply_to_id=70)
    [first, _] = found(body, "pull_request_review_comment")
    assert first.comment == CommentRef(id=77, kind="review_comment", root=70)
    assert first.key == "review_comment:5:77:0"


def test_a_comment_without_commands_asks_for_nothing() -> None:
    assert found(payload(comment__body="please review")) == []
    empty = payload()
    empty["comment"]["body"] = None
    assert found(empty) == []


def test_without_an_installation_the_actions_token_speaks() -> None:
    [command, _] = found(payload(installation=None))
    assert command.thread.repository.installation_id == 0


LISTENED = {
    "issue_comment": "created deleted",
    "pull_request_review_comment": "created deleted",
    "pull_request_review": "submitted",
    "issues": "labeled closed deleted transferred reopened",
    "pull_request": "labeled opened ready_for_review synchronize edited closed reopened",
    "merge_group": "checks_requested",
    "check_run": "rerequested requested_action",
    "check_suite": "rerequested",
    "installation": "created deleted suspend unsuspend",
    "installation_repositories": "added removed",
    "repository": "renamed transferred archived unarchived deleted",
}


def test_the_list_of_events_is_closed() -> None:
    assert {
        (event, action) for event, actions in LISTENED.items() for action in actions.split()
    } == EVENTS


EVERY: dict[str, set[str]] = {
    line.split()[0]: set(line.split()[1:]) or {""}
    for line in (Path(__file__).parent / "data" / "events.txt").read_text().splitlines()
}
"""GitHub's own list of events and their actions."""


def test_every_event_and_action_of_githubs_own_list_is_decided_once() -> None:
    undecided, twice, unknown = set(), set(), set()
    for event, actions in EVERY.items():
        for action in actions:
            ignored = action in events.UNHEARD.get(event, {}) or events.EVERY in events.UNHEARD.get(
                event, {}
            )
            heard_too = (event, action) in EVENTS
            undecided |= set() if ignored or heard_too else {(event, action)}
            twice |= {(event, action)} if ignored and heard_too else set()
    for event, reasons in events.UNHEARD.items():
        unknown |= {
            (event, each)
            for each in reasons
            if each not in (EVERY.get(event, set()) | {events.EVERY})
        }
        unknown |= set() if event in EVERY else {(event, "")}
    unknown |= {each for each in EVENTS if each[1] not in EVERY.get(each[0], set())}
    assert (undecided, twice, unknown) == (set(), set(), set())
    assert len(EVERY) > 70
    assert sum(map(len, EVERY.values())) > 250
    assert all(
        len(reason) > 10 for reasons in events.UNHEARD.values() for reason in reasons.values()
    )


def test_the_list_itself_is_not_behind_the_payloads() -> None:
    assert {name for name in NAMES if name not in EVERY} <= {
        "content_reference",
        "deployment_review",
        "security_advisory",
    }


def test_only_comments_labels_buttons_and_pull_requests_ask_for_anything() -> None:
    asking = {
        (event, action)
        for event, action in EVENTS
        if (said := recognise(VerifiedDelivery(GUID, event, everything(action))))
        and heard_requests(said)
    }
    assert asking == {
        ("issue_comment", "created"),
        ("pull_request_review_comment", "created"),
        ("pull_request_review", "submitted"),
        ("issues", "labeled"),
        ("pull_request", "labeled"),
        ("pull_request", "opened"),
        ("pull_request", "ready_for_review"),
        ("pull_request", "synchronize"),
        ("check_run", "rerequested"),
        ("check_run", "requested_action"),
        ("check_suite", "rerequested"),
    }


@pytest.mark.parametrize("event", [*NAMES, "", "Issue_Comment", "issue_comment ", "unknown"])
def test_every_event_and_action_beside_the_list_is_dropped(event: str) -> None:
    actions = {body.get("action") for _, body in PAYLOADS} | {"Created", "created ", ""}
    for action in actions:
        if (event, action) not in EVENTS:
            body = payload(action=action)
            said = dropped(body, event)
            assert said.reason.startswith(f"{event}.{body.get('action')} is not listened to: ")
            assert not said.malformed


@pytest.mark.parametrize("action", [[], {}, ["created"], 1, True, 1.5])
def test_an_action_that_is_no_text_is_dropped(action: Any) -> None:
    assert not dropped(payload(action=action)).malformed


def test_there_are_payloads_of_every_kind_of_event() -> None:
    assert len(NAMES) == 58
    assert {
        "issue_comment",
        "pull_request_review_comment",
        "commit_comment",
        "discussion_comment",
    } <= set(NAMES)


@pytest.mark.parametrize("event", sorted({name for name, _ in EVENTS}))
def test_no_real_payload_passes_for_one_of_another_event(event: str) -> None:
    for own, body in PAYLOADS:
        said = recognise(VerifiedDelivery(GUID, event, body))
        assert not heard_requests(said), (own, body)
        if isinstance(said, Found):
            assert own == event or event in ONLY_THE_REPOSITORY, (own, body)
        elif event in COMMENTS:
            assert said.malformed == (body.get("action") in ("created", "deleted"))


@pytest.mark.parametrize("event", COMMENTS)
def test_a_body_of_the_other_event_is_malformed(event: str) -> None:
    [other] = {*COMMENTS} - {event}
    assert dropped(payload(other), event) == NotForUs(
        f"the body is not that of {event}: no thread", malformed=True
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"comment": None}, "comment"),
        ({"repository": None}, "repository"),
        ({"sender": None}, "sender"),
        ({"comment__id": None}, "comment.id"),
        ({"comment__id": "77"}, "comment.id"),
        ({"comment__id": True}, "comment.id"),
        ({"comment__body": 3}, "comment.body"),
        ({"comment__body": None}, "comment.body"),
        ({"comment__user": []}, "comment.user"),
        ({"sender__id": 7.5}, "sender.id"),
        ({"sender__login": None}, "sender.login"),
        ({"issue__number": "3"}, "issue.number"),
        ({"repository__id": "5"}, "repository.id"),
        ({"repository__owner": None}, "repository.owner"),
        ({"issue": 3}, "issue"),
        ({"comment": "x"}, "comment"),
        ({"issue__number": 0}, "number"),
        ({"repository__id": -5}, "id"),
        ({"comment__id": 0}, "id"),
        ({"repository__name": "../x"}, "name"),
        ({"repository__owner__login": "a/b"}, "owner"),
        ({"installation__id": "9"}, "installation.id"),
    ],
)
def test_a_body_of_another_form_is_malformed_and_says_where(
    changes: dict[str, Any], field: str
) -> None:
    assert dropped(payload(**changes)) == NotForUs(
        f"the body is not that of issue_comment: {field}", malformed=True
    )


@pytest.mark.parametrize("event", COMMENTS)
def test_a_sender_who_is_not_the_author_is_not_heard(event: str) -> None:
    assert dropped(payload(event, sender__id=8), event) == NotForUs(
        "the sender is not the comment's author"
    )
    ghost = payload(event)
    ghost["comment"]["user"] = None
    assert dropped(ghost, event) == NotForUs("the sender is not the comment's author")


def test_a_name_does_not_make_the_author() -> None:
    assert (
        dropped(payload(sender__id=8, sender__login="mona")).reason
        == "the sender is not the comment's author"
    )
    assert len(found(payload(sender__login="renamed"))) == 2


@pytest.mark.parametrize("kind", ["Bot", "Organization", "Mannequin", "", "user", None])
@pytest.mark.parametrize("login", ["evil[bot]", "mona"])
def test_who_is_no_person_is_known_as_none_and_left_to_the_clerk(
    kind: str | None, login: str
) -> None:
    user = {"id": 7, "login": login} | ({} if kind is None else {"type": kind})
    assert [each.actor.is_human for each in found(payload(comment__user=user))] == [False, False]


def test_a_suffix_neither_grants_nor_denies() -> None:
    body = payload(comment__user__login="looks-like[bot]")
    assert [each.actor.is_human for each in found(body)] == [True, True]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)
PATHS = [
    ("action",),
    ("comment",),
    ("comment", "id"),
    ("comment", "body"),
    ("comment", "user"),
    ("comment", "user", "id"),
    ("comment", "user", "type"),
    ("repository",),
    ("repository", "id"),
    ("repository", "owner", "login"),
    ("sender",),
    ("issue",),
    ("issue", "number"),
    ("installation",),
    ("comment", "in_reply_to_id"),
    ("pull_request",),
    ("pull_request", "head"),
    ("pull_request", "draft"),
    ("pull_request", "updated_at"),
    ("label",),
    ("label", "name"),
    ("check_run",),
    ("check_run", "external_id"),
    ("check_run", "completed_at"),
    ("requested_action",),
    ("requested_action", "identifier"),
    ("installation", "account"),
    ("repositories",),
    ("repositories_removed",),
    ("repository", "archived"),
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PATHS), JSON, st.sampled_from(sorted(EVENTS)))
def test_nothing_in_a_payload_makes_the_reader_raise(
    path: tuple[str, ...], value: Any, listened: tuple[str, str]
) -> None:
    event, action = listened
    body = everything(action)
    here = body
    for part in path[:-1]:
        here = here.get(part) or {}
    here[path[-1]] = value
    assert isinstance(recognise(VerifiedDelivery(GUID, event, body)), Found | NotForUs)


def test_half_a_character_in_a_comment_is_replaced() -> None:
    [command] = found(payload(comment__body="/pool \ud800"))
    assert (command.line, command.body_sha256) == ("/pool ?", body_digest("/pool \ud800"))


def test_a_digest_tells_whether_a_comment_was_edited() -> None:
    assert body_digest("/pool review") == body_digest("/pool review")
    assert (
        len(
            {
                body_digest(text)
                for text in ("", " ", "/pool review", "/pool review ", "/pool review\r\n")
            }
        )
        == 5
    )


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path}/pool.db")
    migrations.upgrade(database.engine)
    yield database
    database.close()


def counts(tx: Transaction) -> tuple[int, ...]:
    """Deliveries, commands and repositories that are stored."""
    kinds = (tables.deliveries, tables.commands, tables.repositories)
    return tuple(
        tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in kinds
    )


async def take(database: Database, body: dict[str, Any], guid: str = GUID) -> int:
    delivery = VerifiedDelivery(guid, "issue_comment", body)
    return await database.transact(lambda tx: take_in(tx, delivery, heard(body), 1))


async def test_a_redelivery_adds_nothing(database: Database) -> None:
    assert await take(database, payload()) == 2
    assert await take(database, payload()) == 0
    assert await database.read(counts) == (1, 2, 1)


async def test_the_same_comment_under_another_guid_adds_no_command(database: Database) -> None:
    assert await take(database, payload()) == 2
    assert await take(database, payload(), GUID.replace("7", "8")) == 0
    assert await database.read(counts) == (2, 2, 1)


async def test_a_delivery_whose_first_attempt_died_is_taken_in_again(database: Database) -> None:
    def die(tx: Transaction) -> None:
        take_in(tx, VerifiedDelivery(GUID, "issue_comment", payload()), heard(payload()), 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.transact(die)
    assert await database.read(counts) == (0, 0, 0)
    assert await take(database, payload()) == 2


async def test_another_comment_or_repository_is_another_command(database: Database) -> None:
    assert await take(database, payload()) == 2
    assert await take(database, payload(comment__id=78), "g" * 9) == 2
    assert await take(database, payload(repository__id=6), "h" * 9) == 2
    assert await database.read(counts) == (3, 6, 2)


async def test_a_repository_is_known_by_its_newest_name(database: Database) -> None:
    await take(database, payload())
    await take(database, payload(repository__name="gadgets", comment__id=78), "g" * 9)
    rows = await database.read(lambda tx: tx.execute(sa.select(tables.repositories)).all())
    assert [tuple(row) for row in rows] == [(5, "octo", "gadgets", 9, "active")]


async def test_a_stored_command_is_the_whole_request(database: Database) -> None:
    body = payload()
    await take(database, copy.deepcopy(body))
    rows = await database.read(lambda tx: tx.execute(sa.select(tables.commands)).all())
    taken = [each.model_copy(update={"delivery": GUID}) for each in found(body)]
    assert [CommandRequest.model_validate(row.request) for row in rows] == taken
    assert {(row.state, row.tries, row.due_ms, row.received_ms) for row in rows} == {
        ("received", 0, 1, 1)
    }


def test_requests_count_the_commands_of_a_body() -> None:
    [one, *_] = found(payload())
    assert one.comment is not None
    many = requests("/pool a\n" * 9, thread=one.thread, actor=one.actor, source=one.comment)
    assert [request.ordinal for request in many] == [0, 1, 2, 3, 4]
    assert len({request.key for request in many}) == 5


# ---- what asks besides comments


def asked(event: str, action: str, **changes: Any) -> CommandRequest:
    [request] = heard(everything(action, **changes), event).requests
    assert (request.thread, request.actor.login, request.body_sha256) == (HERE, "mona", "")
    assert request.comment is None
    return request


@pytest.mark.parametrize("event", ["issues", "pull_request"])
def test_a_label_of_ours_asks_for_its_verb_each_time_it_is_put_on(event: str) -> None:
    first = asked(event, "labeled")
    assert (first.line, first.source) == (
        "/pool review",
        Trigger(kind="label", id="3:pool:review:then"),
    )
    holder = "issue" if event == "issues" else "pull_request"
    again = asked(event, "labeled", **{f"{holder}__updated_at": "later"})
    assert again.key != first.key == asked(event, "labeled").key


@pytest.mark.parametrize("name", ["bug", "Pool:review", " pool:review", "pool", "xpool:review", ""])
def test_any_other_label_asks_for_nothing(name: str) -> None:
    body = everything("labeled", label__name=name)
    assert dropped(body, "issues") == NotForUs("a label that asks for nothing")
    assert dropped(everything("labeled", label=None), "issues") == NotForUs(
        "a label that asks for nothing"
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("pool:fix", "/pool fix"),
        ("pool:", "/pool "),
        ("pool: review  --budget 5", "/pool review --budget 5"),
        ("pool:review\n/pool approve x", "/pool review /pool approve x"),
        ("pool:\ud800", "/pool ?"),
    ],
)
def test_a_label_is_one_line_whatever_it_holds(name: str, line: str) -> None:
    assert asked("issues", "labeled", label__name=name).line == line


def test_a_pull_request_that_is_opened_asks_once_and_its_head_is_known() -> None:
    said = heard(everything("opened"), "pull_request")
    assert said.events == (repository_events.HeadMoved(HERE, "a" * 40),)
    assert [(each.line, each.source) for each in said.requests] == [
        ("/pool review", Trigger(kind="opened", id="3"))
    ]


@pytest.mark.parametrize("action", ["opened", "ready_for_review", "synchronize"])
def test_a_draft_asks_for_nothing_but_its_head_is_known(action: str) -> None:
    said = heard(everything(action, pull_request__draft=True), "pull_request")
    assert said == Found((), (repository_events.HeadMoved(HERE, "a" * 40),))


def test_each_head_and_each_leaving_of_the_draft_asks_once() -> None:
    push = asked("pull_request", "synchronize")
    assert push.source == Trigger(kind="push", id="3:" + "a" * 40)
    assert asked("pull_request", "synchronize", pull_request__updated_at="later").key == push.key
    assert (
        asked("pull_request", "synchronize", pull_request__head={"sha": "b" * 40}).key != push.key
    )
    ready = asked("pull_request", "ready_for_review")
    assert ready.source == Trigger(kind="ready_for_review", id="3:then")
    assert (
        asked("pull_request", "ready_for_review", pull_request__updated_at="later").key != ready.key
    )


@pytest.mark.parametrize("event", ["issues", "pull_request"])
def test_a_closed_thread_is_news(event: str) -> None:
    assert heard(everything("closed"), event) == Found(
        events=(repository_events.ThreadClosed(HERE),)
    )


@pytest.mark.parametrize("event", COMMENTS)
def test_a_deleted_comment_is_news_and_its_commands_are_not_run(event: str) -> None:
    ref = (
        CommentRef(id=77)
        if event == "issue_comment"
        else CommentRef(id=77, kind="review_comment", root=77)
    )
    assert heard(everything("deleted"), event) == Found(
        events=(repository_events.CommentDeleted(HERE, ref),)
    )


CHECK = f"check:5:3:review:{'a' * 40}"


def test_a_check_that_is_run_again_asks_for_its_verb() -> None:
    first = asked("check_run", "rerequested")
    assert (first.line, first.source) == (
        "/pool review",
        Trigger(kind="rerun", id="88:then:7", check=CHECK),
    )
    assert asked("check_run", "rerequested", check_run__completed_at="later").key != first.key


def test_a_button_says_what_it_decides_and_of_whom() -> None:
    pressed = asked("check_run", "requested_action")
    assert pressed.line == "/pool approve 0123456789"
    assert pressed.source == Trigger(kind="button", id="88:then:7:approve:0123456789", check=CHECK)
    assert asked(
        "check_run", "requested_action", requested_action__identifier="reject:0123456789"
    ).line.startswith("/pool reject 0123456789 ")


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "cancel",
        "approve",
        "approve:",
        "continue --budget 99",
        "approve:0123456789 x",
        "approve:0123456789\n",
        "ok:0123456789",
        "ask:what is it",
    ],
)
def test_a_button_that_none_of_ours_is_asks_for_nothing(identifier: str) -> None:
    pressed = everything("requested_action", requested_action__identifier=identifier)
    assert dropped(pressed, "check_run") == NotForUs("a button that none of ours is")


def test_a_button_may_be_pressed_again_after_another_run_of_the_same_check() -> None:
    first = asked("check_run", "requested_action")
    assert asked("check_run", "requested_action").key == first.key
    assert asked("check_run", "requested_action", check_run__completed_at="later").key != first.key


def test_re_running_all_checks_asks_for_the_review_of_each_pull_request_of_the_commit() -> None:
    first, second = heard(everything("rerequested"), "check_suite").requests
    assert (first.line, first.thread.number) == ("/pool review", 3)
    assert (second.line, second.thread.number) == ("/pool review", 4)
    assert first.key != second.key
    other = everything("rerequested", check_suite__updated_at="later")
    assert first.key not in {each.key for each in heard(other, "check_suite").requests}
    of_a_fork = everything("rerequested", check_suite__pull_requests=[])
    assert heard(of_a_fork, "check_suite").requests == ()


@pytest.mark.parametrize(
    "external",
    [
        None,
        "",
        "review",
        "check:5:3:review",
        "check:6:3:review:x",
        "check:5:x:review:x",
        "check:5:-3:review:x",
        "ci:5:3:review:x",
        "check:5:3:review:x:y",
        "check:5:3:review --budget 900:x",
        "check:5:3:approve 0123456789:x",
        "check:5:3:review\n/pool ok:x",
    ],
)
def test_a_check_of_somebody_elses_asks_for_nothing(external: str | None) -> None:
    for action in ("rerequested", "requested_action"):
        said = dropped(everything(action, check_run__external_id=external), "check_run")
        assert said == NotForUs("a check run of somebody else's")


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("created", "active"),
        ("unsuspend", "active"),
        ("suspend", "suspended"),
        ("deleted", "removed"),
    ],
)
def test_an_installation_says_what_it_may_see(action: str, state: Any) -> None:
    gadgets = Repository(id=6, owner="octo", name="gadgets", installation_id=9)
    said = heard(everything(action), "installation")
    assert said == Found(events=(repository_events.InstallationChanged(9, state, (gadgets,)),))


def test_repositories_that_an_installation_loses_are_named() -> None:
    said = heard(everything("removed"), "installation_repositories")
    assert said == Found(events=(repository_events.RepositoriesRemoved(9, (7,)),))


@pytest.mark.parametrize(
    ("action", "archived", "state"),
    [
        ("renamed", False, "active"),
        ("transferred", False, "active"),
        ("archived", True, "archived"),
        ("unarchived", False, "active"),
        ("deleted", False, "removed"),
    ],
)
def test_what_becomes_of_a_repository_is_news(action: str, archived: bool, state: Any) -> None:
    said = heard(everything(action, repository__archived=archived), "repository")
    assert said == Found(events=(repository_events.RepositoryChanged(WIDGETS, state),))


def test_no_two_sources_share_a_key() -> None:
    requests = [
        each
        for event, action in sorted(EVENTS)
        if isinstance(said := recognise(VerifiedDelivery(GUID, event, everything(action))), Found)
        for each in said.requests
    ]
    labels = [each.key for each in requests if each.source.kind == "label"]
    assert len({each.key for each in requests}) == len(requests) - len(labels) + 1
    assert len({each.digest for each in requests}) == len({each.key for each in requests})


async def test_news_are_told_in_the_same_transaction_as_the_delivery(database: Database) -> None:
    told: list[repository_events.RepositoryEvent] = []
    delivery = VerifiedDelivery(GUID, "pull_request", everything("opened"))
    said = heard(everything("opened"), "pull_request")

    def take_all(tx: Transaction) -> int:
        return take_in(tx, delivery, said, 1, lambda _tx, each: told.append(each))

    assert await database.transact(take_all) == 1
    assert told == [repository_events.HeadMoved(HERE, "a" * 40)]

    def die(_tx: Transaction, _news: repository_events.RepositoryEvent) -> None:
        raise ZeroDivisionError

    other = VerifiedDelivery("h" * 9, "pull_request", everything("opened"))
    with pytest.raises(ZeroDivisionError):
        await database.transact(lambda tx: take_in(tx, other, said, 1, die))
    assert await database.read(counts) == (1, 1, 1)
