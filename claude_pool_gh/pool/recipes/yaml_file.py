"""Reads a YAML file into a model and, where it is faulty, says what and on which line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from claude_pool_gh.pool.model.in_words import MISSING, in_words
from claude_pool_gh.pool.recipes.yaml_words import plainly

_SIZE_LIMIT: Final = 64 * 1024
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
    import yaml  # noqa: PLC0415 - see `yaml_nodes`

    from claude_pool_gh.pool.recipes.yaml_nodes import compose, lines_of, values_of  # noqa: PLC0415

    try:
        node = compose(text)
        every = [] if node is None else list(lines_of(node, ()))
        if twice := list(_twice(every)):
            return twice
        lines = dict(every)
        values = None if node is None else values_of(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or "not valid YAML")
        return [Fault(mark.line + 1 if mark else 1, plainly(problem))]
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
    """The text behind an unknown name: the one that may have been meant, or all there are."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f", did you mean `{close[0]}`?" if close else f"; known: {', '.join(known) or 'none'}"


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
    """True where a list only seems too short because what is in it is faulty."""
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
    told, name = in_words(problem), f"`{'.'.join(path)}`"
    if told == MISSING:
        return Fault(line, f"{name} {told}")
    return Fault(line, f"{name}: {told}" if path else told)


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
