"""YAML files are read by libyaml where PyYAML has it, and mean the same without it."""

from __future__ import annotations

from importlib.resources import files

import pytest
import yaml

from claude_pool_gh import recipes
from claude_pool_gh.pool.recipes import yaml_nodes
from claude_pool_gh.pool.recipes.workflows import Workflow
from claude_pool_gh.pool.recipes.yaml_file import Fault, Loaded, read

EVERY = sorted(
    each.name
    for each in files(recipes).joinpath("workflows").iterdir()
    if each.name.endswith(".yml")
)
TWICE = "name: w\nsteps:\n  - name: a\n    prompt: x\n    name: b\nname: v\n"
FAULTY = {
    TWICE: [
        Fault(5, "`steps.0.name` is already on line 3; put all of it in one place"),
        Fault(6, "`name` is already on line 1; put all of it in one place"),
    ],
    "name: w\nsteps: [a\n": [Fault(3, "a `]` or a comma is missing before this")],
    "name: w\nsteps: {a: 1\n": [Fault(3, "a `}` or a comma is missing before this")],
    "name: w\nsteps:\n\t- a\n": [Fault(3, "a tab: indent with blanks")],
    "name: w\nother: use it when: asked\n": [
        Fault(
            2,
            "a value with a colon and a blank in it: put the value in quotes, or correct the indentation",
        )
    ],
    "name: @w\n": [Fault(1, "a value that begins with `@`: put it in quotes")],
    'name: "w\n': [Fault(2, "a quote that is not closed")],
    "steps:\n  - a\n b: c\n": [
        Fault(
            3,
            "this line does not fit the indentation above it, or a quote in the line is not closed",
        )
    ],
    "name: w\nother\nsteps: []\n": [Fault(3, "a line without the colon that makes it a key")],
    "name: &a w\nsteps: *a\n": [Fault(1, "anchors and aliases are not used here")],
    "name: w\nsteps: " + "[" * 3_000: [Fault(2, "nested too deeply")],
    "name: w\nname: !!int x\n": [
        Fault(2, "`name` is already on line 1; put all of it in one place")
    ],
}


def test_libyaml_is_used_where_it_is() -> None:
    assert (yaml_nodes._FAST is not yaml.SafeLoader) == yaml.__with_libyaml__


@pytest.mark.parametrize("name", EVERY)
def test_a_recipe_means_the_same_and_on_the_same_lines_without_libyaml(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    text = files(recipes).joinpath("workflows", name).read_text("utf-8")
    found = read(text, Workflow)
    assert isinstance(found, Loaded)
    assert found.line("steps", 0) > 1
    monkeypatch.setattr(yaml_nodes, "_FAST", yaml.SafeLoader)
    assert read(text, Workflow) == found


@pytest.mark.parametrize("text", FAULTY)
def test_a_fault_is_told_in_the_same_words_and_on_the_same_line_without_libyaml(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    assert read(text, Workflow) == FAULTY[text]
    monkeypatch.setattr(yaml_nodes, "_FAST", yaml.SafeLoader)
    assert read(text, Workflow) == FAULTY[text]
