"""How many reviews end for want of money although it would have sufficed, by the bound of each request.

Commits of 100 to 3,000 changed lines are made of the standard library's own source, the same on every machine with this
Python: some files, in each a run of lines that is new. Each is reviewed under the default budget by agents that get the
diff of their files, open each of these files once, and hand in what they found. Nothing is asked of a model: a token
is taken as three and a half bytes, and what was sent before as read from the cache, as the API would report it.

Beside the present bound stands the former one, a token for each byte and all of it written into the cache for an hour.
"""

from __future__ import annotations

import json
import random
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks.figures import Figure
from claude_pool_gh.agent import prices
from claude_pool_gh.agent.counted import Counts, conversation
from claude_pool_gh.agent.meter import LEAST_OUTPUT, needed
from claude_pool_gh.agent.prices import Load
from claude_pool_gh.config.model import Budget
from claude_pool_gh.findings.changes import GROUP_FILES, GROUP_LINES, GROUPS_LIMIT
from claude_pool_gh.pool.model.config import MICRODOLLARS

COMMITS: Final = 84
MODELS: Final = ("claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-4-5")
SLOTS: Final = (1, 2, 4)
_REVIEW: Final = yaml.safe_load(
    (files("claude_pool_gh.recipes") / "workflows" / "review.yml").read_text("utf-8")
)
_SHARE: Final = float(next(step["share"] for step in _REVIEW["steps"] if step["name"] == "find"))
"""The part of a review's money that the agents which look for defects have."""
_BYTES_A_TOKEN: Final = 3.5
_SYSTEM: Final = "x" * 12_000
"""As long as what stands before the diff: system prompt, tools and facts."""
_TURN_TOKENS: Final = 150
_RESULT_TOKENS: Final = 2_500
_READ_LINES: Final = 2_000
"""Lines of a file that the CLI reads at once."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A file with the lines of it that are new."""

    path: str
    lines: Sequence[str]
    new: range

    @property
    def diff(self) -> str:
        """The new lines with ten around them."""
        before = self.lines[max(0, self.new.start - 10) : self.new.start]
        after = self.lines[self.new.stop : self.new.stop + 10]
        own = (self.lines[number] for number in self.new)
        marked = [
            *(f" {line}" for line in before),
            *(f"+{line}" for line in own),
            *(f" {line}" for line in after),
        ]
        numbered = (f"{self.new.start + number:>5} {line}" for number, line in enumerate(marked))
        return f"+++ b/{self.path}\n" + "\n".join(numbered)

    @property
    def read(self) -> str:
        """What the CLI answers when the file is opened."""
        return "\n".join(
            f"{number}\t{line}" for number, line in enumerate(self.lines[:_READ_LINES], 1)
        )


Bound = Callable[["Run", dict[str, Any], int], int]


def former(run: Run, body: dict[str, Any], size: int) -> int:
    """A token for each byte, all of it written into the cache for an hour; without what a workspace may add."""
    del body
    read = prices.most_for_input(run.model, Load(size, "1h"))
    return int((read + prices.most_for_output(run.model, Load(size), LEAST_OUTPUT)) / 1.1)


def present(run: Run, body: dict[str, Any], size: int) -> int:
    """What the gateway reserves, where the API counts the beginning of a conversation for it if need be."""
    talk = conversation(body, size)
    tokens = min(run.counts.bound(talk), int(_tokens(size) * 1.1) + 1)
    return needed(run.model, Load(tokens, prices.kept_for(body)), LEAST_OUTPUT)


@dataclass(slots=True)
class Run:
    """One agent at work on some of a commit's files."""

    model: str
    left: int
    counts: Counts = field(default_factory=Counts)

    def is_refused(self, files: Sequence[Changed], bound: Bound) -> bool:
        """Whether a request of it is refused."""
        mark = {"cache_control": {"type": "ephemeral"}}
        opening = {"type": "text", "text": "\n\n".join(file.diff for file in files)}
        messages: list[dict[str, Any]] = [{"role": "user", "content": [opening]}]
        before = 0
        for file in [*files, None]:
            body = {
                "model": self.model,
                "system": [{"type": "text", "text": _SYSTEM, **mark}],
                "messages": messages,
            }
            size = len(json.dumps(body))
            if bound(self, body, size) > self.left:
                return True
            output = _TURN_TOKENS if file else _RESULT_TOKENS
            usage = {
                "input_tokens": 5,
                "cache_read_input_tokens": before,
                "cache_creation_input_tokens": _tokens(size) - before - 5,
                "output_tokens": output,
            }
            self.left -= prices.price(self.model, usage)
            self.counts.learn(conversation(body, size), usage)
            before = _tokens(size) - 5
            if file is not None:
                call = {
                    "type": "tool_use",
                    "id": file.path,
                    "name": "Read",
                    "input": {"file_path": file.path},
                }
                result = {"type": "tool_result", "tool_use_id": file.path, "content": file.read}
                messages = [
                    *messages,
                    {"role": "assistant", "content": [call]},
                    {"role": "user", "content": [result]},
                ]
        return False


