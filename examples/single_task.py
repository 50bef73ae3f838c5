"""One prompt, one answer, what it cost."""

import asyncio

from claude_pool_gh import ClaudeAgent, Pool


async def main() -> None:
    async with Pool.open(ClaudeAgent(), slots=4) as pool:
        result = await pool.run("Explain this repository in five lines")
    print(result.output)
    print(
        f"{result.ending}: ${result.cost_microdollars / 1e6:.4f}, {result.turns_used} turns, {result.elapsed_ms} ms"
    )


asyncio.run(main())
