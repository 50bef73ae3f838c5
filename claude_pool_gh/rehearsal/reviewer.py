"""A scripted reviewer: answers the bot's agents as a model would, from a list of what there is to find.

It reads a file and searches before it answers, so that a rehearsal shows tools at work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from claude_pool_gh.rehearsal.model import Answer, ModelRequest, Text, ToolUse
from claude_pool_gh.rehearsal.skills import skill_of

_RESULT = "StructuredOutput"


KNOWN_VERDICTS = ("still", "fixed")
"""Said of a finding of an earlier commit, which is not stated again."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One finding that the reviewer will state, and what the second reader will say of it.

    With `still` or `fixed` it is one of an earlier commit: only the second reader speaks of it.
    """

    finding: Mapping[str, Any]
    verdict: str = "confirmed"
    reason: str = "walked through the code: the scenario gives the wrong result"
    restated: Mapping[str, Any] | None = None
    """The same finding as it is stated when it comes back because it has no place."""

    shown: str = ""
    """Text of the diff by which the reviewer knows that it is its own; else the file's header."""

    more: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the second reader's answer."""

    @property
    def path(self) -> str:
        """The file it is about."""
        return str(self.finding["path"])

    def is_in(self, text: str) -> bool:
        """True for the part of a diff that it is found in."""
        if self.shown:
            return self.shown in text
        return f"+++ b/{self.path}" in text or f"--- a/{self.path}" in text

    @property
    def judgement(self) -> dict[str, Any]:
        """The second reader's whole answer."""
        return {
            "verdict": self.verdict,
            "introduced": True,
            "severity": self.finding["severity"],
            "suggestion": "fixes" if self.finding.get("suggestion") else "none",
            "reason": self.reason,
            **self.more,
        }


@dataclass(slots=True)
class Reviewer:
    """A script for `ScriptedModel`. `pace` seconds pass before each answer."""

    planted: Sequence[Planted] = ()
    pace: float = 0.0
    looks: bool = True
    quick: bool = False
    """Look and answer in one turn."""
    said: list[str] = field(default_factory=list)

    def __call__(self, request: ModelRequest) -> Answer:
        """Answer one request of the Messages API."""
        match skill_of(request):
            case "verify-finding":
                steps = self._verify(request)
            case "restate-finding":
                steps = self._restate(request)
            case _:
                steps = self._find(request)
        turn = min(request.turn, len(steps) - 1)
        if self.quick and len(steps) > 1:
            steps = [tuple(block for step in steps for block in step)]
            turn = 0
        return Answer(steps[turn], delay=self.pace)

    def _find(self, request: ModelRequest) -> list[tuple[Text | ToolUse, ...]]:
        mine = [
            each
            for each in self.planted
            if each.verdict not in KNOWN_VERDICTS and each.is_in(request.text)
        ]
        result = ToolUse(_RESULT, {"findings": [dict(each.finding) for each in mine]})
        if not self.looks:
            return [(result,)]
        shown = re.findall(r"^\+\+\+ b/(.+)$", request.text, re.MULTILINE)
        opened = dict.fromkeys([*(each.path for each in mine), *shown[:1]])
        reads = [ToolUse("Read", {"file_path": path}) for path in opened]
        search = ToolUse("Grep", {"pattern": "def ", "output_mode": "files_with_matches"})
        return [
            (Text("I read the changed files, and who else uses them."), *reads, search),
            (result,),
        ]

    def _restate(self, request: ModelRequest) -> list[tuple[Text | ToolUse, ...]]:
        mine = [each for each in self.planted if str(each.finding["title"]) in request.text]
        return [
            (
                ToolUse(
                    _RESULT, {"findings": [dict(each.restated) for each in mine if each.restated]}
                ),
            )
        ]

    def _verify(self, request: ModelRequest) -> list[tuple[Text | ToolUse, ...]]:
        claim = next(
            (each for each in self.planted if f"Claim: {each.finding['title']}" in request.text),
            None,
        )
        if claim is None:
            unknown = {
                "verdict": "unsure",
                "introduced": True,
                "severity": "low",
                "suggestion": "none",
            }
            return [(ToolUse(_RESULT, unknown | {"reason": "not a claim of this rehearsal"}),)]
        result = ToolUse(_RESULT, claim.judgement)
        if not self.looks:
            return [(result,)]
        named = re.search(r"^In (.+), lines \d+ to \d+", request.text, re.MULTILINE)
        look = ToolUse("Read", {"file_path": named[1] if named else claim.path})
        search = ToolUse("Grep", {"pattern": "def ", "output_mode": "files_with_matches"})
        return [(look, search), (result,)]
