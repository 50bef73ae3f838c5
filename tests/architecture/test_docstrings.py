"""A docstring says what a thing is, or what a call does: it begins with a noun or a verb, not with a question."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "claude_pool_gh"
ABOUT = {"What", "Whether", "Who", "Whose", "It", "How", "Why", "When", "Where", "That"}


def first_words(source: str) -> set[str]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds))
    texts = (ast.get_docstring(node) or "" for node in nodes)
    return {text.split()[0].strip(".,:") for text in texts if text.strip()}


def test_no_docstring_begins_with_a_question() -> None:
    found = {
        f"{path.relative_to(PACKAGE)}: {word}"
        for path in PACKAGE.rglob("*.py")
        if "stage" not in path.parts
        for word in first_words(path.read_text()) & ABOUT
    }
    assert found == set()


def test_one_that_does_would_be_found() -> None:
    assert first_words('"""A module."""\ndef f():\n    """Whether it is so."""\n') & ABOUT
