from __future__ import annotations

from pathlib import Path
from zlib import crc32

import pytest

from tests import conftest, rotation


def test_after_so_many_days_each_case_had_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    cases, names = range(50), [f"tests/a.py::test_{number}" for number in range(50)]
    shown, due = list[int](), list[str]()
    for day in range(363, 367):
        monkeypatch.setattr(rotation, "DAY", str(day))
        shown += rotation.share(cases, 4)
        due += [name for name in names if rotation.is_due(name, 4)]
        assert rotation.examples(60) == 20
    assert (sorted(shown), sorted(due)) == (list(cases), sorted(names))
    monkeypatch.setattr(rotation, "DAY", "every")
    assert (rotation.share(cases, 4), rotation.is_due(names[0], 4)) == (list(cases), True)
    assert rotation.examples(60) == 60
    monkeypatch.setattr(rotation, "DAY", "none")
    assert not any(rotation.is_due(name, 4) for name in names)
    assert rotation.is_due(names[0], 1), "what runs on each day is never long"


@pytest.mark.parametrize(("parts", "day", "long"), [(2, 0, True), (2, 1, False), (1, 0, False)])
def test_what_has_another_day_is_long(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    *,
    parts: int,
    day: int,
    long: bool,
) -> None:
    """The day of this very test, since the mark is put on it."""
    own = next(day for day in (0, 1) if is_due_on(day, request.node.nodeid, parts))
    monkeypatch.setattr(rotation, "DAY", str(own + 1 + day))
    request.node.add_marker(pytest.mark.rotating(parts))
    conftest.pytest_collection_modifyitems([request.node])
    assert (request.node.get_closest_marker("long") is not None) is long


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("tests/acceptance/test_review.py::test_a", 8),
        ("tests/pool/test_rows.py::test_a[sqlite]", 1),
        ("tests/pool/test_rows.py::test_a[postgresql]", 3),
        ("tests/reports/test_words.py::test_a[postgresql]", 1),
    ],
)
def test_a_place_says_how_often_its_tests_run(name: str, parts: int) -> None:
    assert rotation.parts_of(name) == parts


def test_every_place_that_is_named_is_there() -> None:
    root = Path(__file__).parents[1]
    assert [place for place in rotation.PARTS if not (root / place).exists()] == []


def is_due_on(day: int, name: str, parts: int) -> bool:
    """Whether a test runs on that day, by the rule and not by the function."""
    return crc32(name.encode()) % parts == day % parts
