"""A scripted model in a process of its own, so that its work is not counted as the bot's."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.rehearsal.reviewer import Reviewer


@asynccontextmanager
async def model_process(pace: float = 0.0) -> AsyncIterator[str]:
    """Start one that waits `pace` seconds before each answer; gives its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.model", str(pace), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


async def _serve(pace: float) -> None:
    async with ScriptedModel.start(Reviewer(looks=False, pace=pace)) as model:
        print(model.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
