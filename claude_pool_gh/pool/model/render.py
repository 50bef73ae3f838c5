"""Fills the placeholders of prompts: one pass, strict, and no value is ever expanded again.

A placeholder is `{steps.NAME.KEY}`, `{item.KEY}`, `{args.KEY}`, each with further keys where the value has them, or
`{previous_output}` or, in a recovery prompt, `{error}`. Every other brace is ordinary text, since prompts hold code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from claude_pool_gh.pool.model.errors import RecipeError

_PLACEHOLDER: Final = re.compile(
    r"\{((?:steps|item|args)(?:\.[A-Za-z_][A-Za-z0-9_-]*)*|previous_output|error)\}"
)

ABSENT: Final = object()
"""Stands for the result of a step that was skipped: every path into it leads to nothing, and none is an error."""


def placeholders(template: str) -> Iterator[str]:
    """Every placeholder's path, in order, such as `steps.brief.title`."""
    return (match[1] for match in _PLACEHOLDER.finditer(template))


def render(template: str, values: Mapping[str, Any]) -> str:
    """The template with its placeholders filled: texts raw, other values as JSON.

    Raises RecipeError for a path that `values` does not have.
    """
    return _PLACEHOLDER.sub(lambda match: _text(look_up(match[1], values)), template)


def look_up(path: str, values: Mapping[str, Any]) -> Any:
    """The value at a dotted path. Raises RecipeError when a key is missing."""
    here: Any = values
    for key in path.split("."):
        if here is ABSENT:
            return None
        if not isinstance(here, Mapping) or key not in here:
            known = ", ".join(sorted(map(str, here))) if isinstance(here, Mapping) else "nothing below it"
            raise RecipeError(f"unknown placeholder {{{path}}}: no {key!r} here, only {known}")
        here = here[key]
    return None if here is ABSENT else here


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
