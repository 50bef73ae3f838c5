"""Output of commands: no text of a repository, an agent or GitHub can drive the terminal.

Everything goes through here or through `console`: ruff refuses `click.echo` and rich's own `Console` elsewhere.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any, Final

import click

_DRIVING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Classes of characters that are orders to a terminal, or that change in which order or line others are shown."""
_KEPT: Final = frozenset("\n\t\u200c\u200d")
"""Line ends and tabs; joiners, without which emoji and some scripts are drawn wrongly."""


def plain(text: str) -> str:
    """A text that cannot drive a terminal."""
    return "".join("\ufffd" if _drives(c) else c for c in text)


def echo(text: object = "", *, err: bool = False, nl: bool = True, **style: Any) -> None:
    """Print a text, in a style of click's where it goes to a terminal."""
    shown = plain(str(text))
    click.echo(click.style(shown, **style) if style else shown, err=err, nl=nl)


def echo_json(text: str) -> None:
    """Print JSON: what could drive a terminal is escaped, so that nothing of it is lost."""
    click.echo("".join(json.dumps(c)[1:-1] if _drives(c) else c for c in text))


def _drives(c: str) -> bool:
    return not c.isprintable() and c not in _KEPT and unicodedata.category(c) in _DRIVING
