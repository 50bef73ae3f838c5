"""Tables and code in Markdown."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Sequence
from itertools import pairwise


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; every cell on one line."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines) + "\n"


def code(text: object) -> str:
    """A text as code, "" for none."""
    shown = str(text)
    return f"`{shown}`" if shown else ""


def sentence(text: str) -> str:
    """A text with a capital letter and a full stop, as a cell of a table."""
    flat = " ".join(text.split())
    if not flat:
        return ""
    is_word = flat.partition(" ")[0].strip(",.:;").isalpha()
    begun = flat[:1].upper() + flat[1:] if is_word else flat
    return begun + ("" if flat.endswith((".", ":", "?", "]")) else ".")


def facts(*plain: str, **named: str) -> str:
    """The facts about a value beside its meaning, without those that are empty."""
    told = [each for each in plain if each]
    told += [f"{name} {value}" for name, value in named.items() if value]
    return f" *{'; '.join(told)}*" if told else ""


def field_texts(kind: type) -> dict[str, str]:
    """The docstring below each field of a class and of those that it inherits from."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if not each.__module__.startswith("claude_pool_gh."):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        assert isinstance(tree, ast.ClassDef)
        found |= _texts_in(tree.body)
    return found


def _texts_in(body: Sequence[ast.stmt]) -> dict[str, str]:
    found = {}
    for field, text in pairwise(body):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(words))),
            ):
                found[name] = " ".join(words.split())
            case _:
                pass
    return found


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split()) or " "
