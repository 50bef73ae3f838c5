"""What the agents are asked, how the model will answer each of them, and what it remembers of that."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any, Final

from claude_pool_gh.rehearsal.model import (
    Answer,
    Fail,
    ModelRequest,
    Raw,
    Reply,
    Text,
    ToolUse,
    Usage,
)

HAIKU: Final = "claude-haiku-4-5"
SONNET: Final = "claude-sonnet-5-5"
OPUS: Final = "claude-opus-5-5"

GREEDY: Final = "greedy"
"""Part of the name of jobs whose answers are as long as they may be."""

UNTOLD: Final = frozenset({"cut", "stall", "garbage"})
"""Answers that never say what they have used."""

ASKED_AGAIN: Final = frozenset({"429", "500", "529"})
"""Refusals after which the gateway waits and asks again."""

_MARK: Final = re.compile(r"\[((?:j|extra|greedy)\d+\.\d+)]")


def mark_of(text: str) -> str:
    """The name in a text that a prompt is part of; "" where there is none."""
    found = _MARK.search(text)
    return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One agent's task: a text that names it, its settings, and how the model answers its requests in turn."""

    mark: str
    fates: tuple[str, ...]
    config: dict[str, Any]

    @property
    def text(self) -> str:
        return f"[{self.mark}] Do what you are told."


@dataclass(frozen=True, slots=True)
class Job:
    """One thing that the spender asks of its pool: a task, several beside each other, or a chain."""

    name: str
    kind: str
    prompts: tuple[Prompt, ...]
    cancel: float | None = None
    """Seconds after the beginning of a run at which it is cancelled."""
    budget_usd: float | None = None

    @property
    def hasty(self) -> list[str]:
        """The marks of those that may be stopped in mid-answer."""
        return [
            p.mark for p in self.prompts if self.cancel is not None or "timeout_secs" in p.config
        ]

    def told(self) -> dict[str, Any]:
        """The job as the spender is told of it."""
        return asdict(self) | {"prompts": [[each.text, each.config] for each in self.prompts]}


def draw(rng: Random, count: int) -> list[Job]:
    """Jobs with `count` prompts in all, of every kind there is."""
    kinds = [_KINDS[number % len(_KINDS)] for number in range(count)]
    rng.shuffle(kinds)
    jobs: list[Job] = []
    while kinds:
        shape = rng.choices(["task", "fan", "chain"], [5, 2, 3])[0]
        size = {"task": 1, "fan": rng.randint(2, 4), "chain": 2}[shape]
        taken, kinds = kinds[:size], kinds[size:]
        name = f"j{len(jobs)}"
        prompts = tuple(_prompt(rng, f"{name}.{number}", kind) for number, kind in enumerate(taken))
        if shape == "fan":  # they have their settings in common
            config = {key: value for prompt in prompts for key, value in prompt.config.items()}
            prompts = tuple(replace(prompt, config=config) for prompt in prompts)
        cancel = rng.uniform(0.0, 2.5) if "cancelled" in taken else None
        budget = rng.choice([None, rng.uniform(0.05, 0.3)]) if shape == "chain" else None
        jobs.append(Job(name, shape, prompts, cancel, budget))
    return jobs


_KINDS: Final = (
    "plain",
    "tools",
    "refused",
    "cut",
    "cancelled",
    "poor",
    "tools",
    "late",
    "slow",
    "tools",
    "plain",
    "refused",
    "cut",
    "cancelled",
    "poor",
    "tools",
    "stalled",
    "fallback",
    "plain",
    "garbage",
)


