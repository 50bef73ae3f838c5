"""Removes from a kept state what posts withhold: whoever can read the repository can read the ref that holds it.

Every text is looked at, whichever table holds it, so that one that a later version adds is looked at too. Only what
rows are found by stays as it is: no person and no agent words that.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Final

from claude_pool_gh.conversation.secret_filter import without_secrets
from claude_pool_gh.github.effects import registry
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.reports.redact import Redactor, blanked, veiled
from claude_pool_gh.reports.secrets import secrets, suspicions

NOTE: Final = "[withheld: contains what looks like a secret]"


@dataclass(frozen=True, slots=True)
class DatabaseRedactor:
    """Takes secrets, and what looks like one, out of a copy of a database."""

    redactor: Redactor = field(default_factory=Redactor)
    """Knows the secrets of this very process."""

    def over(self, kept: sqlite3.Connection) -> None:
        """Change the rows of a copy."""
        self._effects(kept)
        self._patches(kept)
        tables = kept.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for _, column, kind, _, _, place in kept.execute(
                f"PRAGMA table_info({table})"
            ).fetchall():
                if not place:
                    _change(kept, table, column, self._json if kind == "JSON" else self.text)

    def text(self, text: str) -> str:
        """A text without them; a secret in another form than its own costs the whole text."""
        shown = veiled(blanked(self.redactor(text)))
        left = secrets(unescape(shown)) or self.redactor.is_left_in(shown)
        return NOTE if left else shown

    def _json(self, stored: str) -> str:
        """The same of each text in a value, keys too: in the stored form an escape could stand within a token."""
        try:
            value = json.loads(stored)
        except (ValueError, RecursionError):
            return self.text(stored)
        changed = _mapped(value, self.text)
        return stored if changed == value else json.dumps(changed)

    def _effects(self, kept: sqlite3.Connection) -> None:
        """Replace what was wanted on GitHub by the form in which it is posted."""
        screen = without_secrets(self.redactor)

        def change(stored: str) -> str:
            try:
                effect = registry.read(json.loads(stored))
            except (ValueError, AttributeError):
                return stored
            return _stored(screen(effect), effect) or stored

        _change(kept, "effects", "wanted", change)

    def _patches(self, kept: sqlite3.Connection) -> None:
        """Nobody is asked about a patch with a secret; one with a random token may wait until somebody has decided."""
        rows = kept.execute(
            "SELECT patches.run_id, patches.patch, chains.state = 'done' FROM patches"
            " LEFT JOIN chains ON chains.id = patches.chain_id"
        ).fetchall()
        for run, patch, done in rows:
            text = bytes(patch).decode(errors="replace")
            if self.redactor.holds(text) or secrets(text) or (done and suspicions(text)):
                kept.execute("DELETE FROM patches WHERE run_id = ?", (run,))


def _stored(shown: Effect, effect: Effect) -> str:
    return "" if shown == effect else json.dumps(shown.model_dump(mode="json"))


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case str():
            return change(value)
        case list():
            return [_mapped(each, change) for each in value]
        case dict():
            return {change(name): _mapped(each, change) for name, each in value.items()}
        case _:
            return value


def _change(
    kept: sqlite3.Connection, table: str, column: str, change: Callable[[str], str]
) -> None:
    """Change each text of a column."""
    rows = kept.execute(f'SELECT rowid, "{column}" FROM "{table}"').fetchall()  # noqa: S608 - names of our own
    for row, value in rows:
        if isinstance(value, str) and (changed := change(value)) != value:
            kept.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (changed, row))  # noqa: S608
