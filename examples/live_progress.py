"""What agents say while they say it, and where a chain is."""

import asyncio

from claude_pool_gh import ChainStep, ClaudeAgent, Pool

STEPS = [
    ChainStep(
        name="look",
        branches=[
            ChainStep(name="code", prompt="What would you test first in this repository's code?"),
            ChainStep(name="docs", prompt="What does this repository's README leave out?"),
        ],
    ),
    ChainStep(
        name="gather",
        prompt="Put both in order of weight:\n{steps.look.code.output}\n{steps.look.docs.output}",
    ),
]


async def main() -> None:
    async with Pool.open(ClaudeAgent(), slots=2) as pool:
        chain = await pool.submit_chain(STEPS)
        waiting = asyncio.create_task(pool.wait_chain(chain))
        shown = ""
        while not waiting.done():
            now = await pool.chain_progress(chain)
            line = f"{now.status} {now.completed_steps}/{now.total_steps} {now.current_step_name}: "
            line += " | ".join((now.current_step_partial_output or "").splitlines())
            if line != shown:
                print(shown := line)
            await asyncio.sleep(0.1)
        result = await waiting
        assert result is not None, "no step of this chain has a gate"
        print("answer:", result.final_output)


asyncio.run(main())
