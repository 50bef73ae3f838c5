"""The contracts on imports say no where somebody writes SQL, or names the pool's tables, outside of the store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLES = "Only the store names the pool's tables"
STATEMENTS = "Statements are written where the tables are"


@pytest.mark.parametrize(
    ("offence", "into", "contract"),
    [
        (
            "from claude_pool_gh.pool.store.tables import chains",
            "conversation/tracking/offence.py",
            TABLES,
        ),
        ("import sqlalchemy as sa", "service/server/offence.py", STATEMENTS),
    ],
)
def test_an_import_past_the_store_breaks_its_contract(
    tmp_path: Path, offence: str, into: str, contract: str
) -> None:
    package = tmp_path / "claude_pool_gh"
    ignored = shutil.ignore_patterns("__pycache__", "*.sql")
    shutil.copytree(ROOT / "claude_pool_gh", package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
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
    assert [line.startswith(contract) for line in broken] == [True], found.stdout
