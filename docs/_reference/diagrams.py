"""The diagrams of a page in a form that a site shows without a program: GitHub draws them, here they are read."""

from __future__ import annotations

import re
from typing import Final

from docs._reference.markdown import code, table

_DIAGRAM: Final = re.compile(r"^```mermaid\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_MOVE: Final = re.compile(r"^ *(\S+) --> (\S+?)(?:: (.+))?$", re.MULTILINE)
_BOX: Final = re.compile(r'^ *l\d+\["(.+)"\]$', re.MULTILINE)


def as_text(page: str) -> str:
    """A page with a table of moves for each state diagram, and a list for each stack of boxes.

    Raises ValueError for a diagram of another kind.
    """
    return _DIAGRAM.sub(lambda found: _told(found[1]), page)


def _told(diagram: str) -> str:
    if diagram.startswith("stateDiagram"):
        rows = (
            (_state(before, "begins"), _state(after, "ends"), event or "")
            for before, after, event in _MOVE.findall(diagram)
        )
        return table(("state", "next", "event"), rows)
    boxes: list[str] = _BOX.findall(diagram)
    if not boxes:
        raise ValueError(f"a diagram that cannot be shown as text: {diagram.splitlines()[0]}")
    return "".join(f"1. {' · '.join(map(code, box.split(' · ')))}\n" for box in boxes) + "\n"


def _state(name: str, otherwise: str) -> str:
    return otherwise if name == "[*]" else code(name)
