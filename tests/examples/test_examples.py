"""Every example runs as its README says, offline, with the real CLI and a scripted model."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests import ours

HERE = Path(__file__).parents[2]
EXAMPLES = sorted(path.name for path in (HERE / "examples").glob("*.py"))

SAID = {
    "single_task.py": ["to: Explain this repository in five lines", "completed: $0.0", "1 turns"],
    "fan_out.py": ["README.md: scripted", "no-such-file.txt: scripted", "all together: $0.0"],
    "chain_with_gate.py": [
        "first draft: This is a scripted answer",
        "Say what a reader gains by it.",
        "plan: {",
        "answered, $0.0",
    ],
    "budgeted_batch.py": [
        "12 of 12 done",
        "refused: the cap per task of $0.01 has $0.01 left, asked for $0.0",
    ],
    "live_progress.py": [
        "running 0/2 look:",
        "running 1/2 gather:",
        "answered 2/2",
        "answer: This is a scripted answer",
    ],
}


SHORT = ("single_task.py",)
"""Run each time; the others take the same road, and longer."""


@pytest.mark.parametrize(
    "name",
    [name if name in SHORT else pytest.param(name, marks=pytest.mark.long) for name in EXAMPLES],
)
async def test_an_example_runs_offline(name: str, tmp_path: Path) -> None:
    environment = ours.environment(HOME=str(tmp_path))
    command = ours.cli("rehearse", str(HERE / "examples" / name))
    run = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await run.communicate()
    assert run.returncode == 0, err.decode()
    assert err.decode() == ""
    for text in SAID[name]:
        assert text in out.decode()


def test_the_readme_names_every_example() -> None:
    readme = (HERE / "examples" / "README.md").read_text()
    assert [name for name in EXAMPLES if f"[{name}]" not in readme] == []
