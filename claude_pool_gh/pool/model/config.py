"""The settings of a pool, of one of its slots and of one task, and what holds when several of them speak.

The names are those of the Rust crate claude-pool, so its users can bring their JSON. A task's word goes before its
slot's, a slot's before the pool's; lists of allowed tools add up, and a later MCP server replaces one of its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    model_validator,
)

MICRODOLLARS: Final = 1_000_000
"""Microdollars in a dollar."""
MOST_DOLLARS: Final = 100_000
"""No budget is higher: a mistyped one is refused, and every sum fits into what the databases keep."""

READING: Final = ("Read", "Grep", "Glob")
"""Tools that change nothing. An agent that is given no other has these."""


STORED: Final = {"stored": True}
"""Context with which stored values are validated. A check that is stricter than that of an earlier version holds for
what callers pass in: what an earlier version has stored stays readable."""


class Frozen(BaseModel):
    """Base of the pool's stored values."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        defer_build=True,  # a third of the import, for models of which most processes use few
    )


class PermissionMode(StrEnum):
    """The things that the agent may do without being asked; the names are the CLI's own."""

    default = "default"
    accept_edits = "acceptEdits"
    bypass_permissions = "bypassPermissions"
    plan = "plan"
    dont_ask = "dontAsk"
    auto = "auto"


class Effort(StrEnum):
    """The amount of thinking of a model before it answers."""

    low = "low"
    medium = "medium"
    high = "high"
    xhigh = "xhigh"
    max = "max"


class SlotMode(StrEnum):
    """The choice whether a slot outlives its task."""

    persistent = "persistent"
    """A slot stays, and keeps its tasks' conversations, so that a later task may ask to go on with one of them."""
    ephemeral = "ephemeral"
    """A slot is born with a task and dies with it; nothing of the task can be continued."""


class Isolation(StrEnum):
    """The kind of folder where a chain's agents work.

    What is asked for and cannot be had fails the run: nothing falls back.
    """

    worktree = "worktree"
    """Each run in a fresh git worktree, which begins where the chain's last step left off."""
    clone = "clone"
    """The same in a clone that shares nothing with the repository it came from."""
    none = "none"
    """All in the pool's own folder, at the same time as whoever else works there."""


# what a caller may write; all of it is the narrower type once it has been checked
if TYPE_CHECKING:
    Strings = Sequence[str]
    AnyPermissionMode = (
        PermissionMode
        | Literal["default", "acceptEdits", "bypassPermissions", "plan", "dontAsk", "auto"]
    )
    AnyEffort = Effort | Literal["low", "medium", "high", "xhigh", "max"]
    AnySlotMode = SlotMode | Literal["persistent", "ephemeral"]
    AnyIsolation = Isolation | Literal["worktree", "clone", "none"]
    AnyPath = Path | str
else:
    Strings = tuple[str, ...]
    AnyPermissionMode, AnyEffort, AnySlotMode, AnyIsolation = (
        PermissionMode,
        Effort,
        SlotMode,
        Isolation,
    )
    AnyPath = Path


def _none_is_empty(given: Any) -> Any:
    """The crate writes `null` for a list that nobody gave."""
    return () if given is None else given


def _servers(given: Mapping[str, Any], info: ValidationInfo) -> Mapping[str, Any]:
    """Refuse an entry that no MCP server could be started or reached by. What is stored already was let in once."""
    if info.context == STORED:
        return given
    for name, entry in given.items():
        ways = [way for way in ("command", "url") if way in entry]
        if len(ways) != 1:
            raise ValueError(
                f"the MCP server {name!r} needs either `command`, a program to start, or `url`, where it is reached; "
                f"it has {', '.join(f'`{key}`' for key in entry) or 'nothing'}"
            )
        if not isinstance(entry[ways[0]], str) or not entry[ways[0]].strip():
            raise ValueError(
                f"`{ways[0]}` of the MCP server {name!r} must be a text that is not empty"
            )
        if ways == ["url"] and entry.get("type") in (None, "stdio"):
            raise ValueError(
                f"the MCP server {name!r} has a `url`: add its `type`: `http` or `sse`"
            )
    return given


Servers = Annotated[dict[str, dict[str, Any]], AfterValidator(_servers)]


class ScalingConfig(Frozen):
    """Bounds for the number of this process's slots."""

    min_slots: Annotated[int, Strict(), Field(ge=0)] = 1
    """Fewest slots that scaling may leave."""
    max_slots: Annotated[int, Strict(), Field(ge=1)] = 16
    """Most slots that scaling may make."""

    @model_validator(mode="after")
    def _ordered(self) -> ScalingConfig:
        if self.min_slots > self.max_slots:
            raise ValueError(f"min_slots {self.min_slots} is more than max_slots {self.max_slots}")
        return self


