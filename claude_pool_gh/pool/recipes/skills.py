"""Reads `SKILL.md`: front matter in YAML between two `---` lines, then the prompt.

The open format Agent Skills (agentskills.io). Of its front matter the pool uses `name`, `description`, `allowed-tools`
and, which is its own, `arguments`; it leaves everything else to whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ConfigDict, Field, field_validator

from claude_pool_gh.pool.model.config import Frozen
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.recipes.yaml_file import Fault, Loaded, read

MOST_FILES: Final = 20
"""Bundled files that an agent is given with a skill."""
MOST_CHARACTERS: Final = 60_000
"""Characters of all these files together."""
_NAMED_FILE: Final = re.compile(
    r"(?:\]\(|[`\"'(\s]|^)(?:\./)?((?:[A-Za-z0-9_-][\w.-]*/)*[A-Za-z0-9_-][\w.-]*\.[A-Za-z0-9]{1,5})(?=[)`\"'#,;:.\s]|$)",
    re.MULTILINE,
)
_RULE: Final = re.compile(r"[^\s,(]+(?:\([^)]*\))?")
"""One entry of `allowed-tools`: a tool, or a tool with a pattern in brackets, which may hold spaces and commas."""


class Argument(Frozen):
    """An argument that a skill or a workflow wants to be told."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")
    """What `{args.NAME}` names it."""
    description: str = ""
    """What it is, for whoever gives it."""
    required: bool = True
    """Whether it must be given."""


class Skill(Frozen):
    """A prompt with a name."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    name: str = Field(max_length=64)
    """The name of its folder."""
    description: str
    """What it does, and when to use it."""
    arguments: tuple[Argument, ...] = ()
    """What `{args.NAME}` in the prompt stands for. Without any, it means the arguments of the chain."""
    allowed_tools: tuple[str, ...] = Field(default=(), alias="allowed-tools")
    """Tools, or tools with a pattern such as `Bash(git log:*)`."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Anything that its authors want to note; it has no effect."""
    prompt: str = ""
    """The text below the front matter."""

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", value):
            raise ValueError(
                f"{value!r} is no name of a skill: lower case letters and digits, joined by single hyphens"
            )
        return value

    @field_validator("allowed_tools", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """The format has one text with blanks; commas and lists are usual too."""
        if not isinstance(value, str | list | tuple):
            raise ValueError("wants tools, as a list or as one text with blanks between them")  # noqa: TRY004 - pydantic tells it
        return tuple(_RULE.findall(value)) if isinstance(value, str) else value

    def with_tools(self, known: frozenset[str] | None) -> Skill:
        """The skill as it is used where agents can have only these tools: others that it names are left out."""
        if known is None:
            return self
        kept = tuple(rule for rule in self.allowed_tools if tool_of(rule) in known)
        return self.model_copy(update={"allowed_tools": kept})

    def with_files(self, files: Mapping[str, str]) -> Skill:
        """The skill with these files, which came with it, below its text: agents read no other folder than theirs."""
        told, left = [], MOST_CHARACTERS
        for name, text in files.items():
            shown = text[:left]
            cut = "" if len(shown) == len(text) else "\n(the rest of this file is left out)"
            told.append(f"<skill-file name={name!r}>\n{shown}{cut}\n</skill-file>")
            left -= len(shown)
        if not told:
            return self
        note = "The files that came with these instructions, which are nowhere else to be read:"
        return self.model_copy(update={"prompt": "\n\n".join([self.prompt, note, *told])})


def tool_of(rule: str) -> str:
    """The tool that an entry of `allowed-tools` is about."""
    return rule.partition("(")[0]


def files_named(prompt: str) -> list[str]:
    """The bundled files that a skill's text names, as paths in its folder, at most `MOST_FILES`.

    No part of such a path begins with a dot, so none leads out of the folder. Whether there is such a file, whoever has
    the folder knows.
    """
    found = dict.fromkeys(match[1] for match in _NAMED_FILE.finditer(prompt))
    return [name for name in found if name != "SKILL.md"][:MOST_FILES]


def parse_skill(text: str, source: str, folder: str = "") -> Skill:
    """Read one skill. `folder`: the name of its folder, which must be its own.

    Raises RecipeError naming `source`, and for each fault the line and what to mend.
    """
    found = read_skill(text, folder)
    if isinstance(found, Skill):
        return found
    raise RecipeError(f"{source}, " + "; ".join(map(str, found)))


def read_skill(text: str, folder: str = "") -> Skill | list[Fault]:
    """The skill, or everything that is wrong with it. `folder`: as for `parse_skill`."""
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    if not lines or lines[0].strip() != "---":
        return [Fault(1, "a skill begins with a line `---`, its front matter and another `---`")]
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        return [Fault(1, "the front matter is not closed by a line `---`")]
    front = read("".join(lines[1:end]), Skill)
    if not isinstance(front, Loaded):
        return [Fault(each.line + 1, each.problem) for each in front]
    faults = list(_of_folder(front, folder))
    if faults:
        return faults
    return front.value.model_copy(update={"prompt": "".join(lines[end + 1 :]).strip()})


def _of_folder(front: Loaded[Skill], folder: str) -> Iterator[Fault]:
    name = front.value.name
    if folder and name != folder:
        yield Fault(
            front.line("name") + 1, f"the skill calls itself `{name}`, its folder is `{folder}`"
        )
