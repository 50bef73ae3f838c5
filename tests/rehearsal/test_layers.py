"""The contracts about the rehearsal's imports are kept, and each is broken by an import against it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests import ours

PACKAGE = "claude_pool_gh.rehearsal"
GITHUB = f"{PACKAGE}.github"
LAYERS, ALONE, CIRCLES = (
    "The simulated GitHub: ",
    "In the rehearsal, ",
    "Nothing in the rehearsal imports ",
)


def contracts() -> list[dict[str, object]]:
    """Those of the project that need no other package."""
    project = tomllib.loads((ours.ROOT / "pyproject.toml").read_text())
    every = project["tool"]["importlinter"]["contracts"]
    return [each for each in every if each["name"].startswith((LAYERS, ALONE, CIRCLES))]


def as_toml(contract: dict[str, object]) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in contract.items()]
    return "\n".join(["[[tool.importlinter.contracts]]", *lines])


def lint(folder: Path, file: str = "", line: str = "") -> str:
    """Lint a copy of the rehearsal, with a line more in one of its files; what is said."""
    shutil.copytree(
        ours.ROOT / "claude_pool_gh" / "rehearsal",
        folder / "claude_pool_gh" / "rehearsal",
        ignore=shutil.ignore_patterns("__pycache__", "stage"),
    )
    for name in ("", "rehearsal/stage/"):
        (folder / "claude_pool_gh" / name).mkdir(exist_ok=True)
        (folder / "claude_pool_gh" / name / "__init__.py").touch()
    if file:
        changed = folder / "claude_pool_gh" / "rehearsal" / file
        changed.write_text(f"{changed.read_text()}\n\nif TYPE_CHECKING:\n    {line}\n")
    head = '[tool.importlinter]\nroot_package = "claude_pool_gh"'
    (folder / "pyproject.toml").write_text("\n\n".join([head, *map(as_toml, contracts())]))
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env=ours.environment(folder, COLUMNS="300"),
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


def test_they_are_kept(tmp_path: Path) -> None:
    assert "Contracts: 3 kept, 0 broken." in lint(tmp_path)


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("github/state/site.py", f"from {GITHUB}.state.repository import Repository", CIRCLES),
        ("github/shapes/issues.py", f"from {GITHUB}.acts.issues import touch", LAYERS),
        ("model/bill.py", f"from {GITHUB}.errors import RefusedError", ALONE),
    ],
)
def test_an_import_against_them_is_found(tmp_path: Path, file: str, line: str, broken: str) -> None:
    said = lint(tmp_path, file, line)
    (named,) = [
        each for each in said.splitlines() if each.endswith(" BROKEN") and each.startswith(broken)
    ]
    assert named
