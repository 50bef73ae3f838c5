"""A scripted model in a process of its own, so that its work is not counted as the bot's."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from claude_pool_gh.rehearsal.model import ScriptedModel, say
from claude_pool_gh.rehearsal.reviewer import Reviewer


@asynccontextmanager
async def model_process(pace: float = 0.0, *, plain: bool = False) -> AsyncIterator[str]:
    """Start one that waits `pace` seconds before each answer; gives its URL. `plain`: it only says a sentence."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.model",
        str(pace),
        "plain" if plain else "review",
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


async def _serve(pace: float, kind: str) -> None:
    script = (
        Reviewer(looks=False, pace=pace)
        if kind == "review"
        else lambda _: say("It is a shop.", delay=pace)
    )
    async with ScriptedModel.start(script) as model:
        print(model.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), sys.argv[2]))
