"""What a user of the library writes: all of it holds under `mypy --strict`, without a plugin."""

from __future__ import annotations

from pathlib import Path

from claude_pool_gh import (
    Agent,
    AgentChannel,
    AgentOutcome,
    AgentTask,
    CapReached,
    ChainId,
    ChainOptions,
    ChainStatus,
    ChainStep,
    ClaudeAgent,
    Condition,
    Effort,
    Ending,
    PermissionMode,
    Pool,
    PoolConfig,
    ScalingConfig,
    SlotConfig,
    TaskFilter,
    TaskOverrides,
    TaskResult,
    UnknownTask,
)


class Alone:
    """An agent with `run` and nothing else."""

    async def run(self, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        async with line.spending(most=1_000) as spent:
            spent.cost = 500
        line.say(f"{task.prompt} in {folder}")
        return AgentOutcome(ending=Ending.completed, text="done", cost_microdollars=10)


class Derived(Agent):
    async def run(self, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        return AgentOutcome(ending=Ending.completed, text=f"{task.id} {folder} {line.partial}")


async def use() -> None:
    config = PoolConfig(
        model="haiku",
        permission_mode="plan",
        effort="low",
        slot_mode="ephemeral",
        allowed_tools=["Edit"],
        mcp_servers={"t": {"command": "x"}},
        scaling=ScalingConfig(max_slots=4),
        budget_microdollars=1_000_000,
        retries=1,
        worktree_base_dir="/tmp/x",
    )
    overrides = TaskOverrides(
        tools=["Read"],
        permission_mode=PermissionMode.plan,
        effort=Effort.high,
        disallowed_tools=["Bash"],
        retries=2,
    )
    steps = [
        ChainStep(name="a", prompt="x", tools=["Read"], effort="max", on_failure="continue"),
        ChainStep(
            name="b",
            when=Condition(value="steps.a.output", one_of=["x", "y"]),
            branches=[ChainStep(name="c", prompt="y")],
        ),
    ]
    options = ChainOptions(tags=["t"], isolation="none", on_restart="ask")
    async with Pool.open(
        ClaudeAgent(), folder=".", slots=[SlotConfig(role="r")], config=config, state=True, name="n"
    ) as pool:
        result: TaskResult = await pool.run(
            "x", config=overrides, tags=["a"], priority=1, role="r", review=False, max_rejections=2
        )
        output: str = result.output
        chain: ChainId = await pool.submit_chain(steps, args={"a": output}, options=options)
        progress = await pool.chain_progress(chain)
        assert progress.status is ChainStatus.queued
        await pool.tasks(TaskFilter(tags=["a"]))
        try:
            await pool.fan_out(["a", "b"], config=overrides, tags=["x"])
        except (CapReached, UnknownTask) as error:
            raise SystemExit(str(error)) from error
    async with Pool.open(Alone(), slots=2) as pool, Pool.open(Derived()) as other:
        await pool.run("x")
        await other.run("x")
