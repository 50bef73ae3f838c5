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

from claude_pool_gh.github import tables
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.github.intake import (
    EVENTS,
    CommandRequest,
    NotForUs,
    body_digest,
    recognise,
    requests,
    take_in,
)
from claude_pool_gh.storage import Database, Transaction, migrations

GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
PAYLOADS: list[tuple[str, dict[str, Any]]] = [
    (event, payload)
    for event, payload in map(
        json.loads, (Path(__file__).parent / "data/payloads.jsonl").read_text("utf-8").splitlines()
    )
]
NAMES = sorted({event for event, _ in PAYLOADS})


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


def found(body: dict[str, Any], event: str = "issue_comment") -> list[CommandRequest]:
    commands = recognise(VerifiedDelivery(GUID, event, body))
    assert isinstance(commands, list), commands
    return commands


def dropped(body: dict[str, Any], event: str = "issue_comment") -> NotForUs:
    reason = recognise(VerifiedDelivery(GUID, event, body))
    assert isinstance(reason, NotForUs), reason
    return reason


@pytest.mark.parametrize(
    ("event", "kind"), [("issue_comment", "issue_comment"), ("pull_request_review_comment", "review_comment")]
)
def test_every_command_of_a_comment_is_found_with_where_it_came_from(event: str, kind: str) -> None:
    first, second = found(payload(event), event)
    assert (first.line, second.line, first.ordinal, second.ordinal) == ("/pool review", "/pool help", 0, 1)
    assert (first.key, second.key) == (f"{kind}:5:77:0", f"{kind}:5:77:1")
    assert first.thread.model_dump() == {
        "repository": {"id": 5, "owner": "octo", "name": "widgets", "installation_id": 9},
        "number": 3,
    }
    assert first.actor.model_dump() == {"id": 7, "login": "mona", "is_human": True}
    assert first.body_sha256 == body_digest("/pool review\n\n/pool help")


def test_a_comment_without_commands_asks_for_nothing() -> None:
    assert found(payload(comment__body="please review")) == []
    empty = payload()
    empty["comment"]["body"] = None
    assert found(empty) == []


def test_without_an_installation_the_actions_token_speaks() -> None:
    [command, _] = found(payload(installation=None))
    assert command.thread.repository.installation_id == 0


def test_the_list_of_events_is_closed() -> None:
    assert {("issue_comment", "created"), ("pull_request_review_comment", "created")} == EVENTS


@pytest.mark.parametrize("event", [*NAMES, "", "Issue_Comment", "issue_comment ", "unknown"])
def test_every_event_and_action_beside_the_list_is_dropped(event: str) -> None:
    actions = {body.get("action") for _, body in PAYLOADS} | {"Created", "created ", ""}
    for action in actions:
        if (event, action) not in EVENTS:
            body = payload(action=action)
            assert dropped(body, event) == NotForUs(f"{event}.{body.get('action')} is not listened to")


@pytest.mark.parametrize("action", [[], {}, ["created"], 1, True, 1.5])
def test_an_action_that_is_no_text_is_dropped(action: Any) -> None:
    assert not dropped(payload(action=action)).malformed


def test_there_are_payloads_of_every_kind_of_event() -> None:
    assert len(NAMES) == 58
    assert {"issue_comment", "pull_request_review_comment", "commit_comment", "discussion_comment"} <= set(
        NAMES
    )


@pytest.mark.parametrize("event", sorted(name for name, _ in EVENTS))
def test_no_real_payload_passes_for_one_of_another_event(event: str) -> None:
    for own, body in PAYLOADS:
        said = recognise(VerifiedDelivery(GUID, event, body))
        right = own == event and body.get("action") == "created"
        assert isinstance(said, list) == right, (own, body)
        if isinstance(said, NotForUs):
            assert said.malformed == (body.get("action") == "created")


@pytest.mark.parametrize("event", sorted(name for name, _ in EVENTS))
def test_a_body_of_the_other_event_is_malformed(event: str) -> None:
    [other] = {name for name, _ in EVENTS} - {event}
    assert dropped(payload(other), event) == NotForUs(
        f"the body is not that of {event}: no thread", malformed=True
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"comment": None}, "comment"), ({"repository": None}, "repository"), ({"sender": None}, "sender"),
        ({"comment__id": None}, "comment.id"), ({"comment__id": "77"}, "comment.id"), ({"comment__id": True},
        "comment.id"),
        ({"comment__body": 3}, "comment.body"), ({"comment__body": None}, "comment.body"), ({"comment__user": []},
        "comment.user"),
        ({"sender__id": 7.5}, "sender.id"), ({"sender__login": None}, "sender.login"), ({"issue__number": "3"},
        "issue.number"),
        ({"repository__id": "5"}, "repository.id"), ({"repository__owner": None}, "repository.owner"),
        ({"issue": 3}, "issue"), ({"comment": "x"}, "comment"), ({"issue__number": 0}, "number"),
        ({"repository__id": -5}, "id"),
        ({"comment__id": 0}, "id"), ({"repository__name": "../x"}, "name"), ({"repository__owner__login": "a/b"},
        "owner"),
        ({"installation__id": "9"}, "installation.id"),
    ],
)  # fmt: skip
def test_a_body_of_another_form_is_malformed_and_says_where(changes: dict[str, Any], field: str) -> None:
    assert dropped(payload(**changes)) == NotForUs(
        f"the body is not that of issue_comment: {field}", malformed=True
    )


