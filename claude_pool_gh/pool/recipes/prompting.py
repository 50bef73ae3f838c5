"""The words for an agent besides its task: who it is, what the pool shares, what went wrong before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from claude_pool_gh.pool.model.config import RunConfig, SlotConfig
from claude_pool_gh.pool.model.plan import AgentRun
from claude_pool_gh.pool.model.ports import AgentTask, Conversation

_SAID: Final = 6_000
"""Characters of what an earlier attempt had said that the next one is told, the newest ones."""


def agent_task(
    task_id: str,
    attempt: int,
    *,
    system: str,
    prompt: str,
    more_system: str,
    config: RunConfig,
    conversation: Conversation | None,
) -> AgentTask:
    """One attempt, complete."""
    return AgentTask(
        id=task_id,
        attempt=attempt,
        system=system,
        prompt=prompt,
        more_system=more_system,
        model=config.model,
        fallback_model=config.fallback_model,
        effort=config.effort,
        turns=config.turns,
        tools=config.tools,
        allowed_tools=config.allowed_tools,
        disallowed_tools=config.disallowed_tools,
        mcp_servers=config.mcp_servers,
        strict_mcp_config=config.strict_mcp_config,
        permission_mode=config.permission_mode,
        detect_permission_prompts=config.detect_permission_prompts,
        schema=config.schema,
        wall_seconds=config.wall_seconds,
        idle_seconds=config.idle_seconds,
        conversation=conversation,
    )


def more_system(settings: str, slot: SlotConfig, context: Mapping[str, str]) -> str:
    """The text after the system prompt: who the slot is, the settings' own words, the shared context in order."""
    shared = [f"- {key}: {_on_one_line(value)}" for key, value in sorted(context.items())]
    parts = (_identity(slot), settings, "\n".join(["Shared context:", *shared]) if shared else "")
    return "\n\n".join(filter(None, parts))


def with_feedback(prompt: str, rejections: Sequence[str], answer: str) -> str:
    """The prompt after one or more rejections: what was handed in last, and all that was said about it so far."""
    if not rejections:
        return prompt
    said = "\n".join(f"{number}. {text}" for number, text in enumerate(rejections, 1))
    last = f"\n\nWhat was handed in last:\n\n{answer}" if answer else ""
    return f"{prompt}\n\nThis was done before and rejected.{last}\n\nThe feedback, oldest first:\n\n{said}"


def with_error(prompt: str, error: str, said: str = "") -> str:
    """The prompt after an attempt that failed of something the next one can avoid, with what it had said by then."""
    if not error:
        return prompt
    told = "The working directory holds what it had changed, if it was to change anything."
    last = f"\n\nWhat it had said by then; go on from there:\n\n{said[-_SAID:]}" if said else ""
    return f"{prompt}\n\nAn earlier attempt at this ended without a result: {error}\n{told}{last}"


def with_recovery(prompt: str, recovery: str) -> str:
    """The prompt of the one more attempt after the last retry."""
    return f"{prompt}\n\n{recovery}"


def label(step: AgentRun) -> str:
    """The name of a run whose step has no title."""
    return step.title or step.name


def _identity(slot: SlotConfig) -> str:
    if not (slot.name or slot.role or slot.description):
        return ""
    role = f", {slot.role}" if slot.role else ""
    return f"You are {slot.name or 'an agent'}{role}.{f' {slot.description}' if slot.description else ''}"


def _on_one_line(value: str) -> str:
    return " ".join(value.split())
