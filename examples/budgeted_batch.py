"""A batch under one cap: no request is sent that it does not pay for; what does not fit is refused, and says so."""

import asyncio

from claude_pool_gh import CapReached, ClaudeAgent, Pool, PoolConfig, TaskOverrides

CAP = 500_000  # microdollars: 50 cents for everything in this pool's store


async def main() -> None:
    config = PoolConfig(budget_microdollars=CAP)
    async with Pool.open(ClaudeAgent(), slots=4, config=config) as pool:
        # Each may cost up to 20 cents. It begins with the least that it needs, so all four slots work.
        small = TaskOverrides(max_budget_usd=0.20)
        results = await pool.fan_out(
            [f"Name one risk in the area {n}" for n in range(12)], config=small
        )
        done = [result for result in results if result.success]
        refused = {result.reason for result in results if not result.success}
        status = await pool.status()
        print(
            f"{len(done)} of {len(results)} done, ${status.total_spend_microdollars / 1e6:.4f} of ${CAP / 1e6:.2f}"
        )
        for reason in refused:
            print("refused:", reason)
        assert status.total_spend_microdollars <= CAP
        try:
            await pool.submit("One more, for a cent", config=TaskOverrides(max_budget_usd=0.01))
        except CapReached as refusal:
            print("refused:", refusal)


asyncio.run(main())
