"""The host's check of what an agent states: it must be true of the files, whatever the agent says.

Invariant: nothing of a finding reaches GitHub unless its evidence stands, word for word, in the file it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from claude_pool_gh.findings.model import Finding


@dataclass(frozen=True, slots=True)
class Dropped:
    """A finding that does not hold, and why."""

    title: str
    path: str
    reason: str


def anchor(finding: Finding, files: Mapping[str, str]) -> Finding | Dropped:
    """The finding with its lines set where its evidence stands, without a suggestion that cannot apply.

    Its own line numbers only decide between several places: models count badly, but quote well.
    """
    text = files.get(finding.path)
    if text is None:
        return Dropped(finding.title, finding.path, "there is no such text file at the head")
    original = _lines(text)
    lines = [line.rstrip() for line in original]
    evidence = [line.rstrip() for line in _lines(finding.evidence.strip("\r\n"))]
    start = _place(lines, evidence, finding.start_line)
    if start is None:
        return Dropped(finding.title, finding.path, "its evidence is not in the file, or in several places")
    end = start + len(evidence) - 1
    quoted = (
        lines[start - 1 : end] == evidence
    )  # else only but for indentation, and so would be the suggestion
    applies = quoted and _applies(finding.suggestion, original[start - 1 : end])
    suggestion = finding.suggestion if applies else None
    return finding.model_copy(
        update={"start_line": start, "end_line": end, "side": "RIGHT", "suggestion": suggestion}
    )


def _place(lines: list[str], evidence: list[str], stated: int) -> int | None:
    """The line where the evidence begins: as stated, or at its only match, exactly or but for indentation."""
    if not any(line.strip() for line in evidence):
        return None
    for normal in (str.rstrip, str.strip):
        wanted = [normal(line) for line in evidence]
        have = [normal(line) for line in lines]
        found = [i + 1 for i in range(len(have) - len(wanted) + 1) if have[i : i + len(wanted)] == wanted]
        if stated in found:
            return stated
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _applies(suggestion: str | None, original: list[str]) -> bool:
    """Whether a suggestion can replace exactly the quoted lines: it changes them and breaks no fence."""
    if suggestion is None or "```" in suggestion or "\0" in suggestion:
        return False
    return _lines(suggestion.rstrip("\r\n")) != original


def _lines(text: str) -> list[str]:
    """Lines as git and GitHub count them: a form feed or a Unicode separator ends none."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]
