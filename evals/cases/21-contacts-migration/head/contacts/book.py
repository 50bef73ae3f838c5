"""The address book."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass
class Contact:
    name: str
    email: str | None
    phone: str = ""
    phone_ext: str = ""
    notes: str = ""


def add(connection: sqlite3.Connection, contact: Contact) -> None:
    with connection:
        connection.execute(
            "INSERT INTO contacts (name, email, phone, phone_ext, notes) VALUES (?, ?, ?, ?, ?)",
            (contact.name, contact.email, contact.phone, contact.phone_ext, contact.notes),
        )


def find(connection: sqlite3.Connection, name: str) -> list[Contact]:
    rows = connection.execute(
        "SELECT name, email, phone, phone_ext, notes FROM contacts WHERE name = ? ORDER BY id",
        (name,),
    )
    return [Contact(*row) for row in rows]
