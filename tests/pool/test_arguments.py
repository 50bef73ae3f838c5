"""A value that cannot hold is refused by the call that brings it, in words."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import BaseModel, ValidationError

from claude_pool_gh import (
    ChainStep,
    ClaudeAgent,
    Pool,
    RecipeLibrary,
    ScalingConfig,
    ScalingRefused,
    usual_state,
)
from claude_pool_gh.pool.model.config import PoolConfig, SlotConfig, TaskOverrides
from claude_pool_gh.pool.pruning import PoolRetention
from claude_pool_gh.pool.run.chain_factory import ChainOptions
from tests.pool.puppet import OpenPool, Puppet

OPEN: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"config": {"model": "x"}},
        TypeError,
        r"`config` must be a PoolConfig, .* PoolConfig\.model_validate",
    ),
    ({"config": 3}, TypeError, "`config` must be a PoolConfig, not of the type int"),
    ({"config": TaskOverrides()}, TypeError, "not of the type TaskOverrides"),
    ({"slots": -1}, ValueError, "`slots` is -1"),
    ({"slots": "four"}, TypeError, "`slots` must be a whole number or a list of SlotConfig"),
    ({"slots": True}, TypeError, "`slots` must be a whole number"),
    (
        {"slots": [{"role": "x"}]},
        TypeError,
        r"`slots\[0\]` must be a SlotConfig, not of the type dict",
    ),
    ({"slots": [None]}, TypeError, r"`slots\[0\]` must be a SlotConfig, not None"),
    ({"folder": "/no/such/folder"}, ValueError, "`folder` does not exist: /no/such/folder"),
    ({"folder": __file__}, ValueError, "`folder` is no folder"),
    ({"folder": 3}, TypeError, "`folder` must be a path"),
    ({"state": "state"}, ValueError, "state=True"),
    ({"state": 3}, TypeError, "`state` must be a path or a text or True or False"),
    ({"name": 5}, TypeError, "`name` must be a text, not of the type int"),
    ({"library": 5}, TypeError, "`library` must be a RecipeLibrary, not of the type int"),
    ({"store": 3}, TypeError, "`store` must be a text or a Database"),
    ({"clock": 3}, TypeError, "`clock` must be a Clock: int has no `now_ms`"),
    ({"observer": 3}, TypeError, "`observer` must be an Observer: int has no"),
    ({"workspaces": "x"}, TypeError, "`workspaces` must be a Workspaces: str has no"),
    ({"host_steps": {"a": 3}}, TypeError, r"`host_steps\['a'\]` must be a function"),
    ({"host_steps": [3]}, TypeError, "`host_steps` must be a mapping"),
    (
        {"slot": 3},
        TypeError,
        r"^open\(\): got an unexpected keyword argument 'slot'; it takes agent, folder, name, slots,",
    ),
]


@pytest.mark.parametrize(("given", "error", "words"), OPEN)
async def test_a_pool_is_not_opened_with_it(
    given: dict[str, Any],
    error: type[Exception],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        async with Pool.open(Puppet(), **given):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_a_task_or_chain_is_not_queued_with_it(tmp_path: Path) -> None:
    wrong: Any
    async with Pool.open(Puppet(), folder=tmp_path) as pool:
        for wrong in (None, 3, b"x"):
            with pytest.raises(TypeError, match="`prompt` must be a text"):
                await pool.run(wrong)
        for wrong in ({"model": "x"}, PoolConfig()):
            with pytest.raises(TypeError, match="`config` must be a TaskOverrides"):
                await pool.submit("x", config=wrong)
            with pytest.raises(TypeError, match="`config` must be a TaskOverrides"):
                await pool.fan_out(["x"], config=wrong)
        for wrong in ("tag", [1], 3):
            with pytest.raises(
                TypeError, match=r"`tags` must be a list of texts|`tags\[0\]` must be a text"
            ):
                await pool.run("x", tags=wrong)
        wrong = "one prompt"
        with pytest.raises(
            TypeError, match="`prompts` must be a list of texts, not of the type str"
        ):
            await pool.fan_out(wrong)
        wrong = [{"name": "a", "prompt": "x"}]
        with pytest.raises(
            TypeError, match=r"`steps\[0\]` must be a ChainStep, not of the type dict"
        ):
            await pool.submit_chain(wrong)
        wrong = {"tags": ["a"]}
        with pytest.raises(TypeError, match="`options` must be a ChainOptions"):
            await pool.submit_workflow("x", options=wrong)
        wrong = ChainOptions()
        with pytest.raises(TypeError, match="`config` must be a SlotConfig"):
            await pool.configure_slot("slot-0", wrong)
        await pool.configure_slot("slot-0", SlotConfig())
        assert await pool.tasks() == []


async def test_state_true_keeps_the_work_in_a_place_of_the_folder_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "kept"))
    here, other = tmp_path / "a", tmp_path / "b" / "a"
    for folder in (here, other):
        folder.mkdir(parents=True)
    async with Pool.open(Puppet(), folder=here, state=True) as pool:
        await pool.run("x")
    async with Pool.open(Puppet(), folder=here, state=True) as pool:
        assert len(await pool.tasks()) == 1
    async with Pool.open(Puppet(), folder=other, state=True) as pool:
        assert await pool.tasks() == []
    assert usual_state(here) != usual_state(other)
    assert (usual_state(here) / "pool.sqlite").exists()


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"priority": "high"}, "`priority` must be a whole number"),
        ({"priority": 1.5}, "`priority` must be a whole number"),
        ({"priority": 10**30}, "`priority` is 10"),
        ({"max_rejections": None}, "`max_rejections` must be a whole number"),
        ({"review": "no"}, "`review` must be True or False"),
    ],
)
async def test_what_would_disturb_others_later_is_refused_at_once(
    open_pool: OpenPool, more: dict[str, Any], problem: str
) -> None:
    async with open_pool(Puppet()) as pool:
        with pytest.raises((TypeError, ValueError), match=problem):
            await pool.submit("x", **more)
        assert await pool.tasks() == []


@pytest.mark.parametrize("field", ["task_budget_usd", "chain_budget_usd", "budget_microdollars"])
def test_a_budget_that_no_database_keeps_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="less than or equal to 100000"):
        PoolConfig.model_validate({field: 10**18})


async def test_every_public_method_refuses_what_its_signature_does_not_take(tmp_path: Path) -> None:
    """Each parameter of each method, given a value of another type: TypeError, with the parameter's name."""
    wrong: dict[str, Any] = {
        "feedback": None,
        "args": 3,
        "config": 3,
        "options": 3,
        "steps": 3,
        "every": 3,
    }
    right: dict[str, Any] = {
        "prompt": "x",
        "prompts": ["x"],
        "task_id": "task-1",
        "chain_id": "chain-1",
        "feedback": "x",
        "key": "x",
        "value": "x",
        "steps": [],
        "every": [],
        "name": "x",
        "slot_id": "slot-0",
        "config": SlotConfig(),
        "count": 1,
        "deadline_secs": 1.0,
        "older_than_secs": 1.0,
        "wanted": PoolRetention(transcripts=1, patches=1, chains=1),
    }
    seen = set()
    async with Pool.open(Puppet(), folder=tmp_path) as pool:
        for name, method in inspect.getmembers(Pool, inspect.isfunction):
            if name.startswith("_"):
                continue
            parameters = list(inspect.signature(method).parameters.values())[1:]
            needed = {
                each.name: right[each.name] for each in parameters if each.default is each.empty
            }
            for each in parameters:
                bad = needed | {each.name: wrong.get(each.name, object())}
                with pytest.raises(TypeError, match=f"`{each.name}` must be "):
                    await getattr(pool, name)(**bad)
                seen.add(f"{name}.{each.name}")
        assert await pool.tasks() == []
    assert {
        "reject.feedback",
        "tasks.limit",
        "prune.older_than_secs",
        "drain.deadline_secs",
        "wait.task_id",
    } <= seen
    assert {
        "set_context.key",
        "events.limit",
        "scale_down.count",
        "run.isolation",
        "metrics.wanted",
    } <= seen


