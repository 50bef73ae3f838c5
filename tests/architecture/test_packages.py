"""The picture of packages is the import contracts', and the walk through the code goes down them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.packages import PAGES, ROOT, containers, layers, shown, written

WALK = ROOT / "docs" / "explanation" / "architecture.md"
STEP = re.compile(r"^(\d+)\. \*\*", re.MULTILINE)
FILE = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.py)`")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_pictures_show_the_contracts_as_they_are(path: Path) -> None:
    page = path.read_text("utf-8")
    assert page == written(page), "write them anew: python -m tests.architecture.packages"


def test_every_package_with_layers_has_its_picture() -> None:
    shown_there = [name for path in PAGES for name in shown(path.read_text("utf-8"))]
    assert sorted(set(shown_there)) == sorted(containers())
    assert "claude_pool_gh" in shown(PAGES[0].read_text("utf-8"))


def test_every_package_stands_in_a_contract_and_in_the_picture() -> None:
    """But for the rehearsal, which stands beside them and has contracts of its own."""
    package = ROOT / "claude_pool_gh"
    there = {
        path.stem
        for path in package.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    named = {name for layer in layers("claude_pool_gh") for name in layer}
    assert there - named == {"__init__", "rehearsal"}
    assert named <= there


def walk() -> str:
    page = WALK.read_text("utf-8")
    return page[page.index("## From a delivery to a comment") : page.index("## States")]


def test_every_file_of_the_walk_is_there() -> None:
    named = FILE.findall(walk())
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "claude_pool_gh" / name).is_file()] == []


def test_the_walk_has_every_step_in_order() -> None:
    assert [int(number) for number in STEP.findall(walk())] == list(range(1, 11))


def test_a_file_that_is_gone_would_be_noticed(tmp_path: Path) -> None:
    """The control."""
    assert FILE.findall("see `github/no_such_file.py`") == ["github/no_such_file.py"]
    assert not (tmp_path / "github" / "no_such_file.py").is_file()
