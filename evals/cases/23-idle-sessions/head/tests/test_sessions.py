import sqlite3
from datetime import datetime, timedelta

import pytest

from sessions.idle import end_idle
from sessions.store import SessionStore


@pytest.fixture
def store():
    return SessionStore(sqlite3.connect(":memory:"))


def test_touch_twice(store):
    store.touch("t", "ann")
    store.touch("t", "ann")
    assert store.count() == 1
    assert store.user("t") == "ann"


def test_end_idle(store):
    noon = datetime(2024, 5, 1, 12)
    store.touch("old", "ann", noon - timedelta(minutes=31))
    store.touch("new", "bob", noon - timedelta(minutes=29))
    assert end_idle(store, timedelta(minutes=30), noon) == 1
    assert store.user("new") == "bob"


def test_not_too_short(store):
    with pytest.raises(ValueError):
        end_idle(store, timedelta(minutes=1))


def test_unknown(store):
    assert store.user("x") is None