class _Choices(Frozen):
    """The choices that pool, slot and task may each make. None leaves the decision to the next wider one."""

    model: str | None = None
    """Id of the model, such as `claude-haiku-4-5-20251001`, or a short name that the agent knows, such as `haiku`.
    Default: the agent's own."""
    permission_mode: AnyPermissionMode | None = None
    """What the agent may do unasked. Default: `default`, or `dontAsk` where `unattended_mode` is on."""
    max_turns: Annotated[int, Strict(), Field(ge=1)] | None = None
    """Most turns of one run. Default: 30."""
    system_prompt: str | None = None
    """Put after the CLI's own system prompt, never in its place."""
    allowed_tools: Strings | None = None
    """Permission rules, such as `Edit` or `mcp__tracker__*`: what needs no question. Adds to the wider ones'."""
    mcp_servers: Servers | None = None
    """MCP servers by name, each as in `.mcp.json`: with `command`, or with `type` and `url`. Adds to the wider ones';
    one of the same name is replaced. A run fails where one of them does not start."""
    effort: AnyEffort | None = None
    """How much the model thinks. Default: the model's own."""
    fallback_model: str | None = None
    """Model to go on with where the first one is overloaded."""


class SlotConfig(_Choices):
    """The settings of one slot, and who it is."""

    role: str | None = None
    """What the slot is for, such as `reviewer`. A task that names a role runs only on a slot that has it."""
    name: str | None = None
    """What to call the slot, told to the agent that runs on it."""
    description: str | None = None
    """What the slot is good at, told to the agent that runs on it."""
    slot_assignment_timeout_secs: Annotated[float, Strict(), Field(gt=0)] | None = None
    """Seconds that a task may wait for this very slot, counted from its submission; else the pool's."""


class TaskOverrides(_Choices):
    """The settings of one task."""

    disallowed_tools: Annotated[Strings, BeforeValidator(_none_is_empty)] = ()
    """Tools and permission rules that are refused whatever else allows them."""
    tools: Strings | None = None
    """The built-in tools that the agent has at all. Default: Read, Grep and Glob."""
    json_schema: dict[str, Any] | None = None
    """JSON Schema that the result must satisfy; a result of another form is a failure."""
    max_budget_usd: Annotated[float, Strict(), Field(gt=0, le=MOST_DOLLARS)] | None = None
    """Most that the task may cost, in dollars, all its attempts together. Default: `PoolConfig.task_budget_usd`."""
    timeout_secs: Annotated[float, Strict(), Field(gt=0)] | None = None
    """Seconds that one attempt may take. Default: `PoolConfig.timeout_secs`."""
    retries: Annotated[int, Strict(), Field(ge=0, le=5)] | None = None
    """How often a run that failed of something temporary is tried again; each attempt may cost as much as the first.
    Default: `PoolConfig.retries` for a lone task, `ChainStep.retries` for a chain's step."""
    retry_timeouts: Annotated[bool, Strict()] = False
    """Whether `retries` also hold for a run that its clock has ended. It has cost what a whole run costs."""


