"""What agents say while they say it, and where a chain is."""

import asyncio

from claude_pool_gh import (
    ChainFinished,
    ChainStep,
    ClaudeAgent,
    PartialOutput,
    Pool,
    StepFinished,
    StepStarted,
)

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
        chain, done = await pool.submit_chain(STEPS), 0
        async for event in pool.events(chain):
            match event:
                case StepStarted():
                    print(f"running {done}/{len(STEPS)} {event.step}:")
                case PartialOutput():
                    said = " | ".join(event.text.splitlines())
                    print(f"running {done}/{len(STEPS)} {event.step}: {said}")
                case StepFinished():
                    done += 1
                case ChainFinished():
                    print(f"{event.verdict} {done}/{len(STEPS)}")
                case _:
                    pass  # when it was queued, each attempt, and how many events were missed
        result = await pool.chain_result(chain)
        assert result is not None, "it has ended"
        print("answer:", result.final_output)


asyncio.run(main())
