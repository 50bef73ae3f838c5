"""Placeholders are filled once, and nothing that fills one is read again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.render import look_up, placeholders, render

VALUES: dict[str, Any] = {
    "steps": {"brief": {"title": "T", "files": 3, "list": ["ü", {"a": None}], "a-b_c": "dash"}},
    "item": {"path": "a.py", "text": "{steps.brief.title} {item.path}", "none": None, "empty": ""},
    "args": {},
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("a {steps.brief.title} b", "a T b"),
        ("{item.path}{item.path}", "a.pya.py"),
        ("{steps.brief.files}|{item.none}|{item.empty}|", "3|||"),
        ("{steps.brief.a-b_c}", "dash"),
        ("{steps.brief.list}", '[\n "ü",\n {\n  "a": null\n }\n]'),
        ("{args}", "{}"),
        ("{x} {} {{}} { item.path } {item.} {Item.path} {items.x} f'{a}' {item.0}", None),
        ("{{item.path}}", "{a.py}"),
        ("\\{item.path}", "\\a.py"),
        ("%s $item \\1 \\g<0>", None),
    ],
)
def test_only_placeholders_are_filled(template: str, text: str | None) -> None:
    assert render(template, VALUES) == (template if text is None else text)


def test_a_value_that_looks_like_a_placeholder_is_not_expanded() -> None:
    assert render("{item.text} {item.path}", VALUES) == "{steps.brief.title} {item.path} a.py"


@settings(deadline=None)
@given(st.text(), st.text())
def test_values_come_through_as_they_are(first: str, second: str) -> None:
    values = {"item": {"a": first, "b": second}}
    assert render("<{item.a}|{item.b}>", values) == f"<{first}|{second}>"


@settings(deadline=None)
@given(st.text(st.sampled_from("{}.items args_x1- "), max_size=30))
def test_a_template_without_placeholders_stays_as_it_is(template: str) -> None:
    if not list(placeholders(template)):
        assert render(template, {}) == template


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (
            "steps.brief.titel",
            "unknown placeholder {steps.brief.titel}: no 'titel' here, only a-b_c, files, list, title",
        ),
        ("steps.find.x", "unknown placeholder {steps.find.x}: no 'find' here, only brief"),
        ("item.path.x", "unknown placeholder {item.path.x}: no 'x' here, only nothing below it"),
        ("item.none.x", "unknown placeholder {item.none.x}: no 'x' here, only nothing below it"),
        ("args.name", "unknown placeholder {args.name}: no 'name' here, only "),
        (
            "steps.brief.list.x",
            "unknown placeholder {steps.brief.list.x}: no 'x' here, only nothing below it",
        ),
    ],
)
def test_an_unknown_placeholder_is_an_error_that_says_what_there_is(path: str, says: str) -> None:
    for work in (lambda: render(f"{{item.path}} {{{path}}}", VALUES), lambda: look_up(path, VALUES)):
        with pytest.raises(RecipeError) as raised:
            work()
        assert str(raised.value) == says


def test_placeholders_are_told_in_order() -> None:
    assert list(placeholders("{item.b} {x} {steps.a.b-c} {args} {item.b}")) == [
        "item.b",
        "steps.a.b-c",
        "args",
        "item.b",
    ]
