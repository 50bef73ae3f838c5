"""A scripted model that plays every agent of an audit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from claude_pool_gh.rehearsal.model import Answer, ModelRequest, Reply, Text, ToolUse
from claude_pool_gh.rehearsal.skills import skill_of

RESULT = "StructuredOutput"
_FILE = re.compile(r"^- (.+)$", re.MULTILINE)
_LINES = re.compile(r"^In (.+), lines \d+ to \d+", re.MULTILINE)
_ID = re.compile(r"^id: ([0-9a-f]+)$", re.MULTILINE)
Blocks = tuple[Text | ToolUse, ...]


def claim(path: str, line: int, evidence: str, title: str, **more: Any) -> dict[str, Any]:
    """A claim as the agent of a shard states it."""
    return {
        "rule": "defects/wrong-result",
        "path": path,
        "start_line": line,
        "end_line": line,
        "severity": "high",
        "title": title,
        "body": "The docstring promises something else.",
        "scenario": "line_total(1, 2) -> 3",
        "evidence": evidence,
        "confidence": 0.9,
    } | more


@dataclass
class Auditor:
    """One script for all agents of an audit. A test changes the parts that it is about."""

    claims: Sequence[Mapping[str, Any]] = ()
    """Each is stated by the agent whose part has its file."""
    verdicts: Mapping[str, str] = field(default_factory=dict)
    """What second readers say of a title; of any other: confirmed."""
    same: bool = False
    """Whether the judge says that all claims that it is shown are one fault."""
    opens: bool = True
    """Whether finders open their files."""
    instead: Callable[[Sequence[str]], Reply | None] = lambda _: None
    """What is answered to the agent of a part with these files in place of claims; None: the claims."""
    waits: Sequence[str] = ()
    """Titles of claims whose second readers get no answer within the length of a test."""
    seen: list[tuple[str, ModelRequest]] = field(default_factory=list)

    def __call__(self, request: ModelRequest) -> Reply:
        """Answer one request of the Messages API."""
        skill = skill_of(request)
        self.seen.append((skill, request))
        match skill:
            case "verify-audit":
                if any(title in request.text for title in self.waits):
                    return Answer((Text("Never"),), delay=3600)
                steps = self._verify(request)
            case "merge-claims":
                steps = self._merge(request)
            case _:
                files = files_of(request)
                if (other := self.instead(files)) is not None:
                    return other
                steps = self._find(files)
        return Answer(steps[min(request.turn, len(steps) - 1)])

    def asked(self, skill: str) -> list[ModelRequest]:
        """The first request of each agent that followed a skill, oldest first."""
        return [each for name, each in self.seen if name == skill and each.turn == 0]

    def _find(self, files: Sequence[str]) -> list[Blocks]:
        mine = [dict(each) for each in self.claims if each["path"] in files]
        result = ToolUse(RESULT, {"findings": mine})
        if not self.opens:
            return [(result,)]
        return [tuple(ToolUse("Read", {"file_path": path}) for path in files), (result,)]

    def _verify(self, request: ModelRequest) -> list[Blocks]:
        named = _LINES.search(request.text)
        assert named is not None, request.text
        verdict = next(
            (word for title, word in self.verdicts.items() if title in request.text), "confirmed"
        )
        answer = {
            "verdict": verdict,
            "severity": "high",
            "suggestion": "none",
            "reason": "walked through the code",
        }
        return [(ToolUse("Read", {"file_path": named[1]}),), (ToolUse(RESULT, answer),)]

    def _merge(self, request: ModelRequest) -> list[Blocks]:
        ids = list(dict.fromkeys(_ID.findall(request.text)))
        same = [{"ids": ids, "reason": "one cause"}] if self.same else []
        return [(ToolUse(RESULT, {"same": same}),)]


def files_of(request: ModelRequest) -> list[str]:
    """The files that a finder is given: those between the two fence lines of its first message."""
    first = str(request.text)
    parts = re.split(r"^=== material [0-9a-f]+ ===$", first, flags=re.MULTILINE)
    return _FILE.findall(parts[1]) if len(parts) > 2 else []
