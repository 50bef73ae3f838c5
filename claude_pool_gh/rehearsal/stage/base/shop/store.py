"""Reads and writes orders."""

import sqlite3


def open_store(path: str) -> sqlite3.Connection:
    """Open the shop's database."""
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer TEXT, cents INTEGER)"
    )
    return connection


def add_order(connection: sqlite3.Connection, customer: str, cents: int) -> int:
    """Store an order and return its id."""
    with connection:
        cursor = connection.execute("INSERT INTO orders (customer, cents) VALUES (?, ?)", (customer, cents))
    return cursor.lastrowid
