"""The two files that a repository gets: the workflow of the Action, and a configuration to begin with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any, Final

import yaml
from pydantic import BaseModel

from claude_pool_gh.config.model import RepositoryConfig

WORKFLOW: Final = ".github/workflows/claude-pool.yml"
CONFIGURATION: Final = ".github/claude-pool.yml"
SECRET: Final = "ANTHROPIC_API_KEY"  # noqa: S105 - its name
_PLACEHOLDER: Final = "OWNER/claude-pool-gh@COMMIT"
_REFERENCE: Final = re.compile(
    r"(?P<repository>[A-Za-z0-9-]+/[A-Za-z0-9_.-]+)(?:@(?P<commit>[0-9a-f]{40}))?"
)
_HEAD: Final = """\
# How claude-pool works in this repository. Only the file on the default branch counts.
# Every key is optional. Each is shown below with its default: take the `#` off the line of a key that you want to
# change, and off the line of its section. `/pool config` shows what is in force.

# Who answers commands where a GitHub App of claude-pool is installed too: `app` or `action`.
runs_in: action
"""


class FileComparison(StrEnum):
    """The comparison of a file that is wanted with the one that stands there."""

    NEW = "new"
    SAME = "already there"
    DIFFERENT = "already there and different: it is left as it is"


@dataclass(frozen=True, slots=True)
class ProposedFile:
    """A file as it is to be, and how that compares with what stands there."""

    path: str
    text: str
    standing: FileComparison

    @property
    def wanted(self) -> bool:
        """True where it is to be written. What somebody has written is never replaced."""
        return self.standing is FileComparison.NEW


@dataclass(frozen=True, slots=True)
class ActionReference:
    """The repository that the Action is taken from, and the commit of it; "" where that is not known yet."""

    repository: str
    commit: str = ""
    tag: str = ""

    @classmethod
    def parsed(cls, text: str) -> ActionReference:
        """`OWNER/NAME` or `OWNER/NAME@COMMIT`. Raises ValueError for anything else, such as a tag, which can move."""
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is not OWNER/NAME or OWNER/NAME@COMMIT with all 40 digits of the commit"
            )
        return cls(match["repository"], match["commit"] or "")

    def __str__(self) -> str:
        remark = f" # {self.tag}" if self.tag else ""
        return f"{self.repository}@{self.commit or 'COMMIT'}{remark}"


def compared(path: str, text: str, there: str | None) -> ProposedFile:
    """A wanted file beside the one that stands at its path; None: there is none."""
    if there is None:
        return ProposedFile(path, text, FileComparison.NEW)
    return ProposedFile(
        path, text, FileComparison.SAME if there == text else FileComparison.DIFFERENT
    )


def workflow(action: ActionReference) -> str:
    """The workflow that obeys commands, as in the README."""
    text = files("claude_pool_gh.service.init").joinpath("workflow.yml").read_text("utf-8")
    return text.replace(_PLACEHOLDER, str(action))


def configuration() -> str:
    """Every key with its default, commented out, except who answers."""
    lines = [_HEAD.rstrip("\n")]
    for name, field in RepositoryConfig.model_fields.items():
        if name != "runs_in":
            lines += ["", *_key(name, field.description, getattr(RepositoryConfig(), name))]
    return "\n".join(lines) + "\n"


def _key(name: str, about: str | None, value: Any) -> Iterator[str]:
    if not isinstance(value, BaseModel):
        yield _line("", name, about, value)
        return
    yield f"# {(type(value).__doc__ or '').splitlines()[0]}"
    yield f"#{name}:"
    for inner, field in type(value).model_fields.items():
        yield _line("  ", inner, field.description, getattr(value, inner))


def _line(indent: str, name: str, about: str | None, value: Any) -> str:
    """A key on a line of its own, then what it means."""
    plain = list(value) if isinstance(value, tuple) else value
    shown = yaml.safe_dump(plain, default_flow_style=True).removesuffix("...\n").strip()
    return f"#{indent}{name}: {shown}" + (f"  # {about}" if about else "")
