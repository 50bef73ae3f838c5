"""A line at level ERROR is about something that only the operator can change, so it says what to do.

Faults of our own are errors too; they have their traceback.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import claude_pool_gh
from claude_pool_gh.github.errors import NotAdmitted, OperatorNeeded
from claude_pool_gh.worktrees.errors import OutOfDisk

PACKAGE = Path(claude_pool_gh.__file__).parent
OURS = {"checkout_spoiled", "carry_failed", "effect_unreadable"}
"""Actions of errors of our own, which an operator can only report."""
ELSEWHERE = ("action", "rehearsal", "local")
"""Jobs of the Action say what to do in the job's own form."""


def errors(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each function that writes an error without a traceback."""
    tree = ast.parse(source)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "logger.error":
                    yield call.lineno, ast.unparse(function)


def missing(source: str) -> list[int]:
    found = errors(source)
    return [at for at, text in found if "'do'" not in text and not any(a in text for a in OURS)]


def test_every_error_says_what_to_do() -> None:
    lacking, looked_at = {}, 0
    for file in sorted(PACKAGE.rglob("*.py")):
        if file.relative_to(PACKAGE).parts[0] in ELSEWHERE:
            continue
        source = file.read_text()
        looked_at += len(list(errors(source)))
        if lines := missing(source):
            lacking[file.relative_to(PACKAGE).as_posix()] = lines
    assert looked_at > 5
    assert lacking == {}
    assert missing("def f():\n    logger.error('full', extra={'action': 'full'})\n") == [2]


@pytest.mark.parametrize("error", [NotAdmitted, OperatorNeeded, OutOfDisk])
def test_so_does_an_error_that_only_the_operator_can_end(error: type[Exception]) -> None:
    assert len(vars(error)["do"]) > 20
