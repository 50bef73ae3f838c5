"""What a script loads to open a pool: nothing that only a server, another database or an old store needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import ours

ROOT = Path(__file__).parents[2]
UNUSED = {
    "aiohttp",
    "alembic",
    "claude_agent_sdk",
    "filelock",
    "genai_prices",
    "gidgethub",
    "httpx",
    "httpx2",
    "jsonschema",
    "opentelemetry",
    "psycopg",
    "sqlalchemy.dialects.postgresql",
    "stamina",
    "yaml",
}
OPENED = """
import asyncio, sys
from claude_pool_gh import Agent, AgentOutcome, Ending, Pool
class Nothing(Agent):
    async def run(self, task, folder, line):
        return AgentOutcome(ending=Ending.completed, text="done")
async def main():
    async with Pool.open(Nothing()) as pool:
        assert (await pool.run("x")).success
asyncio.run(main())
print(*sys.modules)
"""


WAITING = """
import asyncio, sys
from claude_pool_gh import ClaudeAgent, Pool
async def main():
    async with Pool.open(ClaudeAgent(key="x"), folder=sys.argv[1]):
        pass
asyncio.run(main())
print(*sys.modules)
"""


def loaded(script: str, *arguments: str) -> set[str]:
    """The modules that a script has loaded at its end."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ours.environment(),
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_a_script_that_runs_a_task_without_a_store_loads_nothing_that_it_does_not_use() -> None:
    assert not UNUSED & loaded(OPENED)


def test_what_only_an_agents_run_needs_is_loaded_by_the_first_one(tmp_path: Path) -> None:
    assert not UNUSED & loaded(WAITING, str(tmp_path))
