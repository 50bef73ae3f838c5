"""A server small enough to be killed: runs one task."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from claude_pool_gh.agent import powers
from claude_pool_gh.agent.claude import ClaudeAgent
from claude_pool_gh.agent.gateway import Gateway
from claude_pool_gh.agent.meter import Meter
from claude_pool_gh.pool.model.ports import AgentChannel
from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.storage import Database, migrations
from tests.agent.bench import REAL_KEY, Bench, WallClock, a_task, done


async def main(folder: Path, upstream: str, cli: str) -> None:
    (folder / "temporary").mkdir()
    tempfile.tempdir = str(folder / "temporary")
    database = Database.open(f"sqlite:///{folder}/pool.sqlite")
    migrations.upgrade(database.engine)
    gateway = Gateway(Meter(database, WallClock()), upstream, REAL_KEY, read_on=0.5)
    await gateway.start()
    bench = Bench(database, ScriptedModel(lambda _: done()), gateway, folder)
    await bench.open_chain()
    task = await bench.grant(300_000)
    if cli:  # a program that stands in for the CLI, and tells of itself by files
        vars(powers)["may_change"] = lambda *_, **__: None
    agent = ClaudeAgent(gateway=gateway, redact=str, cli=Path(cli) if cli else None)
    await agent.run(a_task(task), folder / "tree", AgentChannel())


def serve(arguments: Sequence[str]) -> None:
    """What the process does."""
    folder, upstream, cli = arguments
    asyncio.run(main(Path(folder), upstream, cli))
