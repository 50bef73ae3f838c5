"""Programs of ours are started from the copy under test, wherever they run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests import ours

OWN_WAY = re.compile(r'"-m",\s*f?"(claude_pool_gh|tests)\b')
"""A command that is put together by hand."""
ALLOWED = {
    Path("tests/ours.py"),
    Path("tests/acceptance/test_new_verb.py"),  # runs a copy of its own
    Path("tests/examples/test_release.py"),  # runs the wheel that it has built
}


@pytest.mark.parametrize(
    ("where", "copied"), [("elsewhere", True), (".", True), ("elsewhere", False)]
)
def test_a_program_runs_from_the_copy_under_test(tmp_path: Path, where: str, copied: bool) -> None:
    """With the path, and without it where nothing of ours is: the control."""
    package = tmp_path / "claude_pool_gh"
    package.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (package / "__init__.py").touch()
    (package / "told.py").write_text("print(__file__)\n")
    told = ours.environment(tmp_path) if copied else {}
    run = subprocess.run(
        ours.program("claude_pool_gh.told"),
        cwd=tmp_path / where,
        env=told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout.strip()) == (
        (0, str(package / "told.py")) if copied else (1, "")
    )


def test_no_test_puts_such_a_command_together_by_hand() -> None:
    files = sorted((ours.ROOT / "tests").rglob("*.py"))
    found = {each.relative_to(ours.ROOT) for each in files if OWN_WAY.search(each.read_text())}
    assert found <= ALLOWED, "start it by tests/ours.py"
    assert Path("tests/examples/test_release.py") in found, "the control"
