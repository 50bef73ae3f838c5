"""The contents that a patch of an agent's may not have, before anybody is asked about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from claude_pool_gh.findings.diffs import path_of, sections
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.reports.secrets import secrets, suspicions
from claude_pool_gh.reports.views import FileChange, Suspect

_MODE: Final = re.compile(
    # Only in a file's header: every line of a hunk begins with a sign, and base 85 has no spaces.
    rb"^(?:new file mode|new mode|index [0-9a-f]+\.\.[0-9a-f]+) (120000|160000)$",
    re.MULTILINE,
)
_HUNK: Final = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)")
_KINDS: Final = {b"120000": "a symbolic link", b"160000": "a submodule"}


def check(
    patch: bytes,
    files: Sequence[FileChange],
    *,
    most_files: int,
    most_lines: int,
    is_ours: Callable[[str], bool] = lambda _text: False,
) -> None:
    """Raise StepFailed for a patch that nobody should be asked about. `is_ours` knows this server's own secrets."""
    lines = sum(file.added + file.removed for file in files)
    if len(files) > most_files:
        raise StepFailed(
            f"the change touches {len(files)} files; `changes.most_files` allows {most_files}"
        )
    if lines > most_lines:
        raise StepFailed(f"the change is {lines} lines; `changes.most_lines` allows {most_lines}")
    if mode := _MODE.search(patch):
        raise StepFailed(f"the change adds or moves {_KINDS[mode[1]]}, and agents may not")
    added = _added(patch)
    if is_ours(added):
        raise StepFailed("the change contains a key of this server")
    if found := secrets(added):
        raise StepFailed(f"the change contains what looks like a secret ({', '.join(found)})")


def suspects(patch: bytes) -> tuple[Suspect, ...]:
    """Random tokens that a patch adds, with their places: no reason to refuse it, but whoever approves it must know.

    To approve exactly this patch is to let them out.
    """
    added = [
        each for section in sections(patch.decode(errors="replace")) for each in _lines(section)
    ]
    whole = "\n".join(line for _, _, line in added)
    found: list[Suspect] = []
    for each in suspicions(whole):
        path, number, _ = added[whole.count("\n", 0, each.start)]
        found.append(Suspect(path, number, each.token[:4], len(each.token)))
    return tuple(found)


def _lines(section: str) -> Iterator[tuple[str, int, str]]:
    """The added lines of one file, with its path and their numbers."""
    path, number = path_of(section), 0
    for line in section.split("\n"):
        if at := _HUNK.match(line):
            number = int(at[1])
        elif number and line.startswith("+"):
            yield path, number, line[1:]
            number += 1
        elif line.startswith(" "):
            number += 1


def _added(patch: bytes) -> str:
    """Every added line, and the new names of files too: nobody can tell a header from a line that looks like one."""
    lines = patch.decode(errors="replace").split("\n")
    return "\n".join(line[1:] for line in lines if line.startswith("+"))
