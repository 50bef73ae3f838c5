"""The order of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

HEAVY = ("crash", "money", "acceptance")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker is left alone with one at the end."""
    root = Path(__file__).parent

    def weight(item: pytest.Item) -> int:
        folder = item.path.relative_to(root).parts[0]
        return HEAVY.index(folder) if folder in HEAVY else len(HEAVY)

    items.sort(key=weight)
