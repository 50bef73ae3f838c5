"""The state tables, the diagrams in the documentation, and whoever writes a state say the same."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

import pytest

from claude_pool_gh.pool.model.state_table import StateTable
from tests.architecture.diagrams import END, EVERY, PAGE, written

PACKAGE: Final = Path(__file__).parents[2] / "claude_pool_gh"
OTHERS: Final = frozenset(
    {
        ("pool/store/moves.py", "after(states, table.c.state, event)"),  # the writer itself
        ("pool/store/moves.py", "new"),
        ("pool/store/slot_rows.py", "state"),  # an ephemeral slot is made busy
        (
            "pool/store/elsewhere.py",
            "ChainState.done",
        ),  # rows with nothing but money: no chains of this store
        ("pool/store/retention.py", "ChainState.done"),
        (
            "github/thread_rows.py",
            "'removed'",
        ),  # a repository's state is what GitHub said last, whatever it was
        ("github/thread_rows.py", "state"),
        ("github/inbox.py", "state"),
        ("github/effects/check_run.py", "state"),  # no column
    }
)
"""Where something that is called `state` is set otherwise, and why it may be."""


def test_the_diagrams_in_the_documentation_are_those_of_the_tables() -> None:
    page = PAGE.read_text("utf-8")
    assert written(page) == page, "after a change of states: python -m tests.architecture.diagrams"


def test_a_diagram_that_is_not_the_tables_own_is_found() -> None:
    page = PAGE.read_text("utf-8")
    assert written(page.replace("queued --> running: begin", "queued --> running: start")) == page
    assert written(page.replace(END, f"done --> queued: again\n{END}")) == page


@pytest.mark.parametrize("table", EVERY, ids=lambda table: str(table.name))
def test_every_state_is_reached_and_every_event_happens_somewhere(
    table: StateTable[StrEnum, StrEnum],
) -> None:
    reached = {table.first}
    while more := {new for (state, _), new in table.moves.items() if state in reached} - reached:
        reached |= more
    assert reached == set(table.states)
    events = type(next(event for _, event in table.moves))
    assert {event for _, event in table.moves} == set(events)


def test_no_state_is_written_but_by_its_table() -> None:
    found = {(name, text) for name, text in _writes(PACKAGE) if not _by_a_table(text)}
    assert found == OTHERS


def test_a_state_written_past_its_table_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "tx.execute(t.update().values(state='done'))\n"
        "tx.execute(t.update().values({'state': 'done'}))\n"
        "also = {'state': State.done}\n"
        "tx.execute(t.update().values(state=after(CHAIN, C.state, Event.end)))\n"
    )
    found = [text for _, text in _writes(tmp_path) if not _by_a_table(text)]
    assert sorted(found) == ["'done'", "'done'", "State.done"]


def _writes(package: Path) -> Iterator[tuple[str, str]]:
    """What is given as a column `state`, in `values(state=...)` and as a dictionary's entry, with its file."""
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if name.startswith(("rehearsal/", "storage/migrations/")):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for value in _states_in(node):
                yield name, ast.unparse(value)


def _states_in(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Call(func=ast.Attribute(attr="values"), keywords=keywords):
            yield from (each.value for each in keywords if each.arg == "state")
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "state":
                    yield value
        case _:
            pass


def _by_a_table(text: str) -> bool:
    """Whether a state comes out of a table: where an event leads, or where a record is made."""
    tables = {table.name.upper() for table in EVERY}
    return any(f"after({name}, " in text or text == f"{name}.first" for name in tables)
