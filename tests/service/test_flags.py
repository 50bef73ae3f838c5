"""What the library says of its settings, a shell says of its flags."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import claude_pool_gh
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.service.flags import in_flags

HERE = Path(claude_pool_gh.__file__).parent
PYTHON = re.compile(
    r"(PoolConfig|TaskOverrides|ChainOptions|ScalingConfig|SlotConfig|ClaudeAgent)[.(]"
    r"|`?\b(state|workspaces|config|isolation)=|`allowed_tools`|`unattended_mode`"
)
"""What nobody can write in a shell."""
NOT_FOR_A_SHELL = re.compile(
    r"with `state=\.\.\.` it would go on later|ClaudeAgent\)|config=\.\.\."
)


OF_A_TASK = "TaskOverrides.max_budget_usd"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            str(
                CapReached(
                    "task", 10_000, 10_000, 61_250, f"{OF_A_TASK} or PoolConfig.task_budget_usd"
                )
            ),
            "the cap per task of $0.01 has $0.01 left, asked for $0.06125; to change it, set --budget",
        ),
        (
            f"no; its caps are set by {OF_A_TASK}, ChainOptions.budget_usd and PoolConfig.budget_microdollars",
            "no; its cap is set by --budget",
        ),
        ("set ANTHROPIC_API_KEY or give ClaudeAgent(key=...)", "set ANTHROPIC_API_KEY"),
        (
            "whose input you trust, with ClaudeAgent(trusted=True)",
            "whose input you trust, with --trusted",
        ),
        (
            "outside, or say `state=True`, which keeps it in /home/x y",
            "outside, such as with --state-dir /home/x y",
        ),
        ("the answer is 42", "the answer is 42"),
    ],
)
def test_a_message_names_the_flag(said: str, told: str) -> None:
    assert in_flags(said) == told


def test_no_message_of_the_library_is_left_with_a_name_of_python() -> None:
    """Texts in the code that name a setting, as they are written there, doc strings aside."""
    found = [(file, text) for file in _files() for text in _texts(file) if PYTHON.search(text)]
    assert len(found) > 8, "texts were read"
    left = [
        (file.name, in_flags(text))
        for file, text in found
        if PYTHON.search(in_flags(text)) and not NOT_FOR_A_SHELL.search(text)
    ]
    assert left == []


def _files() -> Iterator[Path]:
    yield HERE / "local.py"
    for room in ("pool", "agent", "worktrees"):
        yield from (HERE / room).rglob("*.py")


def _texts(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_text("utf-8"))
    comments = {
        id(each.value)
        for each in ast.walk(tree)
        if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
    }
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(each) for each in node.values}
            yield "".join(
                str(each.value) if isinstance(each, ast.Constant) else "X" for each in node.values
            )
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in comments | inside
        ):
            yield node.value
