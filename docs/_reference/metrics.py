"""The metrics of a process, from the calls that make them known."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import claude_pool_gh.service
from claude_pool_gh.service.monitoring.metrics import PREFIX
from docs._reference.markdown import code, facts, sentence, table

_KINDS = {"counter": "counter", "add": "counter", "gauge": "gauge", "Histogram": "histogram"}


def page() -> str:
    """A row for each metric."""
    rows = [
        (
            code(PREFIX + name + ("_total" if kind == "counter" else "")),
            sentence(text) + facts(kind, labels=labels),
        )
        for name, kind, labels, text in sorted(metrics())
    ]
    return table(("metric", "meaning"), rows)


def metrics() -> Iterator[tuple[str, str, str, str]]:
    """Name, kind, labels and text of each metric. Raises ValueError for a call that says them in another way."""
    for folder in claude_pool_gh.service.__path__:
        for file in sorted(Path(folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and (kind := _kind(node.func)):
                    yield _told(node, kind, file)


def _kind(called: ast.expr) -> str:
    match called:
        case ast.Name(id=name) if name != "add":
            return _KINDS.get(name, "")
        case ast.Attribute(value=ast.Name(id="metrics"), attr="add"):
            return _KINDS["add"]
        case ast.Attribute(value=ast.Attribute(attr="metrics"), attr="add"):
            return _KINDS["add"]
        case _:
            return ""


def _told(call: ast.Call, kind: str, file: Path) -> tuple[str, str, str, str]:
    words = [text for each in call.args for text in _texts(each)]
    if len(words) < 2:
        raise ValueError(f"{file.name}, line {call.lineno}: a metric without a name and a text")
    name, text, *labels = words
    return name, kind, ", ".join(map(code, labels)), text


def _texts(node: ast.expr) -> Iterator[str]:
    """The texts of an argument, of a name with the prefix what follows it."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=[*_, ast.Constant(value=str(text))]):
            yield text
        case ast.Tuple(elts=parts):
            for each in parts:
                yield from _texts(each)
        case _:
            pass
