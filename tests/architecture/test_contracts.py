"""The contracts on imports say no where somebody writes SQL, or names the pool's tables, outside of the store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLES = "Only the store names the pool's tables"
STATEMENTS = "Statements are written where the tables are"
OFFENCES = {
    "conversation/tracking/offence.py": "from claude_pool_gh.pool.store.tables import chains",
    "service/server/offence.py": "import sqlalchemy as sa",
}
"""What breaks the first of them, and what breaks the second."""


def test_an_import_past_the_store_breaks_its_contract(tmp_path: Path) -> None:
    """Each of two offences breaks its own contract, and no other is broken: all is read once for both."""
    package = tmp_path / "claude_pool_gh"
    ignored = shutil.ignore_patterns("__pycache__", "*.sql")
    shutil.copytree(ROOT / "claude_pool_gh", package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for into, offence in OFFENCES.items():
        (package / into).write_text(f"{offence}\n")
    lint = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run(
        [lint, "--no-cache"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1, found.stderr
    broken = [line for line in found.stdout.splitlines() if line.endswith("BROKEN")]
    told = {name for name in (TABLES, STATEMENTS) if any(line.startswith(name) for line in broken)}
    assert (len(broken), told) == (2, {TABLES, STATEMENTS}), found.stdout
