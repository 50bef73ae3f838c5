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


def orders_of(connection: sqlite3.Connection, customer: str) -> list[tuple[int, int]]:
    """Every order of a customer, as (id, cents)."""
    query = f"SELECT id, cents FROM orders WHERE customer = '{customer}' ORDER BY id"
    return connection.execute(query).fetchall()
