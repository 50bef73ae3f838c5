"""The commands in a review's own text, and who may have said them."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.github.command_request import body_digest
from claude_pool_gh.github.intake import NotForUs
from claude_pool_gh.terms.ids import Actor, ReviewRef
from tests.github.test_intake import HERE, dropped, everything, found

EVENT = "pull_request_review"


def submitted(**changes: Any) -> dict[str, Any]:
    return everything("submitted", **changes)


def test_each_command_of_a_review_is_asked_in_its_thread_by_its_author() -> None:
    body = "/pool review\n\nFine otherwise.\n\n/pool help"
    first, second = found(submitted(review__body=body), EVENT)
    assert [each.line for each in (first, second)] == ["/pool review", "/pool help"]
    assert [(each.ordinal, each.leads) for each in (first, second)] == [(0, True), (1, False)]
    for each in (first, second):
        assert (each.thread, each.source) == (HERE, ReviewRef(id=90))
        assert each.actor == Actor(id=7, login="mona")
        assert each.body_sha256 == body_digest(body)
        assert (each.comment, each.written_in) == (None, ReviewRef(id=90))


@pytest.mark.parametrize(
    "changes",
    [
        {"sender__id": 8},
        {"sender": {"id": 8, "login": "mona", "type": "User"}},
        {"review__user": None},
        {"review__user": {"id": 8, "login": "mona", "type": "User"}},
    ],
)
def test_a_sender_who_is_not_the_author_is_not_heard(changes: dict[str, Any]) -> None:
    not_theirs = NotForUs("the sender is not the review's author")
    assert dropped(submitted(**changes), EVENT) == not_theirs


@pytest.mark.parametrize("body", [None, "", "Looks good.", "> /pool review"])
def test_a_review_without_commands_asks_for_nothing(body: str | None) -> None:
    assert found(submitted(review__body=body), EVENT) == []


def test_half_a_character_in_a_review_is_replaced() -> None:
    (only,) = found(submitted(review__body="/pool ask a\ud800b"), EVENT)
    assert only.line == "/pool ask a?b"
    assert only.body_sha256 == body_digest("/pool ask a\ud800b")


def test_an_app_that_reviews_is_known_as_no_person() -> None:
    bot = {"id": 7, "login": "helper[bot]", "type": "Bot"}
    (only,) = found(submitted(review__user=bot, sender=bot), EVENT)
    assert not only.actor.is_human
