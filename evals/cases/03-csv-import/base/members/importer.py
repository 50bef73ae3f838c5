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


def import_members(source: TextIO, store: MemberStore) -> Report:
    """Add every good row of a CSV file to the store."""
    reader = csv.DictReader(source)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError("missing columns: " + ", ".join(missing))
    report = Report()
    for row in reader:
        email = (row["email"] or "").strip().lower()
        if "@" not in email:
            report.problems.append(f"line {reader.line_num}: no e-mail address")
            continue
        name = " ".join((row["name"] or "").split())
        if not name:
            report.problems.append(f"line {reader.line_num}: no name")
            continue
        try:
            joined = date.fromisoformat((row["joined"] or "").strip())
        except ValueError:
            report.problems.append(f"line {reader.line_num}: joined is not a date")
            continue
        if store.add(Member(email, name, joined)):
            report.added += 1
        else:
            report.known += 1
    return report
