"""A script for a scripted model that knows no repository: it does every verb's work by example, and says so.

A review gets one example of a finding, on the first line that the diff adds; a change gets one example of a file. The
files of an audit are opened, and nothing is claimed about them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from claude_pool_gh.rehearsal.companion import Companion
from claude_pool_gh.rehearsal.model import Answer, ModelRequest, Text, ToolUse

TITLE: Final = "Example of a finding: no model has read this code"
FILE: Final = "claude-pool-rehearsal.md"
"""The file that an agent adds which is asked to change something."""
_RESULT: Final = "StructuredOutput"
_NO_MODEL: Final = "This is a rehearsal: no model was asked."
_HUNK: Final = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_SHORTEST: Final = 8
"""Characters of a line that is worth quoting."""

Turns = list[tuple[Text | ToolUse, ...]]


@dataclass(frozen=True, slots=True)
class ExampleAnswers:
    """A script for `ScriptedModel`. `pace` seconds pass before each answer."""

    pace: float = 0.0
    _otherwise: Companion = field(default_factory=Companion)

    def __call__(self, request: ModelRequest) -> Answer:
        """Answer one request of the Messages API."""
        told = f"{request.system}\n{request.text}"
        for mark, turns in _PARTS.items():
            if mark in told:
                found = turns(request)
                return Answer(found[min(request.turn, len(found) - 1)], delay=self.pace)
        return self._otherwise(request)


def added_line(diff: str) -> tuple[str, int, str] | None:
    """The first line of some length that a diff adds: its path, its number and its text."""
    return next((each for each in _added(diff) if len(each[2].strip()) >= _SHORTEST), None)


def _added(diff: str) -> Iterator[tuple[str, int, str]]:
    path, number = "", 0
    for line in diff.splitlines():
        if line.startswith("+++ b/"):
            path, number = line.removeprefix("+++ b/").rstrip("\t"), 0
        elif (head := _HUNK.match(line)) is not None:
            number = int(head[1])
        elif number and line.startswith("+"):
            yield path, number, line[1:]
            number += 1
        elif number and line.startswith(" "):
            number += 1


def _find(request: ModelRequest) -> Turns:
    paths = dict.fromkeys(re.findall(r"^\+\+\+ b/(.+?)\t?$", request.text, re.MULTILINE))
    reads = tuple(ToolUse("Read", {"file_path": path}) for path in paths)
    line = added_line(request.text)
    findings = [] if line is None else [_finding(*line)]
    return [(Text(_NO_MODEL), *reads), (ToolUse(_RESULT, {"findings": findings}),)]


def _finding(path: str, number: int, text: str) -> Mapping[str, Any]:
    return {
        "path": path,
        "start_line": number,
        "end_line": number,
        "severity": "low",
        "category": "correctness",
        "title": TITLE,
        "body": f"{_NO_MODEL} A finding of a real review says here what goes wrong, and why.",
        "scenario": "an input -> the wrong result that it gives",
        "evidence": text,
        "confidence": 1.0,
    }


def _verify(request: ModelRequest) -> Turns:
    named = re.search(r"^In (.+), lines \d+ to \d+", request.text, re.MULTILINE)
    reads = (ToolUse("Read", {"file_path": named[1]}),) if named else (Text(_NO_MODEL),)
    verdict = {
        "verdict": "confirmed" if f"Claim: {TITLE}" in request.text else "unsure",
        "introduced": True,
        "severity": "low",
        "suggestion": "none",
        "reason": _NO_MODEL,
    }
    return [reads, (ToolUse(_RESULT, verdict),)]


def _audit(request: ModelRequest) -> Turns:
    mine = request.text.partition("The files that are yours")[2].partition("What the maintainers")[
        0
    ]
    paths = re.findall(r"^- (.+)$", mine, re.MULTILINE)
    reads = tuple(ToolUse("Read", {"file_path": path}) for path in paths)
    return [(Text(_NO_MODEL), *reads), (ToolUse(_RESULT, {"findings": []}),)]


def _change(_request: ModelRequest) -> Turns:
    write = ToolUse("Write", {"file_path": FILE, "content": f"{_NO_MODEL}\n"})
    return [(write,), (Text(f"{_NO_MODEL} {FILE} stands for the change that one would make."),)]


def _always(result: Mapping[str, Any]) -> Callable[[ModelRequest], Turns]:
    return lambda _request: [(ToolUse(_RESULT, result),)]


_PARTS: Final[Mapping[str, Callable[[ModelRequest], Turns]]] = {
    "You decide whether the claim is true": _verify,
    "You correct where they point to": _always({"findings": []}),
    "You review one part of a pull request": _find,
    "You search one part of a repository": _audit,
    "You fix problems": _change,
    "Make this change in": _change,
    "You answer a question": _always({"answer": _NO_MODEL, "places": []}),
    "Sort this issue": _always({"summary": _NO_MODEL, "labels": [], "missing": [], "note": ""}),
    "Plan the smallest change": _always({"ready": True, "questions": [], "plan": _NO_MODEL}),
    "Somebody made a change": _always({"verdict": "good", "problems": []}),
    "Write the title and the text": _always({"title": "Example of a change", "body": _NO_MODEL}),
}
"""By words of the instructions that tell one agent of the built-in recipes from all others."""