@pytest.mark.parametrize("event", sorted(name for name, _ in EVENTS))
def test_a_sender_who_is_not_the_author_is_not_heard(event: str) -> None:
    assert dropped(payload(event, sender__id=8), event) == NotForUs("the sender is not the comment's author")
    ghost = payload(event)
    ghost["comment"]["user"] = None
    assert dropped(ghost, event) == NotForUs("the sender is not the comment's author")


def test_a_name_does_not_make_the_author() -> None:
    assert (
        dropped(payload(sender__id=8, sender__login="mona")).reason
        == "the sender is not the comment's author"
    )
    assert len(found(payload(sender__login="renamed"))) == 2


@pytest.mark.parametrize("kind", ["Bot", "Organization", "Mannequin", "", "user"])
@pytest.mark.parametrize("login", ["evil[bot]", "mona"])
def test_only_people_command(kind: str, login: str) -> None:
    body = payload(comment__user={"id": 7, "login": login, "type": kind})
    assert dropped(body) == NotForUs(f"{login} is a {kind.lower()}, and only people command")


def test_an_author_of_no_known_kind_is_not_taken_for_a_person() -> None:
    assert isinstance(
        recognise(VerifiedDelivery(GUID, "issue_comment", payload(comment__user__type=None))), NotForUs
    )


def test_a_suffix_neither_grants_nor_denies() -> None:
    assert len(found(payload(comment__user__login="looks-like[bot]"))) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
PATHS = [
    ("action",), ("comment",), ("comment", "id"), ("comment", "body"), ("comment", "user"), ("comment", "user", "id"),
    ("comment", "user", "type"), ("repository",), ("repository", "id"), ("repository", "owner", "login"), ("sender",),
    ("issue",), ("issue", "number"), ("installation",),
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PATHS), JSON, st.sampled_from(sorted(name for name, _ in EVENTS)))
def test_nothing_in_a_payload_makes_the_reader_raise(path: tuple[str, ...], value: Any, event: str) -> None:
    body = payload(event)
    here = body
    for part in path[:-1]:
        here = here.get(part) or {}
    here[path[-1]] = value
    assert isinstance(recognise(VerifiedDelivery(GUID, event, body)), list | NotForUs)


def test_half_a_character_in_a_comment_is_replaced() -> None:
    [command] = found(payload(comment__body="/pool \ud800"))
    assert (command.line, command.body_sha256) == ("/pool ?", body_digest("/pool \ud800"))


def test_a_digest_tells_whether_a_comment_was_edited() -> None:
    assert body_digest("/pool review") == body_digest("/pool review")
    assert (
        len({body_digest(text) for text in ("", " ", "/pool review", "/pool review ", "/pool review\r\n")})
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
    return tuple(tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in kinds)


async def take(database: Database, body: dict[str, Any], guid: str = GUID) -> int:
    delivery = VerifiedDelivery(guid, "issue_comment", body)
    return await database.transact(lambda tx: take_in(tx, delivery, found(body), 1))


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
        take_in(tx, VerifiedDelivery(GUID, "issue_comment", payload()), found(payload()), 1)
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
    assert [tuple(row) for row in rows] == [(5, "octo", "gadgets", 9)]


async def test_a_stored_command_is_the_whole_request(database: Database) -> None:
    body = payload()
    await take(database, copy.deepcopy(body))
    rows = await database.read(lambda tx: tx.execute(sa.select(tables.commands)).all())
    assert [CommandRequest.model_validate(row.request) for row in rows] == found(body)
    assert {(row.state, row.tries, row.due_ms, row.received_ms) for row in rows} == {("received", 0, 1, 1)}


def test_requests_count_the_commands_of_a_body() -> None:
    [one, *_] = found(payload())
    many = requests("/pool a\n" * 9, thread=one.thread, actor=one.actor, comment=one.comment)
    assert [request.ordinal for request in many] == [0, 1, 2, 3, 4]
    assert len({request.key for request in many}) == 5