NOT_TAKEN: list[tuple[str, dict[str, Any], str]] = [
    (
        "run",
        {"prompt": "x", "resume": "nope"},
        "`resume` is 'nope': give the `session_id` of an earlier TaskResult",
    ),
    ("run", {"prompt": "x", "resume": "../a/b"}, "`resume` is '../a/b'"),
    ("run", {"prompt": "x", "max_rejections": 0}, "`max_rejections` is 0"),
    (
        "run",
        {"prompt": "x", "isolation": "tree"},
        "`isolation` must be 'worktree' or 'clone' or 'none', not 'tree'",
    ),
    ("tasks", {"limit": True}, "`limit` must be a whole number, not of the type bool"),
    ("tasks", {"limit": 1.5}, "`limit` must be a whole number, not of the type float"),
    ("drain", {"deadline_secs": float("nan")}, "`deadline_secs` is nan"),
    ("submit_workflow", {"name": "x", "args": {1: 2}}, "`a key of args` must be a text"),
    ("submit_workflow", {"name": "x", "args": {"a": float("nan")}}, "`args` has the number nan"),
    ("submit_workflow", {"name": "x", "args": {"a": object()}}, "`args` cannot be stored: Unable"),
    ("scale_down", {"count": 3}, "3 slots cannot go: this process has 1"),
    ("scale_down", {"count": -1}, r"use scale_up\(1\)"),
    ("scale_up", {"count": -2}, r"use scale_down\(2\)"),
    ("submit", {}, r"^submit\(\): missing a required argument: 'prompt'; it takes prompt, config,"),
    ("drain", {"timeout_secs": 1}, "^drain.* argument 'timeout_secs'; it takes deadline_secs$"),
    ("status", {"all": True}, "it takes nothing$"),
]


