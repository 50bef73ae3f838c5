"""The pages of the site as they are built: with what is made from the code, with files from outside this folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from docs._reference import (
    action,
    command_line,
    commands,
    configuration,
    diagrams,
    library,
    metrics,
    permissions,
    settings,
    workflows,
)

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
GENERATED: Final[Mapping[str, Callable[[], str]]] = {
    "action": action.page,
    "command-line": command_line.page,
    "commands": commands.page,
    "configuration": configuration.page,
    "library": library.page,
    "metrics": metrics.page,
    "permissions": permissions.page,
    "settings": settings.page,
    "workflows": workflows.page,
}
INCLUDED: Final = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "benchmarks/README.md": "benchmarks.md",
    "examples/README.md": "examples.md",
    "examples/workflows/README.md": "example-workflows.md",
}
"""Files from outside this folder, and the page of the site that holds each."""
_SHOWN: Final = {**INCLUDED, "README.md": "index.md"}
_GENERATED: Final = re.compile(r"^<!-- generated: ([a-z-]+) -->$", re.MULTILINE)
_INCLUDED: Final = re.compile(r"^<!-- included: (\S+\.md) -->$", re.MULTILINE)
_TITLE: Final = re.compile(r"\A# .*\n+")
_PICTURE: Final = re.compile(r"(!\[[^\]]*\]\()(\S+)-light\.png\)")
_LINK: Final = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]+)?\)")


def filled(source: str, page: Path) -> str:
    """A page with everything in place. Raises KeyError or OSError for what there is not."""

    def included(found: re.Match[str]) -> str:
        file = ROOT / found[1]
        return _relinked(_TITLE.sub("", file.read_text("utf-8")), file.parent, page.parent)

    text = _INCLUDED.sub(included, _relinked(source, page.parent, page.parent))
    text = _PICTURE.sub(r"\1\2-light.png){.only-light}\1\2-dark.png){.only-dark}", text)
    return diagrams.as_text(_GENERATED.sub(lambda found: GENERATED[found[1]](), text))


def _relinked(text: str, written_in: Path, shown_in: Path) -> str:
    """A text with its links as they lead on the site, which has no folders and pages in place of some files."""

    def link(found: re.Match[str]) -> str:
        words, target, anchor = found[1], (written_in / found[2]).resolve(), found[3] or ""
        if target.is_dir():
            return words
        inside = str(target.relative_to(ROOT))
        shown = DOCS / _SHOWN[inside] if inside in _SHOWN else target
        return f"[{words}]({os.path.relpath(shown, shown_in)}{anchor})"

    return _LINK.sub(link, text)
