"""Steps that build on each other, and a gate: the chain waits as a row in the store until somebody decides."""

import asyncio

from claude_pool_gh import ChainOptions, ChainStep, ClaudeAgent, Condition, Pool

PLAN = {
    "type": "object",
    "required": ["worthwhile", "title"],
    "additionalProperties": False,
    "properties": {"worthwhile": {"type": "boolean"}, "title": {"type": "string"}},
}
STEPS = [
    ChainStep(name="plan", prompt="Is there something to improve in {args.file}?", output=PLAN),
    ChainStep(
        name="draft",
        when=Condition(value="steps.plan.worthwhile", equals=True),
        prompt="Describe this change to {args.file} as for a pull request: {steps.plan.title}",
        gate=True,
    ),
    ChainStep(name="shorten", prompt="Say it in one line:\n{steps.draft.output}"),
]


async def main() -> None:
    async with Pool.open(ClaudeAgent(), slots=2) as pool:
        chain = await pool.submit_chain(
            STEPS, args={"file": "README.md"}, options=ChainOptions(budget_usd=1.5)
        )

        # it is parked: nothing runs, no slot is held, its unused money is free
        await pool.wait_chain(chain)
        print("first draft:", (await pool.chain_progress(chain)).review_output)

        await pool.reject(chain, "Say what a reader gains by it.")
        await pool.wait_chain(chain)
        print("second draft:", (await pool.chain_progress(chain)).review_output)

        await pool.approve(chain)
        result = await pool.wait_chain(chain)
        assert result is not None, "there is no other gate"
        for step in result.steps:
            print(f"{step.name}: {'skipped' if step.skipped else step.output}")
        print(f"{result.verdict}, ${result.total_cost_microdollars / 1e6:.4f}")


asyncio.run(main())