def _prompt(rng: Random, mark: str, kind: str) -> Prompt:
    config: dict[str, Any] = {"model": rng.choice([HAIKU, SONNET])}
    reads = ["read"] * rng.randint(0, 3)
    match kind:
        case "tools":
            return Prompt(mark, ("read", *reads, "say"), config)
        case "refused":
            return Prompt(
                mark, (*reads[:1], rng.choice(["429", "500", "529", "400"]), *reads[:1]), config
            )
        case "cut" | "garbage":
            return Prompt(mark, (*reads, kind), config)
        case "cancelled":
            return Prompt(mark, (*reads[:1], rng.choice(["slow", "late", "stall"])), config)
        case "poor":
            config["max_budget_usd"] = rng.choice(
                [0.015, *(rng.uniform(0.04, 0.2) for _ in range(4))]
            )
            return Prompt(mark, ("dear", "dear", "dear"), config)
        case "late" | "slow":
            config["timeout_secs"] = rng.uniform(1.5, 2.5)
            return Prompt(mark, (*reads[:1], kind), config)
        case "stalled":
            config["timeout_secs"] = rng.uniform(1.5, 2.5)
            return Prompt(mark, (*reads[:1], "stall"), config)
        case "fallback":
            config |= {"model": SONNET, "fallback_model": HAIKU}
            return Prompt(mark, ("overloaded", *reads), config)
        case _:
            return Prompt(mark, ("say",), config)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that reached the model, by the model's own book.

    Its number is the count of its input tokens, so that whoever is told the usage knows which request it was.
    """

    number: int
    mark: str
    model: str
    at_ms: int
    fate: str
    usage: Usage | None
    """What it costs; None where it was refused."""


@dataclass(slots=True)
class Teller:
    """The model's script: answers every prompt's requests as its fates say, and any further ones well."""

    seed: int
    fates: dict[str, list[str]]
    asked: list[Asked] = field(default_factory=list)

    @classmethod
    def of(cls, seed: int, jobs: Iterable[Job]) -> Teller:
        return cls(
            seed, {prompt.mark: list(prompt.fates) for job in jobs for prompt in job.prompts}
        )

    def __call__(self, request: ModelRequest) -> Reply:
        mark = mark_of(request.text)
        left = self.fates.get(mark, [])
        fate = "dear" if GREEDY in mark else left[0] if left else "say"
        if left and (fate != "overloaded" or request.model != SONNET):  # the overload lasts
            left.pop(0)
        if fate == "overloaded":
            fate = "529" if request.model == SONNET else "say"
        number = len(self.asked) + 1
        usage = None if fate in _REFUSALS else self._usage(number, mark, request, fate)
        self.asked.append(
            Asked(number, mark, request.model, time.time_ns() // 1_000_000, fate, usage)
        )
        return _reply(fate, usage, go_on=request.turn < 2)

    def _usage(self, number: int, mark: str, request: ModelRequest, fate: str) -> Usage:
        nth = sum(one.mark == mark for one in self.asked)
        rng = Random(f"{self.seed} {mark} {nth}")  # noqa: S311 - to be drawn again from the same seed
        limit = int(request.body["max_tokens"])
        return Usage(
            input_tokens=number,
            output_tokens=limit if fate == "dear" else rng.randint(1, min(limit, 600)),
            cache_read_input_tokens=rng.choice([0, rng.randrange(request.size // 4)]),
            cache_creation_input_tokens=rng.choice([0, rng.randrange(request.size // 4)]),
        )


_PARTS: Final = tuple(Text(f"part {number} ") for number in range(6))
_READ: Final = ToolUse("Read", {"file_path": "a.txt"})
_AT_ONCE: Final = {"retry-after": "0"}
_REFUSALS: Final[dict[str, Reply]] = {
    "400": Fail(400, "invalid_request_error"),
    "429": Fail(429, "rate_limit_error", headers=_AT_ONCE),
    "500": Fail(500, headers=_AT_ONCE),
    "529": Fail(529, "overloaded_error", headers=_AT_ONCE),
    "garbage": Raw(b"data: {]\n\n", content_type="text/event-stream"),
}
_MISHAPS: Final[dict[str, dict[str, Any]]] = {
    "cut": {"cut_after": 3},
    "stall": {"stall_after": 3},
    "slow": {"pause": 0.6},
    "late": {"delay": 2.0},
}


def _reply(fate: str, usage: Usage | None, *, go_on: bool) -> Reply:
    if fate in _REFUSALS:
        return _REFUSALS[fate]
    reads = fate == "read" or (fate == "dear" and go_on)
    return Answer((_READ,) if reads else _PARTS, usage, **_MISHAPS.get(fate, {}))
