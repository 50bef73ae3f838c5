"""The inputs and outputs of the Action, from its metadata."""

from __future__ import annotations

from pathlib import Path

import yaml

from docs._reference.markdown import code, facts, sentence, table

_FILE = Path(__file__).parents[2] / "action.yml"


def page() -> str:
    """A table of the inputs and one of the outputs."""
    described = yaml.safe_load(_FILE.read_text("utf-8"))
    inputs = (
        (code(name), sentence(each["description"]) + facts(default=code(each.get("default", ""))))
        for name, each in described["inputs"].items()
    )
    outputs = (
        (code(name), sentence(each["description"])) for name, each in described["outputs"].items()
    )
    return (
        "## Inputs\n\n"
        + table(("input", "meaning"), inputs)
        + "## Outputs\n\n"
        + table(("output", "meaning"), outputs)
    )
