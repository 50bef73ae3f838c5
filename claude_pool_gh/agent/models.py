"""Short names of models, and what a run with a model needs at the least.

The names are resolved as the pinned CLI resolves them; a test compares every one of them with it.
"""

from __future__ import annotations

from typing import Final

from claude_pool_gh.agent.meter import LEAST_OUTPUT, needed
from claude_pool_gh.agent.prices import Load
from claude_pool_gh.pool.model.config import PermissionMode
from claude_pool_gh.pool.model.ports import AgentTask

_HAIKU: Final = "claude-haiku-5-5"
_SONNET: Final = "claude-sonnet-5-5"
_OPUS: Final = "claude-opus-5-5"
ALIASES: Final = {
    "best": _OPUS,
    "default": _OPUS,
    "fable": "claude-fable-5-2",
    "haiku": _HAIKU,
    "opus": _OPUS,
    "opusplan": _SONNET,
    "sonnet": _SONNET,
}
_PLANNING: Final = {"haiku": _SONNET, "opusplan": _OPUS}
"""What some of them mean in the permission mode `plan`."""
_LONG: Final = "[1m]"
"""Behind a name: the context of a million tokens, where the model has one."""

_REQUEST_BYTES: Final = 2_000
"""The smallest request of the CLI, without tools or its own system prompt. One byte is at most one token."""
_PROMPT_BYTES: Final = 7_400
"""The CLI's own system prompt."""
_OLD_PROMPT_BYTES: Final = 28_500
"""The same for a model of before Claude 5, which is told more."""
_TOOL_BYTES: Final = 2_500
"""What one tool adds, by the dearest of Read, Grep and Glob."""
_OLD: Final = ("claude-3", "claude-haiku-4", "claude-opus-4", "claude-sonnet-4")


def resolved(name: str, mode: PermissionMode) -> str:
    """The id that a short name stands for; whatever is none is taken for an id, and its spaces are cut off."""
    name = name.strip()
    short = name.lower().removesuffix(_LONG)
    if short not in ALIASES:
        return name
    return _PLANNING.get(short, ALIASES[short]) if mode is PermissionMode.plan else ALIASES[short]


def plain(model: str) -> str:
    """A model's id as the API knows it: without the suffix for a long context, which is a feature of the request."""
    return model[: -len(_LONG)] if model.lower().endswith(_LONG) else model


def least(task: AgentTask) -> int:
    """Microdollars that the run's first request needs, by its model and its known parts, whoever counts its tokens."""
    model = plain(task.model)
    own = _OLD_PROMPT_BYTES if model.startswith(_OLD) else _PROMPT_BYTES
    size = (
        _REQUEST_BYTES
        + (len(task.system.encode()) if task.system else own)
        + _TOOL_BYTES * len(task.tools)
    )
    load = Load(size + len(task.prompt.encode()), cached="5m")
    return needed(model, load, LEAST_OUTPUT)
