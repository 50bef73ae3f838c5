"""The host's check of what an agent states: it must be true of the files, whatever the agent says.

Invariant: nothing of a finding reaches GitHub unless its evidence stands in the file it names: at the head, or for
deleted code (side LEFT) in the file before the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.findings import paths, suggestions
from claude_pool_gh.findings.model import EVIDENCE_LIMIT, Finding
from claude_pool_gh.findings.quotes import (
    QuotePlace,
    Side,
    UnplacedQuote,
    lines_of,
    locate,
    occurrences,
)

NO_FILE: Final = {
    "RIGHT": "there is no such text file at the head",
    "LEFT": "there was no such text file before the change",
}
ONLY_BEFORE: Final = UnplacedQuote(
    "its evidence is only in the file before the change, and it is not stated for side LEFT"
)
_NO_RENAMES: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class DroppedFinding:
    """A finding that does not hold, and why."""

    title: str
    path: str
    reason: str


def anchor(
    finding: Finding,
    head: Mapping[str, str],
    base: Mapping[str, str],
    renamed: Mapping[str, str] = _NO_RENAMES,
) -> Finding | DroppedFinding:
    """The finding at the lines where its evidence stands, with that quoted as it stands, and no unfit suggestion.

    `head` and `base` hold the text files at the head and at the merge base, `renamed` the paths before the change
    of files that have another one now. A finding about deleted code has the path that GitHub shows: the new one.
    """
    found: Finding | UnplacedQuote
    if finding.side == "LEFT":
        found = _on_left(finding, head, base, renamed)
    else:
        found = _on_side(finding, "RIGHT", head, renamed)
        if isinstance(found, UnplacedQuote):
            before = _on_side(finding, "LEFT", base, renamed)
            if isinstance(before, Finding):
                gone = _is_removed(before, head, base, renamed)
                found = before if gone and _quotes_removed_lines(finding.evidence) else ONLY_BEFORE
    return (
        found
        if isinstance(found, Finding)
        else DroppedFinding(finding.title, finding.path, found.reason)
    )


def _on_left(
    finding: Finding, head: Mapping[str, str], base: Mapping[str, str], renamed: Mapping[str, str]
) -> Finding | UnplacedQuote:
    """A finding about deleted code. What was not deleted is meant at the head, whatever side was stated."""
    found = _on_side(finding, "LEFT", base, renamed)
    if isinstance(found, Finding) and _is_removed(found, head, base, renamed):
        return found
    now = _on_side(finding, "RIGHT", head, renamed)
    return now if isinstance(now, Finding) else found


def _is_removed(
    found: Finding, head: Mapping[str, str], base: Mapping[str, str], renamed: Mapping[str, str]
) -> bool:
    """True where the lines of a finding stand less often in the file than before the change."""
    quote = lines_of(found.evidence)
    old = renamed.get(found.path, found.path)
    before = base[old] if old in base else base.get(found.path, "")
    return occurrences(lines_of(head.get(found.path, "")), quote) < occurrences(
        lines_of(before), quote
    )


def _on_side(
    finding: Finding, side: Side, files: Mapping[str, str], renamed: Mapping[str, str]
) -> Finding | UnplacedQuote:
    """The finding held against the files of one side. The first path under which the quote stands is meant."""
    before = {old: new for new, old in renamed.items()}
    other = renamed if side == "LEFT" else before
    known = files.keys() | {path for path, name in other.items() if name in files}
    unclear = UnplacedQuote(NO_FILE[side])
    for path in paths.candidates(finding.path, known):
        for name in dict.fromkeys(
            (other.get(path, path), path) if side == "LEFT" else (path, other.get(path, path))
        ):
            if name not in files:
                continue
            lines = lines_of(files[name])
            stated = (finding.start_line, finding.end_line)
            found = locate(lines, finding.evidence, stated, side=side, path=path)
            if isinstance(found, QuotePlace):
                now = before.get(name, name) if side == "LEFT" else name
                return _anchored(finding, side, now, lines, found)
            unclear = found if unclear.reason == NO_FILE[side] else unclear
    return unclear


def _anchored(
    finding: Finding, side: Side, path: str, lines: list[str], found: QuotePlace
) -> Finding:
    quoted = "\n".join(lines[found.start - 1 : found.end])
    suggestion = None
    if side == "RIGHT" and finding.suggestion is not None:
        suggestion = suggestions.fitting(finding.suggestion, path, lines, found)
    return finding.model_copy(
        update={
            "path": path,
            "side": side,
            "start_line": found.start,
            "end_line": found.end,
            "suggestion": suggestion,
            "evidence": quoted if len(quoted) <= EVIDENCE_LIMIT else finding.evidence,
            "code_digest": "",
        }
    )


def _quotes_removed_lines(evidence: str) -> bool:
    """True where it is a piece of a diff that shows removed lines only."""
    return all(line.startswith("-") for line in evidence.split("\n") if line.strip())
