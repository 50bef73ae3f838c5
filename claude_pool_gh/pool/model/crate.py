"""Reads what the Rust crate claude-pool writes where its JSON has another form than ours.

Each function takes what a model is about to be made of, and gives it back as we would have written it; whatever is
already in our form passes unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def chain_step(given: Any) -> Any:
    """`action` and `failure_policy` are fields of the step itself here."""
    if not isinstance(given, Mapping) or not {"action", "failure_policy"} & set(given):
        return given
    step = dict(given)
    action, policy = step.pop("action", {}), step.pop("failure_policy", None) or {}
    if not isinstance(action, Mapping) or not isinstance(policy, Mapping):
        return given
    step |= {name: value for name, value in action.items() if name != "type"}
    step |= {"retries": policy.get("retries", 0), "recovery": policy.get("recovery_prompt")}
    return step | {"config": {} if step.get("config") is None else step["config"]}


def task_result(given: Any) -> Any:
    """The crate's form of a task's result: it says whether a task succeeded, and not how it ended."""
    if not isinstance(given, Mapping) or "ending" in given or "success" not in given:
        return given
    failed = "out_of_budget" if given.get("budget_exceeded") else "failed"
    reason = "" if given["success"] else str(given.get("output", ""))
    return {
        "elapsed_ms": 0,
        "reason": reason,
        **given,
        "ending": "completed" if given["success"] else failed,
    }


def task_record(given: Any) -> Any:
    """Its tasks belong to no chain, and may not say when they were made."""
    if not isinstance(given, Mapping) or "chain_id" in given or "id" not in given:
        return given
    task = {"chain_id": given["id"], "step": "task", **given}
    return task | {"created_at_ms": task.get("created_at_ms") or 0}


def slot_record(given: Any) -> Any:
    """The crate's form of a slot's record: it has one process, so it names none."""
    return {"worker": "", **given} if isinstance(given, Mapping) else given


def chain_result(given: Any) -> Any:
    """The crate's form of a chain's result: it says whether a chain succeeded, and nothing else of its end."""
    if not isinstance(given, Mapping) or "verdict" in given or "success" not in given:
        return given
    return {**given, "verdict": "answered" if given["success"] else "failed"}


def chain_progress(given: Any) -> Any:
    """The crate's form of a chain's progress: it lists the results of finished steps where we count them."""
    if not isinstance(given, Mapping) or not isinstance(given.get("completed_steps"), list | tuple):
        return given
    done = given["completed_steps"]
    cost = sum(step.get("cost_microdollars", 0) for step in done if isinstance(step, Mapping))
    return {"chain_id": "", "cost_microdollars": cost, **given, "completed_steps": len(done)}


def pool_status(given: Any) -> Any:
    """The crate's form of a pool's status: it does not count broken slots and money that is set aside."""
    counted = {
        "errored_slots": 0,
        "reserved_microdollars": 0,
        "pending_review_tasks": 0,
        "completed_tasks": 0,
    }
    return (
        {**counted, "failed_tasks": 0, "cancelled_tasks": 0, **given}
        if isinstance(given, Mapping)
        else given
    )


def drain_summary(given: Any) -> Any:
    """The crate's form of a drain's summary: it says nothing of what a drain leaves."""
    return {"cancelled": (), "left_queued": 0, **given} if isinstance(given, Mapping) else given
