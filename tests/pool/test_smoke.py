"""A task and a chain, on both databases."""

from __future__ import annotations

from claude_pool_gh.pool.recipes.workflows import ChainStep
from tests.pool.puppet import OpenPool, Puppet


async def test_a_task_and_a_chain(open_pool: OpenPool) -> None:
    async with open_pool(Puppet(), slots=2) as pool:
        assert (await pool.run("hello {args.x}")).output == "<hello {args.x}>"
        steps = [
            ChainStep(name="a", prompt="one {args.q}"),
            ChainStep(name="b", prompt="two {previous_output}"),
        ]
        result = await pool.wait_chain(await pool.submit_chain(steps, args={"q": "Q"}))
        assert result is not None
        assert result.final_output == "<two <one Q>>"
