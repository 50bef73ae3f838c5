import sqlite3

import pytest

from contacts.book import Contact, add, find
from contacts.migrate import migrate


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:")
    migrate(connection)
    yield connection
    connection.close()


def test_migrates_once(connection):
    assert migrate(connection) == []


def test_add_and_find(connection):
    contact = Contact("Ann", "ann@example.org", "555-0100", "12", "likes tea")
    add(connection, contact)
    assert find(connection, "Ann") == [contact]
