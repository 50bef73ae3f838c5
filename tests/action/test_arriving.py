"""What a run begins with is installed first; imports of the rest wait until it is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from claude_pool_gh.action.arriving import LATER, wait_for_packages
from tests import ours
from tests.action.runner import ROOT
from tests.action.test_mirror import Machine

ENTRY = re.compile(r"^([a-z0-9][a-z0-9._-]*)==.*?(?=^[a-z0-9]|\Z)", re.MULTILINE | re.DOTALL)
IMPORT = re.compile(r"^\s*(?:from|import) ([a-z_][a-z0-9_]*)", re.MULTILINE)
ONLY = """
import sys
class Only:
    def find_spec(self, name, path=None, target=None):
        if name in {missing!r}:
            raise ImportError(f"{{name}} has not come yet")
sys.meta_path.insert(0, Only())
import claude_pool_gh.action.run
"""


def entries(lock: Path) -> dict[str, str]:
    return {found[1]: found[0] for found in ENTRY.finditer(lock.read_text())}


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, dict[str, str]]:
    """The entries that are installed one after another."""
    assert Machine(tmp_path).install(PIP_CONFIG_FILE=os.devnull).returncode == 0
    home = tmp_path / "temp/claude-pool"
    return {name: entries(home / f"{name}.lock") for name in ("first", "rest", "agent")}


def modules(names: Iterable[str]) -> set[str]:
    """What the packages of these names are imported as."""
    wanted = set(names)
    return {
        module
        for module, packages in packages_distributions().items()
        if wanted & {re.sub(r"[._]", "-", each).lower() for each in packages}
    }


def test_nothing_of_the_lock_is_lost_and_nothing_comes_twice(
    parts: dict[str, dict[str, str]],
) -> None:
    assert list(parts["agent"]) == ["claude-agent-sdk"]
    whole = entries(ROOT / "requirements.lock")
    assert sum(map(len, parts.values())) == len(whole)
    assert parts["first"] | parts["rest"] | parts["agent"] == whole


def test_the_run_begins_with_what_is_installed_first(parts: dict[str, dict[str, str]]) -> None:
    missing = modules(parts["rest"] | parts["agent"]) - modules(parts["first"])
    done = subprocess.run(
        [sys.executable, "-c", ONLY.format(missing=missing)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ours.environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_everything_else_that_we_import_is_waited_for(parts: dict[str, dict[str, str]]) -> None:
    imported = {
        name
        for file in (ROOT / "claude_pool_gh").rglob("*.py")
        for name in IMPORT.findall(file.read_text())
    }
    assert (imported | {"tzdata"}) & modules(parts["rest"]) == LATER


@pytest.fixture
def finders() -> Iterator[list[object]]:
    before: list[object] = list(sys.meta_path)
    yield before
    sys.meta_path[:] = before  # type: ignore[assignment]


def seconds_of(name: str) -> float:
    """How long a finder that was put first holds an import back."""
    began = time.monotonic()
    assert sys.meta_path[0].find_spec(name, None) is None
    return time.monotonic() - began


def after(seconds: float, act: Callable[[], object]) -> None:
    threading.Timer(seconds, act).start()


@pytest.mark.parametrize("mark", ["rest.installed", "agent.failed"])
def test_an_import_waits_for_its_package_or_for_the_word_that_it_will_not_come(
    tmp_path: Path, finders: list[object], mark: str
) -> None:
    (tmp_path / "agent.coming").write_text(f"{os.getpid()}\n")
    wait_for_packages(tmp_path)
    assert seconds_of("sqlalchemy") < 0.2, "others wait for nothing"
    after(0.3, (tmp_path / mark).touch)
    assert seconds_of("alembic") > 0.2
    assert sys.meta_path == finders, "nobody is asked any more"


def test_an_import_does_not_wait_where_nobody_installs(
    tmp_path: Path, finders: list[object]
) -> None:
    with subprocess.Popen(["true"]) as over:
        over.wait()
    (tmp_path / "agent.coming").write_text(f"{over.pid}\n")
    wait_for_packages(tmp_path)
    assert seconds_of("alembic") < 0.2
    assert sys.meta_path == finders
