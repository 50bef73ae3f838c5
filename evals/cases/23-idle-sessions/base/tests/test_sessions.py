import sqlite3

import pytest

from sessions.store import SessionStore


@pytest.fixture
def store():
    return SessionStore(sqlite3.connect(":memory:"))


def test_touch_twice(store):
    store.touch("t", "ann")
    store.touch("t", "ann")
    assert store.count() == 1
    assert store.user("t") == "ann"


def test_unknown(store):
    assert store.user("x") is None