class PoolConfig(_Choices):
    """The settings of every slot and task of a pool that says nothing else."""

    budget_microdollars: (
        Annotated[int, Strict(), Field(gt=0, le=MOST_DOLLARS * MICRODOLLARS)] | None
    ) = None
    """Most that all tasks in the pool's store may cost in a calendar month (UTC), in microdollars. Default: no cap."""
    task_budget_usd: Annotated[float, Strict(), Field(gt=0, le=MOST_DOLLARS)] = 1.0
    """Most that one task may cost, in dollars, where it says nothing itself."""
    chain_budget_usd: Annotated[float, Strict(), Field(gt=0, le=MOST_DOLLARS)] = 3.0
    """Most that one chain may cost, in dollars, where it says nothing itself."""
    timeout_secs: Annotated[float, Strict(), Field(gt=0)] = 900.0
    """Seconds that one attempt of a task may take."""
    idle_timeout_secs: Annotated[float, Strict(), Field(gt=0)] = 300.0
    """Seconds without any sign of an agent after which its attempt ends."""
    retries: Annotated[int, Strict(), Field(ge=0, le=5)] = 0
    """How often a lone task that failed of something temporary is tried again, where it says nothing itself. Default:
    never, since each attempt costs money. A chain's step has `ChainStep.retries`."""
    retry_delay_secs: Annotated[float, Strict(), Field(gt=0)] = 2.0
    """Seconds before the first retry of a task that may succeed the next time, and of what went wrong on the pool's own
    side; doubled before each further one."""
    max_chains: Annotated[int, Strict(), Field(ge=1)] | None = None
    """Most chains, lone tasks among them, that all workers on the store carry at the same time. Default: no limit."""
    slot_mode: AnySlotMode = SlotMode.persistent
    """Whether slots outlive their tasks."""
    max_restarts: Annotated[int, Strict(), Field(ge=0)] = 3
    """How often in a row the supervisor restarts a slot that broke, before it stays `errored`."""
    worktree_isolation: Annotated[bool, Strict()] = False
    """Give each task a git worktree of its own. A chain says for itself what it wants."""
    slot_assignment_timeout_secs: Annotated[float, Strict(), Field(gt=0)] | None = None
    """Seconds from its submission after which a task that still waits for a slot fails. Default: it waits on, since
    the queue is durable."""
    scaling: ScalingConfig = ScalingConfig()
    """Bounds for the number of slots."""
    unattended_mode: Annotated[bool, Strict()] = False
    """Nobody is there to be asked. The tools that a task is given need no question, whatever `allowed_tools` says; any
    other use is refused, the agent is told, and goes on without."""
    detect_permission_prompts: Annotated[bool, Strict()] = True
    """Where somebody could have been asked: end a run as failed when a tool it wanted was not allowed, naming the tool
    and the setting that allows it. From the CLI's own list of denials."""
    supervisor_enabled: Annotated[bool, Strict()] = True
    """Restart slots that broke."""
    supervisor_interval_secs: Annotated[float, Strict(), Field(gt=0)] = 30.0
    """Seconds after which a slot that broke is restarted."""
    strict_mcp_config: Annotated[bool, Strict()] = True
    """Use only the MCP servers named in these settings, whatever the folder's `.mcp.json` says."""
    worktree_base_dir: AnyPath | None = None
    """Where worktrees and clones are made. Default: in the pool's state folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """The settings of one run, with every choice made."""

    model: str
    """Empty: the agent's own choice."""
    fallback_model: str | None
    effort: str | None
    turns: int
    tools: tuple[str, ...]
    allowed_tools: tuple[str, ...]
    disallowed_tools: tuple[str, ...]
    mcp_servers: dict[str, dict[str, Any]]
    strict_mcp_config: bool
    permission_mode: PermissionMode
    detect_permission_prompts: bool
    system_prompt: str
    schema: dict[str, Any] | None
    wall_seconds: float
    idle_seconds: float

    @property
    def writes(self) -> bool:
        """True where the run may change files."""
        return not set(self.tools) <= set(READING) or bool(self.mcp_servers)


def resolve(
    pool: PoolConfig,
    slot: SlotConfig,
    task: TaskOverrides,
    *,
    wall_seconds: float,
    idle_seconds: float,
) -> RunConfig:
    """Make every choice for one run. The clocks are those of its chain; a task may have a shorter or longer one."""
    unasked = PermissionMode.dont_ask if pool.unattended_mode else PermissionMode.default
    return RunConfig(
        model=task.model or slot.model or pool.model or "",
        fallback_model=task.fallback_model or slot.fallback_model or pool.fallback_model,
        effort=task.effort or slot.effort or pool.effort,
        turns=task.max_turns or slot.max_turns or pool.max_turns or 30,
        tools=READING if task.tools is None else tuple(task.tools),
        allowed_tools=_joined(pool, slot, task),
        disallowed_tools=tuple(task.disallowed_tools),
        mcp_servers={
            **(pool.mcp_servers or {}),
            **(slot.mcp_servers or {}),
            **(task.mcp_servers or {}),
        },
        strict_mcp_config=pool.strict_mcp_config,
        permission_mode=PermissionMode(
            task.permission_mode or slot.permission_mode or pool.permission_mode or unasked
        ),
        detect_permission_prompts=pool.detect_permission_prompts,
        system_prompt=task.system_prompt or slot.system_prompt or pool.system_prompt or "",
        schema=task.json_schema,
        wall_seconds=task.timeout_secs or wall_seconds,
        idle_seconds=idle_seconds,
    )


def _joined(*choices: _Choices) -> tuple[str, ...]:
    """Everybody's allowed tools, each once, in order."""
    return tuple(dict.fromkeys(tool for each in choices for tool in each.allowed_tools or ()))


def microdollars(usd: float) -> int:
    """Dollars as whole microdollars, rounded to the nearest."""
    return round(usd * MICRODOLLARS)
