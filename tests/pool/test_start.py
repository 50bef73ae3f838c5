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


def test_a_script_that_runs_a_task_without_a_store_loads_nothing_that_it_does_not_use() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPENED],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ours.environment(),
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert not UNUSED & set(done.stdout.split())
