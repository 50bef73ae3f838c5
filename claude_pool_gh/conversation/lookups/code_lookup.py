"""The present place of a finding's code: it was stated at an older head, and lines move. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from claude_pool_gh.findings.hidden import has_hidden
from claude_pool_gh.findings.identity import length_of, occurrences
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.quotes import lines_of


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The present place of a finding's quoted lines; without lines, they are nowhere to be found."""

    path: str
    start: int = 0
    end: int = 0

    @property
    def found(self) -> bool:
        """True where the quoted lines stand there still."""
        return self.start > 0


def whereabouts(finding: Finding, files: Mapping[str, str]) -> Whereabouts:
    """The place of the lines that a finding quotes: in its own file or, where they moved, in one other of `files`."""
    own = occurrences(finding, lines_of(files.get(finding.path, "")))
    if own:
        start = min(own, key=lambda line: abs(line - finding.start_line))
        return _at(finding.path, start, finding)
    elsewhere = [
        (path, line)
        for path, text in files.items()
        if path != finding.path
        for line in occurrences(finding, lines_of(text))
    ]
    if len(elsewhere) == 1:
        return _at(*elsewhere[0], finding)
    return Whereabouts(finding.path)


def _at(path: str, start: int, finding: Finding) -> Whereabouts:
    return Whereabouts(path, start, start + length_of(finding) - 1)


def described(finding: Finding, mark: str, now: Whereabouts) -> str:
    """A finding with all that is known of it, for whoever is to fix it."""
    lines = f"line {now.start}" if now.end == now.start else f"lines {now.start} to {now.end}"
    if not now.found:
        place = (
            f"It was stated at {finding.path}, line {finding.start_line}. The lines that it quotes are not at the head "
            "any more: they were changed, moved or already fixed. Look before you change anything."
        )
    elif now.path != finding.path:
        place = f"It stands at {now.path}, {lines}, now; it was stated in {finding.path}."
    else:
        moved = (
            f" It was stated at line {finding.start_line}."
            if now.start != finding.start_line
            else ""
        )
        place = f"It stands at {now.path}, {lines}.{moved}"
    parts = [
        f"Finding {mark[:10]}, {finding.severity}: {finding.title}",
        place,
        f"The lines at fault:\n{_indented(finding.evidence)}",
        finding.body,
        f"When it goes wrong: {finding.scenario}",
        f"The reviewer suggests, in place of these lines:\n{_indented(finding.suggestion)}"
        if finding.suggestion and not has_hidden(finding.suggestion)
        else "",
    ]
    return "\n".join(filter(None, parts))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip("\r\n").split("\n"))
