"""Every JSON that the Rust crate claude-pool writes is read: each form was printed by claude-pool 0.4.0 itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

import claude_pool_gh
from claude_pool_gh import (
    ChainProgress,
    ChainStep,
    Effort,
    Ending,
    PermissionMode,
    PoolConfig,
    TaskRecord,
    TaskResult,
)

FORMS: list[tuple[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "crate.json").read_text()
)
KINDS = {
    "PoolConfig",
    "SlotConfig",
    "TaskOverrides",
    "ChainStep",
    "ChainOptions",
    "StepResult",
    "ChainResult",
    "ChainProgress",
    "TaskResult",
    "TaskRecord",
    "TaskFilter",
    "SlotRecord",
    "PoolStatus",
    "SessionMetrics",
    "MetricsFilter",
    "DrainSummary",
}
ELSEWHERE = {
    "ChainStep": {"action", "failure_policy", "config"},
    "ChainProgress": {"completed_steps"},
}
"""Fields that have another form here; their tests are below."""


def read(kind: str, form: dict[str, Any]) -> BaseModel:
    model: type[BaseModel] = getattr(claude_pool_gh, kind)
    return model.model_validate_json(json.dumps(form))


def test_there_is_a_form_of_each_kind() -> None:
    assert {kind for kind, _ in FORMS} == KINDS


@pytest.mark.parametrize(
    ("kind", "form"), FORMS, ids=[f"{n}-{kind}" for n, (kind, _) in enumerate(FORMS)]
)
def test_each_form_is_read_and_no_value_of_it_is_lost(kind: str, form: dict[str, Any]) -> None:
    made = read(kind, form).model_dump(mode="json")
    for name in set(form) - ELSEWHERE.get(kind, set()):
        wanted, found = form[name], made[name]
        if isinstance(wanted, dict) and isinstance(found, dict):
            found = {key: value for key, value in found.items() if key in wanted}
        if wanted is None:
            assert found in (None, [], 0), name
        elif name in ("steps", "model_breakdown", "result", "config"):
            assert bool(found) == bool(wanted), name
        else:
            assert found == wanted, name


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_field_that_nobody_knows_is_refused_all_the_same(kind: str) -> None:
    form = next(form for name, form in FORMS if name == kind)
    with pytest.raises(ValidationError, match="no_such_field"):
        read(kind, form | {"no_such_field": 1})


def test_a_step_keeps_its_prompt_its_retries_and_its_recovery() -> None:
    plain, full = (ChainStep.model_validate(form) for kind, form in FORMS if kind == "ChainStep")
    assert (plain.prompt, plain.retries, plain.recovery) == ("Plan {previous_output}", 0, None)
    assert (full.prompt, full.retries, full.recovery) == (
        "Fix {steps.plan.files}",
        2,
        "It failed: {error}",
    )
    assert (full.config.max_budget_usd, full.output_vars) == (0.5, {"files": "a.b"})
    skill = {"type": "skill", "skill": "s", "arguments": {"a": "b"}}  # until claude-pool 0.3
    old = ChainStep.model_validate({"name": "x", "action": skill, "config": None})
    assert (old.skill, old.arguments, old.retries) == ("s", {"a": "b"}, 0)


def test_results_and_records_keep_how_they_ended() -> None:
    good, bad, over = (
        TaskResult.model_validate(form) for kind, form in FORMS if kind == "TaskResult"
    )
    assert [each.ending for each in (good, bad, over)] == [
        Ending.completed,
        Ending.failed,
        Ending.out_of_budget,
    ]
    assert (bad.reason, bad.exit_code) == ("no", 1)
    records = [TaskRecord.model_validate(form) for kind, form in FORMS if kind == "TaskRecord"]
    assert {str(record.chain_id) == str(record.id) for record in records} == {True}
    progress = [
        ChainProgress.model_validate(form) for kind, form in FORMS if kind == "ChainProgress"
    ]
    assert [(each.completed_steps, each.cost_microdollars) for each in progress] == [(1, 5)] + [
        (2, 10)
    ] * 3


def test_every_permission_mode_and_effort_of_the_crate_is_ours_too() -> None:
    configs = [PoolConfig.model_validate(form) for kind, form in FORMS if kind == "PoolConfig"]
    assert {config.permission_mode for config in configs} >= set(PermissionMode)
    assert Effort.max in {config.effort for config in configs}
