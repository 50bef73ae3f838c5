"""Reads a YAML file into a model and, where it is faulty, says what and on which line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Generic, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from yaml.constructor import SafeConstructor

_SIZE_LIMIT: Final = 64 * 1024
_DEPTH_LIMIT: Final = 20
_OPENING: Final = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING: Final = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)

_FAST: Final[type[yaml.SafeLoader]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser, several times as fast, where PyYAML was built with it. Values are made by PyYAML either way."""

M = TypeVar("M", bound=BaseModel)
Path = tuple[str, ...]
"""Keys and indices from the top of a file to one of its values."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a file, and the line it is on."""

    line: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """A file's value, and on which line each part of it stands."""

    value: M
    lines: Mapping[Path, int]

    def line(self, *path: str | int) -> int:
        """The line of the longest part of a path that the file has."""
        return _line(tuple(map(str, path)), self.lines)


def read(text: str, model: type[M]) -> Loaded[M] | list[Fault]:
    """The file's value, or everything that is wrong with it. An empty file is an empty mapping."""
    if len(text.encode()) > _SIZE_LIMIT:
        return [Fault(1, f"the file is larger than {_SIZE_LIMIT // 1024} KiB")]
    try:
        node = _compose(text)
        every = [] if node is None else list(_lines(node, ()))
        if twice := list(_twice(every)):
            return twice
        lines = dict(every)
        values = None if node is None else SafeConstructor().construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return [
            Fault(
                mark.line + 1 if mark else 1,
                str(getattr(error, "problem", None) or "not valid YAML"),
            )
        ]
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
    ) as error:  # PyYAML's readers of values raise these
        return [Fault(1, f"a value that cannot be read: {error}")]
    values = {} if values is None else values
    if not isinstance(values, dict):
        return [Fault(1, "the file must be a mapping of keys to values")]
    try:
        return Loaded(model.model_validate(values), lines)
    except ValidationError as error:
        problems = error.errors()
        found = [
            _fault(problem, lines, model) for problem in problems if not _follows(problem, problems)
        ]
        return sorted(found, key=lambda fault: fault.line)


def no_such(what: str, name: str, known: Sequence[str]) -> str:
    """Says that a name is unknown, with the nearest one, or all there are."""
    return f"unknown {what} `{name}`{nearest(name, known)}"


def nearest(name: str, known: Sequence[str]) -> str:
    """What to put behind an unknown name: the one that may have been meant, or all there are."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f", did you mean `{close[0]}`?" if close else f"; known: {', '.join(known) or 'none'}"


def _compose(text: str) -> yaml.Node | None:
    try:
        return _composed(text, _FAST)
    except yaml.YAMLError:  # PyYAML's own parser says more exactly what is wrong, and where
        return _composed(text, yaml.SafeLoader)


def _composed(text: str, loader: type[yaml.SafeLoader]) -> yaml.Node | None:
    depth = 0
    for token in yaml.scan(text, Loader=loader):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > _DEPTH_LIMIT:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=token.start_mark)
        # a few of them expand to gigabytes
        if isinstance(token, yaml.AliasToken | yaml.AnchorToken):
            raise yaml.MarkedYAMLError(
                problem="anchors and aliases are not used here", problem_mark=token.start_mark
            )
    node: yaml.Node | None = yaml.compose(text, Loader=loader)
    return node


def _lines(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            own = (*path, str(key.value))
            yield own, key.start_mark.line + 1
            yield from (item for item in _lines(value, own) if item[0] != own)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*path, str(index)))


def _twice(every: Sequence[tuple[Path, int]]) -> Iterator[Fault]:
    """Keys that stand more than once in a mapping: YAML forbids it, PyYAML keeps only the last of them."""
    first: dict[Path, int] = {}
    again: set[Path] = set()
    for path, line in every:
        if path in first and not any(path[:depth] in again for depth in range(len(path))):
            again.add(path)
            yield Fault(
                line,
                f"`{'.'.join(path)}` is already on line {first[path]}; put all of it in one place",
            )
        first.setdefault(path, line)


def _follows(problem: Any, every: Sequence[Any]) -> bool:
    """Whether a list only seems too short because what is in it is faulty."""
    path = problem["loc"]
    inside = any(
        len(path) < len(other["loc"]) and other["loc"][: len(path)] == path for other in every
    )
    return problem["type"] == "too_short" and inside


def _fault(problem: Any, lines: Mapping[Path, int], model: type[BaseModel]) -> Fault:
    path = tuple(map(str, problem["loc"]))
    line = _line(path, lines)
    if problem["type"] == "extra_forbidden":
        return Fault(line, no_such("key", path[-1], _keys(path[:-1], model)))
    told = str(problem["msg"]).removeprefix("Value error, ")
    name = f"`{'.'.join(path)}`: " if path else ""
    return Fault(line, name + told[:1].lower() + told[1:])


def _line(path: Path, lines: Mapping[Path, int]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _keys(path: Path, model: type[BaseModel]) -> list[str]:
    """The keys that a model has at a path."""
    for part in path:
        if part in model.model_fields:
            inner = _model_in(model.model_fields[part].annotation)
            if inner is None:
                break
            model = inner
    return sorted(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation names, also inside a tuple or beside None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
