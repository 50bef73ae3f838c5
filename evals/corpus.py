"""The corpus, read from its folders, and the rule that decides what a finding matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

CASES = Path(__file__).with_name("cases")
_NEAR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The planted defect."""

    path: str
    first: int
    last: int
    accept: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One small pull request."""

    name: str
    title: str
    body: str
    kind: Literal["defect", "clean", "trap"]
    base: dict[str, bytes]
    head: dict[str, bytes | None]
    expected: Expected | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a reviewer said, as far as the score needs it."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One case after one reviewer."""

    case: str
    kind: str
    hit: bool
    false_alarms: int
    microdollars: int
    seconds: float
    failed: str = ""


def read_cases(names: Sequence[str] = ()) -> list[Case]:
    """Every case, or those whose names begin with one of `names`."""
    folders = sorted(path for path in CASES.iterdir() if path.is_dir())
    return [
        _read(folder) for folder in folders if not names or folder.name.startswith(tuple(names))
    ]


def score(
    case: Case, stated: Sequence[Stated], microdollars: int, seconds: float, failed: str = ""
) -> Scored:
    """A defect counts once, however often it is stated; everything else that is stated is a false alarm."""
    matching = [
        each for each in stated if case.expected is not None and matches(case.expected, each)
    ]
    return Scored(
        case=case.name,
        kind=case.kind,
        hit=bool(matching),
        false_alarms=len(stated) - len(matching),
        microdollars=microdollars,
        seconds=seconds,
        failed=failed,
    )


def matches(expected: Expected, stated: Stated) -> bool:
    """Same file, lines at most three apart, and one of the keywords."""
    near = expected.first - _NEAR <= stated.line <= expected.last + _NEAR
    return (
        stated.path == expected.path
        and near
        and any(word in stated.text.lower() for word in expected.accept)
    )


def _read(folder: Path) -> Case:
    said: dict[str, Any] = yaml.safe_load((folder / "case.yml").read_text("utf-8"))
    head: dict[str, bytes | None] = {**_files(folder / "head")}
    wanted = said.get("expect")
    return Case(
        name=folder.name,
        title=said["title"],
        body=said["body"],
        kind=said["kind"],
        base=_files(folder / "base"),
        head=head | dict.fromkeys(said.get("delete") or ()),
        expected=None
        if wanted is None
        else Expected(
            path=wanted["path"],
            first=wanted["lines"][0],
            last=wanted["lines"][1],
            accept=tuple(wanted["accept"]),
        ),
    )


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }
