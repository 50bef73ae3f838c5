"""Reads `SKILL.md`: front matter in YAML between two `---` lines, then the prompt.

The open skill format; of its front matter the pool uses `name`, `description` and `allowed-tools`, and leaves
`metadata` to whoever wrote it.
"""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import ConfigDict, Field, field_validator

from claude_pool_gh.pool.errors import RecipeError
from claude_pool_gh.pool.plan import Frozen


class Skill(Frozen):
    """A prompt with a name."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    description: str
    allowed_tools: tuple[str, ...] = Field(default=(), alias="allowed-tools")
    metadata: dict[str, Any] = Field(default_factory=dict)
    prompt: str = ""

    @field_validator("allowed_tools", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """The format also allows one text with commas."""
        return (
            tuple(filter(None, (part.strip() for part in value.split(","))))
            if isinstance(value, str)
            else value
        )


def parse_skill(text: str, source: str) -> Skill:
    """Read one skill. Raises RecipeError naming `source` and what to mend."""
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].strip() != "---":
        raise RecipeError(f"{source}: a skill begins with a line `---`, its front matter and another `---`")
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        raise RecipeError(f"{source}: the front matter is not closed by a line `---`")
    try:
        front = yaml.safe_load("".join(lines[1:end])) or {}
        return Skill.model_validate(front | {"prompt": "".join(lines[end + 1 :]).strip()})
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise RecipeError(f"{source}: {error}") from error