async def measure() -> list[Figure]:
    """The share of commits that end without a review, before and now."""
    made = commits()
    figures = [Figure("commits, of 100 to 3,000 lines", len(made), "")]
    for model in MODELS:
        for slots in SLOTS:
            shares = [_refused(made, model, slots, bound) for bound in (former, present)]
            name = f"{model}, {slots} at once: not reviewed for money"
            figures.append(Figure(f"{name}, former bound", shares[0], "%"))
            figures.append(Figure(name, shares[1], "%", limit=0))
    return figures


def commits() -> list[list[Changed]]:
    """As many commits as the measurement takes, from small to large."""
    chance = random.Random(84)  # noqa: S311 - the same commits each time, nothing secret
    sources = list(_sources())
    made = []
    for number in range(COMMITS):
        wanted = round(100 * 30 ** (number / (COMMITS - 1)))
        commit: list[Changed] = []
        while wanted > 0:
            path, lines = chance.choice(sources)
            most = min(wanted, len(lines), chance.randint(20, 600))
            start = chance.randrange(len(lines) - most + 1)
            if path not in {file.path for file in commit}:
                commit.append(Changed(path, lines, range(start, start + most)))
                wanted -= most
        made.append(commit)
    return made


def _sources() -> Iterator[tuple[str, list[str]]]:
    """Modules of the standard library of an ordinary length, in order."""
    top = Path(sysconfig.get_path("stdlib"))
    for path in sorted([*top.glob("*.py"), *top.glob("asyncio/*.py"), *top.glob("email/*.py")]):
        lines = path.read_text("utf-8", "replace").splitlines()
        if 50 <= len(lines) <= 3_000:
            yield str(path.relative_to(top)), lines


def _refused(made: Sequence[Sequence[Changed]], model: str, slots: int, bound: Bound) -> float:
    """Per cent of the commits of which some part is not reviewed."""
    refused = sum(1 for commit in made if _is_refused(commit, model, slots, bound))
    return 100 * refused / len(made)


def _is_refused(commit: Sequence[Changed], model: str, slots: int, bound: Bound) -> bool:
    """The agents that work at once get equal parts of the step's money; what one leaves is there for the next.

    Now it is there for those beside it too: one that is short waits for it.
    """
    budget, groups = Budget(), _groups(commit)
    left, cap = int(budget.chain * _SHARE * MICRODOLLARS), int(budget.task * MICRODOLLARS)
    part = left // min(slots, len(groups))
    for start in range(0, len(groups), slots):
        beside = sorted(groups[start : start + slots], key=_size)
        granted = min(cap, part, left // len(beside))
        spare = left - granted * len(beside) if bound is present else 0
        for group in beside:
            run = Run(model, min(cap, granted + spare))
            before = run.left
            if run.is_refused(group, bound):
                return True
            spent = before - run.left
            left -= spent
            spare += granted - spent if bound is present else 0
    return False


def _size(group: Sequence[Changed]) -> int:
    return sum(len(file.diff) + len(file.read) for file in group)


def _groups(commit: Sequence[Changed]) -> list[list[Changed]]:
    """As a review cuts a change: together while they stay small."""
    groups: list[list[Changed]] = [[]]
    for file in commit:
        lines = sum(len(each.new) for each in groups[-1]) + len(file.new)
        if groups[-1] and (lines > GROUP_LINES or len(groups[-1]) == GROUP_FILES):
            groups.append([])
        groups[-1].append(file)
    return groups[:GROUPS_LIMIT]


def _tokens(size: int) -> int:
    return round(size / _BYTES_A_TOKEN)
