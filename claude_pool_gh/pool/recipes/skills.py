"""Reads `SKILL.md`: front matter in YAML between two `---` lines, then the prompt.

The open skill format. Of its front matter the pool uses `name`, `description`, `arguments` and `allowed-tools`, and
leaves `metadata` to whoever wrote it.
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, field_validator

from claude_pool_gh.pool.model.config import Frozen
from claude_pool_gh.pool.model.errors import RecipeError


class Argument(Frozen):
    """What a skill or a workflow wants to be told."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")
    description: str = ""
    required: bool = True


class Skill(Frozen):
    """A prompt with a name."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    description: str
    arguments: tuple[Argument, ...] = ()
    """What `{args.NAME}` in the prompt stands for. Without any, it means the arguments of the chain."""
    allowed_tools: tuple[str, ...] = Field(default=(), alias="allowed-tools")
    metadata: dict[str, Any] = Field(default_factory=dict)
    prompt: str = ""

    @field_validator("allowed_tools", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """The format also allows one text with commas."""
        if not isinstance(value, str):
            return value
        return tuple(filter(None, (part.strip() for part in value.split(","))))


def parse_skill(text: str, source: str) -> Skill:
    """Read one skill. Raises RecipeError naming `source` and what to mend."""
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].strip() != "---":
        raise RecipeError(
            f"{source}: a skill begins with a line `---`, its front matter and another `---`"
        )
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        raise RecipeError(f"{source}: the front matter is not closed by a line `---`")
    import yaml  # noqa: PLC0415 - see `yaml_nodes`

    try:
        front = yaml.safe_load("".join(lines[1:end])) or {}
        return Skill.model_validate(front | {"prompt": "".join(lines[end + 1 :]).strip()})
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        raise RecipeError(f"{source}: {error}") from error
