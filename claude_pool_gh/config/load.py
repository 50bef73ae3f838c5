"""Reads the configuration file and, where it is faulty, says what and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError

from claude_pool_gh.config.model import RepositoryConfig

PATH: Final = ".github/claude-pool.yml"
_SIZE_LIMIT: Final = 64 * 1024
_DEPTH_LIMIT: Final = 20
_OPENING: Final = (
    yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken, yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)  # fmt: skip
_CLOSING: Final = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with the file, and the line it is on."""

    line: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


def load(text: str, verbs: frozenset[str]) -> RepositoryConfig | list[Fault]:
    """The configuration, or everything that is wrong with it. Empty text is the default configuration."""
    if len(text.encode()) > _SIZE_LIMIT:
        return [Fault(1, f"the file is larger than {_SIZE_LIMIT // 1024} KiB")]
    try:
        node = _compose(text)
        lines = {} if node is None else dict(_lines(node, ()))
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return [Fault(mark.line + 1 if mark else 1, str(getattr(error, "problem", None) or "not valid YAML"))]
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
    ) as error:  # what PyYAML's readers of values raise
        return [Fault(1, f"a value that cannot be read: {error}")]
    values = {} if values is None else values
    if not isinstance(values, dict):
        return [Fault(1, "the file must be a mapping of keys to values")]
    try:
        config = RepositoryConfig.model_validate(values)
    except ValidationError as error:
        return [_fault(problem, lines) for problem in error.errors()]
    unknown = [name for name in config.permissions if name not in verbs]
    if unknown:
        return [Fault(_line(("permissions", name), lines), _no_such(name, sorted(verbs))) for name in unknown]
    return config


def _compose(text: str) -> yaml.Node | None:
    depth = 0
    for token in yaml.scan(text):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > _DEPTH_LIMIT:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=token.start_mark)
        if isinstance(token, yaml.AliasToken | yaml.AnchorToken):  # a few of them expand to gigabytes
            raise yaml.MarkedYAMLError(
                problem="anchors and aliases are not used here", problem_mark=token.start_mark
            )
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _lines(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            own = (*path, str(key.value))
            yield own, key.start_mark.line + 1
            yield from (item for item in _lines(value, own) if item[0] != own)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*path, str(index)))


def _fault(problem: Any, lines: dict[tuple[str, ...], int]) -> Fault:
    path = tuple(map(str, problem["loc"]))
    line = _line(path, lines)
    name = ".".join(path)
    if problem["type"] == "extra_forbidden":
        return Fault(line, _no_such(path[-1], _keys(path[:-1])))
    return Fault(line, f"`{name}`: {problem['msg'].lower()}")


def _line(path: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> int:
    """The line of the longest part of a path that the file has."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _no_such(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"unknown key `{name}`" + (
        f", did you mean `{close[0]}`?" if close else f"; known: {', '.join(known)}"
    )


def _keys(path: tuple[str, ...]) -> list[str]:
    """The keys that the model has at a path."""
    model: type[BaseModel] = RepositoryConfig
    for part in path:
        inner = model.model_fields[part].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return sorted(model.model_fields)
