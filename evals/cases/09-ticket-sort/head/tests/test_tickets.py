import sqlite3

import pytest

from tickets.store import TicketStore
from tickets.views import list_tickets


@pytest.fixture
def store():
    store = TicketStore(sqlite3.connect(":memory:"))
    store.add("b", 2)
    store.add("a", 1)
    return store


def test_in_order_of_number(store):
    status, body = list_tickets(store, {})
    assert status == 200
    assert [ticket["title"] for ticket in body] == ["b", "a"]


def test_sorted(store):
    _, body = list_tickets(store, {"sort": "title"})
    assert [ticket["title"] for ticket in body] == ["a", "b"]
    _, body = list_tickets(store, {"sort": "-priority"})
    assert [ticket["priority"] for ticket in body] == [2, 1]


def test_unknown_column(store):
    assert list_tickets(store, {"sort": "state"})[0] == 400


@pytest.mark.parametrize("limit", ["0", "201", "many"])
def test_bad_limit(store, limit):
    assert list_tickets(store, {"limit": limit})[0] == 400
