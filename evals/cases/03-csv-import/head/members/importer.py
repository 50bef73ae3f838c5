"""Import of members from CSV."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import date
from typing import TextIO

from members.store import Member, MemberStore

COLUMNS = ("email", "name", "joined")


@dataclass
class Report:
    added: int = 0
    known: int = 0
    problems: list[str] = field(default_factory=list)


class RowError(ValueError):
    """A row that cannot be imported; the text says why."""


def parse_row(row: dict[str, str | None]) -> Member:
    """The member of one CSV row."""
    email = (row["email"] or "").strip().lower()
    if "@" not in email:
        raise RowError("no e-mail address")
    name = " ".join((row["name"] or "").split())
    if not name:
        raise RowError("no name")
    try:
        joined = date.fromisoformat((row["joined"] or "").strip())
    except ValueError:
        raise RowError("joined is not a date") from None
    return Member(email, name, joined)


def import_members(source: TextIO, store: MemberStore) -> Report:
    """Add every good row of a CSV file to the store."""
    reader = csv.DictReader(source)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError("missing columns: " + ", ".join(missing))
    report = Report()
    for row in reader:
        try:
            member = parse_row(row)
        except RowError as error:
            report.problems.append(f"line {reader.line_num}: {error}")
            continue
        if store.add(member):
            report.added += 1
        else:
            report.known += 1
    return report