@pytest.mark.parametrize(("method", "given", "words"), NOT_TAKEN)
async def test_a_value_that_cannot_be_meant_is_refused_in_words(
    tmp_path: Path, method: str, given: dict[str, Any], words: str
) -> None:
    async with Pool.open(Puppet(), folder=tmp_path) as pool:
        with pytest.raises((TypeError, ValueError, ScalingRefused), match=words):
            await getattr(pool, method)(**given)
        assert (await pool.tasks(), pool.load.slots) == ([], 1)


def test_a_shelf_and_an_agent_refuse_it_too() -> None:
    wrong: Any = {"name": "x"}
    with pytest.raises(
        TypeError, match="`recipe` must be a Skill or a Workflow, not of the type dict"
    ):
        RecipeLibrary().add(wrong)
    with pytest.raises(TypeError, match="`name` must be a text"):
        RecipeLibrary().skill(wrong)
    for field, value in {
        "key": 3,
        "model": None,
        "trusted": "no",
        "cli": 3,
        "redact": "x",
        "start_seconds": "1",
    }.items():
        with pytest.raises(TypeError, match=f"`{field}` must be "):
            ClaudeAgent(**{field: value})  # type: ignore[arg-type]
    assert ClaudeAgent(key="k", cli=Path("x"), redact=str, patience_seconds=3).trusted is False


async def test_what_a_signature_takes_passes(tmp_path: Path) -> None:
    """Any iterable for a list, a text for the enumeration that has it, a whole number for a number."""
    async with Pool.open(Puppet(), folder=str(tmp_path), slots=(SlotConfig(),)) as pool:
        isolation: Any = "none"
        await pool.run("x", isolation=isolation, tags=iter(["a", "b"]))  # type: ignore[arg-type]
        assert [task.tags for task in await pool.tasks()] == [("a", "b")]
        assert (await pool.drain(5)).total_tasks_completed == 1


@pytest.mark.parametrize(
    "model", [PoolConfig, SlotConfig, TaskOverrides, ScalingConfig, ChainOptions, ChainStep]
)
def test_no_number_of_a_setting_is_true_and_no_yes_or_no_a_text(model: type[BaseModel]) -> None:
    needed = {"name": "a", "prompt": "x", "gate": True} if model is ChainStep else {}
    hints = get_type_hints(model)
    numbers = [name for name, hint in hints.items() if {int, float} & {hint, *get_args(hint)}]
    answers = [name for name, hint in hints.items() if hint is bool]
    assert numbers or answers
    for name in numbers:
        with pytest.raises(ValidationError):
            model.model_validate(needed | {name: True})
    for name in answers:
        with pytest.raises(ValidationError):
            model.model_validate(needed | {name: "no"})
