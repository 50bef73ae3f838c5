"""The library's types as a user's own `mypy --strict` sees them: no plugin, no setting of this project."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import claude_pool_gh
from claude_pool_gh.pool.model import config, plan

HERE: Final = Path(__file__).parent
EXAMPLES: Final = sorted((HERE.parents[1] / "examples").glob("*.py"))
MARK: Final = re.compile(r"# refused: (?P<code>[a-z-]+)$")
ERROR: Final = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]$")


def found_in(place: Path) -> dict[tuple[str, int], str]:
    """What a user's mypy says of everything here: the kind of error by file and line."""
    (place / "mypy.ini").write_text("[mypy]\nstrict = true\nfollow_imports = silent\n")
    (place / "wrong.py").write_text((HERE / "wrong.txt").read_text())
    files = [str(place / "wrong.py"), str(HERE / "right.py"), *map(str, EXAMPLES)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--no-error-summary", *files],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    errors = filter(None, map(ERROR.match, done.stdout.splitlines()))
    return {(Path(error["file"]).name, int(error["line"])): error["code"] for error in errors}


@pytest.mark.rotating(3)
@pytest.mark.timeout(600)
def test_the_examples_and_what_a_user_writes_hold_and_every_typical_mistake_is_refused(
    tmp_path: Path,
) -> None:
    """In one test, since that mypy takes half a minute; the mistakes show that it finds errors."""
    found = found_in(tmp_path)
    assert {place: code for place, code in found.items() if place[0] != "wrong.py"} == {}
    lines = enumerate((HERE / "wrong.txt").read_text().splitlines(), 1)
    marked = {
        ("wrong.py", number): mark["code"] for number, line in lines if (mark := MARK.search(line))
    }
    assert len(marked) > 20
    assert {place: code for place, code in found.items() if place[0] == "wrong.py"} == marked


def test_the_surface_shows_its_names_and_each_of_them_is_there() -> None:
    assert set(claude_pool_gh.__all__) <= set(dir(claude_pool_gh))
    assert [
        name for name in claude_pool_gh.__all__ if getattr(claude_pool_gh, name, None) is None
    ] == []
    with pytest.raises(AttributeError, match="has no 'Pol'"):
        getattr(claude_pool_gh, "Po" + "l")


def test_the_docstrings_of_the_surface_name_nothing_that_cannot_be_imported_from_it() -> None:
    """Errors after `Raises`, and whatever else stands in backticks and begins with a capital."""
    errors = set(
        re.findall(
            r"class (\w+)\((?:PoolError|NotFound|Exception)\)", _source("pool/model/errors.py")
        )
    )
    public = {name for name in claude_pool_gh.__all__ if _own(name)}
    named: set[str] = set()
    for name in public:
        texts = [getattr(claude_pool_gh, name).__doc__ or ""]
        own = [
            base
            for base in getattr(claude_pool_gh, name).__mro__
            if "claude_pool_gh" in base.__module__
        ]
        texts += [
            getattr(each, "__doc__", None) or "" for base in own for each in vars(base).values()
        ]
        text = "\n".join(texts)
        named |= {each for each in errors if re.search(rf"\b{each}\b", text)}
        named |= set(re.findall(r"`([A-Z][a-z]+[A-Za-z]*)(?:\.\w+)?`", text))
    builtin = {"Read", "Grep", "Glob", "Edit", "Write", "Bash", "Exception", "True"}
    assert named - builtin - set(claude_pool_gh.__all__) == set()
    assert errors <= set(claude_pool_gh.__all__)
    assert {"UnknownTask", "CapReached", "PoolShutdown"} <= named, "docstrings were read"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("AnyPermissionMode", config.PermissionMode),
        ("AnyEffort", config.Effort),
        ("AnySlotMode", config.SlotMode),
        ("AnyIsolation", config.Isolation),
        ("AnyOnFailure", plan.OnFailure),
        ("AnyOnRestart", plan.OnRestart),
    ],
)
def test_the_texts_that_a_type_checker_takes_are_those_that_are_taken(
    kind: str, values: object
) -> None:
    source = _source("pool/model/plan.py" if "On" in kind else "pool/model/config.py")
    (literal,) = re.findall(rf"{kind} = \(?\s*\w+\s+\| Literal\[(.*?)\]", source, re.DOTALL)
    assert set(re.findall(r'"(\w+)"', literal)) == {str(each) for each in values}  # type: ignore[attr-defined]


def _source(name: str) -> str:
    return (Path(claude_pool_gh.__file__).parent / name).read_text()


def _own(name: str) -> bool:
    return isinstance(getattr(claude_pool_gh, name), type)
