"""A script's pool needs few packages, and whoever needs more is told which extra brings them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from claude_pool_gh.extras import EXTRA_OF, MissingExtra, extras_named

ROOT = Path(__file__).parents[2]
WITHOUT = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(EXTRA_OF)}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""
"""As where only the package itself is installed, without any extra."""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
        check=False,
    )


def test_each_extra_is_known_by_what_its_packages_are_imported_as() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    module_of = {
        re.sub(r"[-_.]+", "-", each).lower(): module
        for module, distributions in packages_distributions().items()
        for each in distributions
        if not module.startswith("_")
    }
    found = {
        module_of[match[0]]: extra
        for extra in ("bot", "otel", "postgresql")
        for each in named[extra]
        if (match := re.match(r"[a-z0-9-]+", each))
    }
    assert found == EXTRA_OF


def test_a_scripts_pool_loads_nothing_that_an_extra_brings() -> None:
    code = "import sys; from claude_pool_gh import ClaudeAgent, Pool; print(*sys.modules)"
    loaded = {name.partition(".")[0] for name in python(code).stdout.split()}
    assert "claude_pool_gh" in loaded
    assert loaded & {*EXTRA_OF, "alembic", "procrastinate", "click", "rich"} == set()


@pytest.mark.parametrize("command", [["serve"], ["worker"], ["doctor"], ["rehearse"]])
def test_a_command_of_the_bots_says_which_extra_it_needs(command: list[str]) -> None:
    done = python(f"{WITHOUT}\nfrom claude_pool_gh.service.cli import main\nmain()", *command)
    assert done.returncode == 1, done.stderr
    assert re.search(
        r"is not installed; it comes with: pip install '\.\[bot\]' in a checkout", done.stderr
    )
    assert "Traceback" not in done.stderr


def test_the_library_and_the_shell_work_without_any_extra(tmp_path: Path) -> None:
    code = f"""{WITHOUT}
import asyncio
from claude_pool_gh import Pool
from claude_pool_gh.service.shell import script, show, terminal
from tests.pool.puppet import Puppet

async def main():
    async with Pool.open(Puppet(), state={str(tmp_path / "state")!r}) as pool:
        print((await pool.run("hello")).output)
    try:
        async with Pool.open(Puppet(), store="postgresql://nowhere/pool"):
            pass
    except ImportError as error:
        print(error)

asyncio.run(main())
"""
    done = python(code)
    assert done.stdout.splitlines() == [
        "<hello>",
        "the package psycopg is not installed; it comes with: pip install '.[postgresql]' in a checkout",
    ], done.stderr


def test_a_module_that_no_extra_brings_is_missing_as_ever() -> None:
    with pytest.raises(ModuleNotFoundError), extras_named():
        import no_such_module  # type: ignore[import-not-found] # noqa: F401, PLC0415
    with pytest.raises(MissingExtra), extras_named():
        raise ModuleNotFoundError("No module named 'jwt.api'", name="jwt.api")
