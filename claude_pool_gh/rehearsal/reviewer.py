"""A scripted reviewer: answers the bot's agents as a model would, from a list of what there is to find.

It reads a file and searches before it answers, so that a rehearsal shows tools at work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from claude_pool_gh.rehearsal.model import Answer, ModelRequest, Text, ToolUse

_RESULT = "StructuredOutput"


@dataclass(frozen=True, slots=True)
class Planted:
    """One finding that the reviewer will state, and what the second reader will say of it."""

    finding: Mapping[str, Any]
    verdict: str = "confirmed"
    reason: str = "walked through the code: the scenario gives the wrong result"
    restated: Mapping[str, Any] | None = None
    """The same finding as it is stated when it comes back because it has no place."""

    shown: str = ""
    """What the diff shows of it, by which the reviewer knows that it is its own; else the file's header."""

    @property
    def mark(self) -> str:
        """The text in the diff that it is found by."""
        return self.shown or f"+++ b/{self.path}"

    @property
    def path(self) -> str:
        """The file it is about."""
        return str(self.finding["path"])


@dataclass(slots=True)
class Reviewer:
    """A script for `ScriptedModel`. `pace` seconds pass before each answer."""

    planted: Sequence[Planted] = ()
    pace: float = 0.0
    looks: bool = True
    said: list[str] = field(default_factory=list)

    def __call__(self, request: ModelRequest) -> Answer:
        """Answer one request of the Messages API."""
        if "You decide whether the claim is true" in request.system:
            steps = self._verify(request)
        elif "You correct where they point to" in request.system:
            steps = self._restate(request)
        else:
            steps = self._find(request)
        turn = min(request.turn, len(steps) - 1)
        return Answer(steps[turn], delay=self.pace)

    def _find(self, request: ModelRequest) -> list[tuple[Text | ToolUse, ...]]:
        mine = [each for each in self.planted if each.mark in request.text]
        result = ToolUse(_RESULT, {"findings": [dict(each.finding) for each in mine]})
        if not self.looks:
            return [(result,)]
        looks: list[tuple[Text | ToolUse, ...]] = [
            (Text("I read the changed file first."), ToolUse("Read", {"file_path": path}))
            for path in dict.fromkeys(each.path for each in mine)
        ]
        search = ToolUse("Grep", {"pattern": "def ", "output_mode": "files_with_matches"})
        return [*looks, (Text("Now who else uses it."), search), (result,)]

    def _restate(self, request: ModelRequest) -> list[tuple[Text | ToolUse, ...]]:
        mine = [each for each in self.planted if str(each.finding["title"]) in request.text]
        return [(ToolUse(_RESULT, {"findings": [dict(each.restated) for each in mine if each.restated]}),)]

    def _verify(self, request: ModelRequest) -> list[tuple[Text | ToolUse, ...]]:
        claim = next((each for each in self.planted if str(each.finding["title"]) in request.text), None)
        if claim is None:
            return [(ToolUse(_RESULT, {"verdict": "unsure", "reason": "not a claim of this rehearsal"}),)]
        result = ToolUse(_RESULT, {"verdict": claim.verdict, "reason": claim.reason})
        if not self.looks:
            return [(result,)]
        return [(ToolUse("Read", {"file_path": claim.path}),), (result,)]
