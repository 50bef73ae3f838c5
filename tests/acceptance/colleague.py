"""A scripted model that can do every verb's work: it knows each agent by the skill that it follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from claude_pool_gh.rehearsal.model import Answer, Fail, ModelRequest, Reply, Text, ToolUse
from claude_pool_gh.rehearsal.reviewer import Planted, Reviewer
from claude_pool_gh.rehearsal.skills import skill_of

RESULT = "StructuredOutput"
REVIEWERS = ("find-defects", "restate-finding", "verify-finding")
"""Skills of a review, which `Reviewer` plays."""

MENDED = ToolUse(
    "Edit",
    {
        "file_path": "shop/prices.py",
        "old_string": "    if quantity > BULK_FROM:",
        "new_string": "    if quantity >= BULK_FROM:",
    },
)
READ = ToolUse("Read", {"file_path": "shop/prices.py"})


def write(path: str, content: str) -> ToolUse:
    """A call that writes a file."""
    return ToolUse("Write", {"file_path": path, "content": content})


@dataclass
class Colleague:
    """One script for all agents. A test changes the parts that it is about."""

    planted: Sequence[Planted] = ()
    pace: float = 0.0
    mends: Sequence[ToolUse] = (READ, MENDED)
    mend_says: str = "Mended in shop/prices.py: the boundary counts now."
    answer: Mapping[str, Any] = field(
        default_factory=lambda: {
            "answer": "From ten pieces on, by `line_total`.",
            "places": [{"path": "shop/prices.py", "start_line": 7, "end_line": 9}],
        }
    )
    triage: Mapping[str, Any] = field(
        default_factory=lambda: {
            "summary": "The discount is not given for exactly ten pieces.",
            "labels": ["bug", "made-up"],
            "missing": ["The version"],
            "note": "",
        }
    )
    plan: Mapping[str, Any] = field(
        default_factory=lambda: {"ready": True, "questions": [], "plan": "Add a file."}
    )
    makes: Sequence[ToolUse] = (write("shop/gifts.py", "GIFT = True\n"),)
    tests: Sequence[ToolUse] = (
        write("tests/test_gifts.py", "def test_gift() -> None:\n    assert True\n"),
    )
    check: Mapping[str, Any] = field(default_factory=lambda: {"verdict": "good", "problems": []})
    reworks: Sequence[ToolUse] = (write("shop/gifts.py", "GIFT = 1\n"),)
    description: Mapping[str, Any] = field(
        default_factory=lambda: {"title": "Add gifts", "body": "Gifts are there now."}
    )
    failures: list[Fail] = field(default_factory=list)
    """Answers of the API before it works."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """Words in the prompt of a recipe of the test's own -> the skill that is played there."""
    seen: list[ModelRequest] = field(default_factory=list)

    def __call__(self, request: ModelRequest) -> Reply:
        """Answer one request of the Messages API."""
        self.seen.append(request)
        if self.failures:
            return self.failures.pop(0)
        part = self._part(request)
        steps = self._parts.get(part)
        if steps is not None:
            turn = steps(request)
            return Answer(turn[min(request.turn, len(turn) - 1)], delay=self.pace)
        if part and part not in REVIEWERS:
            return Fail(
                400,
                "invalid_request_error",
                f"the tests' Colleague plays no {part}: add it to `_parts`",
            )
        return Reviewer(self.planted, pace=self.pace)(request)

    def _part(self, request: ModelRequest) -> str:
        own = (skill for mark, skill in self.prompts.items() if mark in request.text)
        return skill_of(request) or next(own, "")

    def asked(self, skill: str) -> list[ModelRequest]:
        """The requests of the agents that followed a skill, oldest first."""
        return [each for each in self.seen if self._part(each) == skill]

    def _answers(self, request: ModelRequest) -> tuple[Text | ToolUse, ...]:
        typed = RESULT in request.tools
        return (ToolUse(RESULT, self.answer),) if typed else (Text(str(self.answer["answer"])),)

    @property
    def _parts(self) -> Mapping[str, Callable[[ModelRequest], list[tuple[Text | ToolUse, ...]]]]:
        return {
            "fix-problems": lambda _: acts(self.mends, self.mend_says),
            "answer-question": lambda request: [self._answers(request)],
            "triage-issue": lambda _: [(ToolUse(RESULT, self.triage),)],
            "plan-change": lambda _: [(ToolUse(RESULT, self.plan),)],
            "implement-change": lambda _: acts(self.makes, "Made it."),
            "write-tests": lambda _: acts(self.tests, "Added a test."),
            "check-change": lambda _: [(ToolUse(RESULT, self.check),)],
            "apply-review": lambda _: acts(self.reworks, "Mended."),
            "describe-change": lambda _: [(ToolUse(RESULT, self.description),)],
        }


def acts(uses: Sequence[ToolUse], says: str) -> list[tuple[Text | ToolUse, ...]]:
    """One tool after another, and then a word about it."""
    return [*((use,) for use in uses), (Text(says),)]
