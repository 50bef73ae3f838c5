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


@pytest.mark.parametrize("limit", ["0", "201", "many"])
def test_bad_limit(store, limit):
    assert list_tickets(store, {"limit": limit})[0] == 400
