"""What a run is told, when pool, slot and task each have a say."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from claude_pool_gh.pool.model.config import (
    READING,
    Effort,
    PermissionMode,
    PoolConfig,
    RunConfig,
    ScalingConfig,
    SlotConfig,
    TaskOverrides,
    microdollars,
    resolve,
)
from claude_pool_gh.pool.store.tables import chains, slots
from claude_pool_gh.storage import Transaction
from tests.pool.puppet import OpenPool, Puppet


def resolved(
    pool: PoolConfig | None = None,
    slot: SlotConfig | None = None,
    task: TaskOverrides | None = None,
) -> RunConfig:
    return resolve(
        pool or PoolConfig(),
        slot or SlotConfig(),
        task or TaskOverrides(),
        wall_seconds=900,
        idle_seconds=300,
    )


def test_a_run_that_nobody_says_anything_about_reads_and_asks() -> None:
    assert resolved() == RunConfig(
        model="",
        fallback_model=None,
        effort=None,
        turns=30,
        tools=("Read", "Grep", "Glob"),
        allowed_tools=(),
        disallowed_tools=(),
        mcp_servers={},
        strict_mcp_config=True,
        permission_mode=PermissionMode.default,
        detect_permission_prompts=True,
        system_prompt="",
        schema=None,
        wall_seconds=900,
        idle_seconds=300,
    )


CHOICES: list[tuple[str, str, Any, Any, Any]] = [
    ("model", "model", "p", "s", "t"),
    ("fallback_model", "fallback_model", "p", "s", "t"),
    ("effort", "effort", Effort.low, Effort.medium, Effort.high),
    ("max_turns", "turns", 1, 2, 3),
    ("system_prompt", "system_prompt", "p", "s", "t"),
    (
        "permission_mode",
        "permission_mode",
        PermissionMode.plan,
        PermissionMode.accept_edits,
        PermissionMode.bypass_permissions,
    ),
]


@pytest.mark.parametrize(("name", "told", "pool", "slot", "task"), CHOICES)
def test_a_task_goes_before_its_slot_and_a_slot_before_the_pool(
    name: str, told: str, pool: Any, slot: Any, task: Any
) -> None:
    of_pool, of_slot, of_task = (
        PoolConfig(**{name: pool}),
        SlotConfig(**{name: slot}),
        TaskOverrides(**{name: task}),
    )
    assert getattr(resolved(of_pool, of_slot, of_task), told) == task
    assert getattr(resolved(of_pool, None, of_task), told) == task
    assert getattr(resolved(of_pool, of_slot), told) == slot
    assert getattr(resolved(None, of_slot), told) == slot
    assert getattr(resolved(of_pool), told) == pool


def test_the_fields_of_pool_slot_and_task_that_may_each_decide_are_all_tested() -> None:
    shared = (
        set(PoolConfig.model_fields)
        & set(SlotConfig.model_fields)
        & set(TaskOverrides.model_fields)
    )
    assert shared == {name for name, *_ in CHOICES} | {"allowed_tools", "mcp_servers"}


def test_allowed_tools_add_up_each_once_and_in_order() -> None:
    run = resolved(
        PoolConfig(allowed_tools=("Edit", "Bash(ls)")),
        SlotConfig(allowed_tools=("Bash(ls)", "Write")),
        TaskOverrides(allowed_tools=("Edit", "mcp__tracker__*")),
    )
    assert run.allowed_tools == ("Edit", "Bash(ls)", "Write", "mcp__tracker__*")


def test_a_list_of_allowed_tools_that_is_empty_takes_nothing_away() -> None:
    run = resolved(
        PoolConfig(allowed_tools=("Edit",)),
        SlotConfig(allowed_tools=()),
        TaskOverrides(allowed_tools=()),
    )
    assert run.allowed_tools == ("Edit",)


def test_mcp_servers_add_up_and_a_narrower_one_replaces_its_namesake_whole() -> None:
    run = resolved(
        PoolConfig(
            mcp_servers={"a": {"command": "a", "args": ["of the pool"]}, "b": {"command": "b"}}
        ),
        SlotConfig(mcp_servers={"a": {"command": "a2"}, "c": {"command": "c"}}),
        TaskOverrides(mcp_servers={"c": {"command": "c3"}}),
    )
    assert run.mcp_servers == {
        "a": {"command": "a2"},
        "b": {"command": "b"},
        "c": {"command": "c3"},
    }


@pytest.mark.parametrize(("unattended", "mode"), [(False, "default"), (True, "dontAsk")])
def test_where_nobody_is_there_to_be_asked_nothing_is_asked(unattended: bool, mode: str) -> None:
    assert resolved(PoolConfig(unattended_mode=unattended)).permission_mode == mode


def test_unattended_mode_gives_way_to_a_mode_that_somebody_chose() -> None:
    unattended = PoolConfig(unattended_mode=True)
    assert (
        resolved(unattended, SlotConfig(permission_mode=PermissionMode.plan)).permission_mode
        == "plan"
    )
    assert (
        resolved(
            PoolConfig(unattended_mode=True, permission_mode=PermissionMode.plan)
        ).permission_mode
        == "plan"
    )


def test_what_only_a_task_may_decide() -> None:
    run = resolved(
        task=TaskOverrides(
            tools=("Read", "Edit"),
            disallowed_tools=("Bash",),
            json_schema={"type": "object"},
            timeout_secs=5,
        )
    )
    assert (run.tools, run.disallowed_tools, run.schema) == (
        ("Read", "Edit"),
        ("Bash",),
        {"type": "object"},
    )
    assert (run.wall_seconds, run.idle_seconds) == (5, 300)


def test_a_task_may_be_left_without_any_tool() -> None:
    assert resolved(task=TaskOverrides(tools=())).tools == ()


def test_what_only_the_pool_may_decide() -> None:
    run = resolved(PoolConfig(strict_mcp_config=False, detect_permission_prompts=False))
    assert (run.strict_mcp_config, run.detect_permission_prompts) == (False, False)


@pytest.mark.parametrize(
    ("tools", "servers", "writes"),
    [
        (None, None, False),
        (READING, None, False),
        ((), None, False),
        (("Read", "Edit"), None, True),
        (("Bash",), None, True),
        (None, {"tracker": {"command": "x"}}, True),
    ],
)
def test_a_run_writes_where_one_of_its_tools_may(tools: Any, servers: Any, writes: bool) -> None:
    assert resolved(task=TaskOverrides(tools=tools, mcp_servers=servers)).writes is writes


WRONG: list[
    tuple[type[PoolConfig | SlotConfig | TaskOverrides | ScalingConfig], dict[str, Any]]
] = [
    (PoolConfig, {"max_turns": 0}),
    (PoolConfig, {"budget_microdollars": 0}),
    (PoolConfig, {"timeout_secs": 0}),
    (PoolConfig, {"slot_assignment_timeout_secs": 0}),
    (PoolConfig, {"max_restarts": -1}),
    (PoolConfig, {"supervisor_interval_secs": 0}),
    (PoolConfig, {"retry_delay_secs": 0}),
    (PoolConfig, {"slot_mode": "sometimes"}),
    (PoolConfig, {"permission_mode": "whatever"}),
    (PoolConfig, {"no_such_setting": 1}),
    (SlotConfig, {"slot_assignment_timeout_secs": 0}),
    (SlotConfig, {"tools": ("Read",)}),
    (TaskOverrides, {"max_budget_usd": 0}),
    (TaskOverrides, {"timeout_secs": 0}),
    (TaskOverrides, {"role": "reviewer"}),
    (ScalingConfig, {"max_slots": 0}),
    (ScalingConfig, {"min_slots": -1}),
    (ScalingConfig, {"min_slots": 3, "max_slots": 2}),
]


@pytest.mark.parametrize(("kind", "values"), WRONG)
def test_a_setting_that_cannot_hold_is_refused_when_it_is_made(
    kind: Any, values: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        kind(**values)


@pytest.mark.parametrize("usd", [0.01, 0.29, 1.1, 19.99, 0.000001])
def test_dollars_become_microdollars_without_losing_one(usd: float) -> None:
    assert microdollars(usd) == int(f"{usd * 1e6:.0f}")


def test_settings_survive_their_json() -> None:
    config = PoolConfig(
        model="m", mcp_servers={"a": {"command": "x"}}, scaling=ScalingConfig(max_slots=3)
    )
    assert PoolConfig.model_validate_json(config.model_dump_json()) == config


async def test_servers_that_an_earlier_version_stored_without_the_check_stay_readable(
    open_pool: OpenPool,
) -> None:
    unchecked = {"s": {"url": "http://localhost/mcp"}}
    right = {"s": {"type": "http", "url": "http://localhost/mcp"}}

    def age(tx: Transaction) -> None:
        (plan,) = tx.execute(sa.select(chains.c.plan)).scalars()
        assert plan["steps"][0]["overrides"]["mcp_servers"] == right
        plan["steps"][0]["overrides"]["mcp_servers"] = unchecked
        tx.execute(chains.update().values(plan=plan))
        (config,) = tx.execute(sa.select(slots.c.config)).scalars()
        tx.execute(slots.update().values(config=config | {"mcp_servers": unchecked}))

    async with open_pool(Puppet(), slots=[SlotConfig(mcp_servers=right)]) as pool:
        await pool.run("p", config=TaskOverrides(mcp_servers=right))
        await pool.database.transact(age)
        (task,), (slot,) = await pool.tasks(), await pool.slots()
        assert task.config is not None
        assert (task.config.mcp_servers, slot.config.mcp_servers) == (unchecked, unchecked)
        await pool.status()
        await pool.metrics()
    async with open_pool(Puppet()) as pool:
        assert len(await pool.tasks()) == 1
    for kind in (PoolConfig, SlotConfig, TaskOverrides):  # what a caller passes in is checked
        with pytest.raises(ValidationError, match="add its `type`"):
            kind.model_validate({"mcp_servers": unchecked})


async def test_the_agent_is_told_what_was_decided(open_pool: OpenPool) -> None:
    agent = Puppet()
    config = PoolConfig(
        model="of the pool",
        max_turns=7,
        system_prompt="Be brief.",
        timeout_secs=60,
        idle_timeout_secs=20,
        allowed_tools=("Edit",),
        unattended_mode=True,
        fallback_model="second",
        effort=Effort.low,
    )
    slot = SlotConfig(
        model="of the slot", max_turns=8, name="Ada", role="reviewer", description="Knows SQL."
    )
    task = TaskOverrides(
        model="of the task", allowed_tools=("Write",), json_schema={"type": "object"}
    )
    async with open_pool(agent, slots=[slot], config=config) as pool:
        await pool.run("look", config=task)
        kept = (await pool.tasks())[0]
    (run,) = agent.seen
    assert (run.model, run.fallback_model, run.effort, run.turns) == (
        "of the task",
        "second",
        "low",
        8,
    )
    assert (run.allowed_tools, run.tools, run.schema) == (
        ("Edit", "Write"),
        READING,
        {"type": "object"},
    )
    assert (run.permission_mode, run.wall_seconds, run.idle_seconds) == ("dontAsk", 60, 20)
    assert (kept.config, kept.prompt) == (task, "look")
    assert kept.result is not None
    assert kept.result.model == "of the task"


async def test_identity_and_system_prompt_are_put_after_the_agents_own_never_in_its_place(
    open_pool: OpenPool,
) -> None:
    agent = Puppet()
    slot = SlotConfig(name="Ada", role="reviewer", description="Knows SQL.")
    async with open_pool(agent, slots=[slot], config=PoolConfig(system_prompt="Be brief.")) as pool:
        await pool.set_context("style", "tabs")
        await pool.run("look")
    (run,) = agent.seen
    assert run.system == ""
    assert (
        run.more_system
        == "You are Ada, reviewer. Knows SQL.\n\nBe brief.\n\nShared context:\n- style: tabs"
    )


async def test_a_slot_decides_anew_from_its_next_task_on(open_pool: OpenPool) -> None:
    agent = Puppet()
    async with open_pool(agent) as pool:
        await pool.run("one")
        await pool.configure_slot("slot-0", SlotConfig(model="other", name="Ada"))
        await pool.run("two")
        (slot,) = await pool.slots()
    assert [task.model for task in agent.seen] == ["", "other"]
    assert slot.config == SlotConfig(model="other", name="Ada")
