"""A scripted model in a process of its own, so that its work is not counted as the bot's."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from claude_pool_gh.rehearsal.model import ScriptedModel, say
from claude_pool_gh.rehearsal.reviewer import Planted, Reviewer

DEFECTS = "defects.py"
_WORDS = ["north", "east", "south", "west", "spring", "summer", "autumn", "winter", "red", "green"]


def defects(number: int) -> str:
    """The text of `DEFECTS` with so many defects."""
    return "".join(
        f"def share_{each}(total, {each}):\n    return total / {each}\n\n\n"
        for each in _WORDS[:number]
    )


def _planted(number: int) -> Planted:
    word, line = _WORDS[number], 4 * number + 2
    return Planted(
        {
            "path": DEFECTS,
            "start_line": line,
            "end_line": line,
            "severity": "high",
            "category": "correctness",
            "title": f"No {word} at all divides by zero",
            "body": f"`share_{word}` divides by `{word}` without a look at it. Callers pass what people typed, which "
            "may be zero, and nobody on the way there refuses that: the request ends with an error of the server's.",
            "scenario": f"share_{word}(10, 0) -> ZeroDivisionError",
            "evidence": f"    return total / {word}",
            "confidence": 0.9,
            "suggestion": f"    return total / {word} if {word} else 0",
        }
    )


@asynccontextmanager
async def model_process(
    pace: float = 0.0, *, plain: bool = False, findings: int = 0
) -> AsyncIterator[str]:
    """Start one that waits `pace` seconds before each answer; gives its URL. `plain`: it only says a sentence.

    `findings`: it states so many of `DEFECTS`, in a pull request that has that file.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.model",
        str(pace),
        "plain" if plain else "review",
        str(findings),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


async def _serve(pace: float, kind: str, findings: int) -> None:
    script = (
        Reviewer([_planted(number) for number in range(findings)], looks=findings > 0, pace=pace)
        if kind == "review"
        else lambda _: say("It is a shop.", delay=pace)
    )
    async with ScriptedModel.start(script) as model:
        print(model.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
