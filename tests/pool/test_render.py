"""Placeholders are filled once, and nothing that fills one is read again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.render import (
    in_place_of,
    look_alikes,
    look_up,
    placeholders,
    render,
    spoken_of,
    thread_fields,
)

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
        ("{{item.path}}", "{item.path}"),
        ("\\{item.path}", "\\a.py"),
        ("%s $item \\1 \\g<0>", None),
    ],
)
def test_only_placeholders_are_filled(template: str, text: str | None) -> None:
    assert render(template, VALUES) == (template if text is None else text)


MISSPELT = {
    "{step.a.output}": "{steps.a.output}",
    "{stpes.a.output}": "{steps.a.output}",
    "{Steps.a.output}": "{steps.a.output}",
    "{ steps.a.output }": "{steps.a.output}",
    "{arg.x}": "{args.x}",
    "{argss.x}": "{args.x}",
    "{arguments.x}": "{args.x}",
    "{items.x}": "{item.x}",
    "{previous_ouput}": "{previous_output}",
    "{previous_outputs}": "{previous_output}",
    "{steps.a output}": None,
    "{steps.a.0}": None,
    "{steps.a.output|trim}": None,
    "{args.}": None,
}
CODE = (
    "{}",
    "{x}",
    "{a.b}",
    "{self.x}",
    "{user.name}",
    "{time.x}",
    "{temp.x}",
    "{stop.x}",
    "{steps}{args}{item}",
    "{step}",
    "{items}",
    "{args[0]}",
    "{item.price:.2f}",
    "{item.a, item.b}",
    "{item.f()}",
    "{args.x + 1}",
    '{"item": 1}',
    "{'steps.a': 2}",
    "${step.x}",
    "${item.x!r}",
    "{{ step.a.output }}",
    "{{ item.name }}",
    "${{ steps.a.outputs.b }}",
    "{error.message}",
    "{eror}",
    "{ item }",
    "{\nsteps.a\n}",
    "{steps: [1]}",
    "{step: 1}",
    "f'{argv.x:>3}'",
)


@pytest.mark.parametrize(("template", "meant"), MISSPELT.items())
def test_what_looks_like_a_placeholder_and_is_none_is_found(
    template: str, meant: str | None
) -> None:
    assert list(look_alikes(f"a {template} b")) == [(template, meant)]


def slips(word: str) -> set[str]:
    """Every word that is one slip away: a letter more, less, another, or two exchanged."""
    letters = "abcdefghijklmnopqrstuvwxyz_"
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    more = {a + c + b for a, b in cuts for c in letters}
    less = {a + b[1:] for a, b in cuts if b}
    other = {a + c + b[1:] for a, b in cuts if b for c in letters}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    return more | less | other | swapped


@pytest.mark.parametrize("root", ["steps", "item", "args"])
def test_every_word_that_is_one_slip_away_is_found_and_no_other(root: str) -> None:
    near = slips(root) - {root}
    for word in near:
        assert list(look_alikes(f"{{{word}.x}}")), word
    far = {each for word in near for each in slips(word)} - slips(root)
    others = set.union(*(slips(each) for each in ("steps", "item", "args", "arguments")))
    for word in sorted(far - others)[::50]:
        assert list(look_alikes(f"{{{word}.x}}")) == [], word


@pytest.mark.parametrize("template", CODE)
def test_what_is_plainly_code_or_json_stays_text(template: str) -> None:
    assert list(look_alikes(f"a {template} b")) == []


def test_a_word_alone_is_misspelt_only_where_the_right_one_can_stand() -> None:
    assert list(look_alikes("{itme} {items} {eror}", ("item",))) == [
        ("{itme}", "{item}"),
        ("{items}", "{item}"),
    ]
    assert list(look_alikes("{itme} {eror}", ("error",))) == [("{eror}", "{error}")]
    assert list(look_alikes("{item} {error} {item.x}", ("item", "error"))) == []


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
            "`steps.brief.titel` leads nowhere: `steps.brief` has no `titel`, but `a-b_c`, `files`, `list`, `title`",
        ),
        ("steps.find.x", "`steps.find.x` leads nowhere: `steps` has no `find`, but `brief`"),
        ("item.path.x", "`item.path.x` leads nowhere: `item.path` is a text, which has no `x`"),
        ("item.none.x", "`item.none.x` leads nowhere: `item.none` is nothing, which has no `x`"),
        ("args.name", "`args.name` leads nowhere: `args` has no `name`, but nothing"),
        (
            "steps.brief.list.x",
            "`steps.brief.list.x` leads nowhere: `steps.brief.list` is a list, which has no `x`",
        ),
    ],
)
def test_an_unknown_placeholder_is_an_error_that_says_what_there_is(path: str, says: str) -> None:
    for work in (
        lambda: render(f"{{item.path}} {{{path}}}", VALUES),
        lambda: look_up(path, VALUES),
    ):
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


@pytest.mark.parametrize(
    ("template", "sent"),
    [
        ("{{item}}", "{item}"),
        ("a {{steps.x.y}} b {item}", "a {steps.x.y} b one"),
        ("{{{item}}}", "{{item}}"),
        ("{{ item }}", "{{ item }}"),
        ("{{other}}", "{{other}}"),
    ],
)
def test_a_placeholder_in_double_braces_is_sent_as_one(template: str, sent: str) -> None:
    assert render(template, {"item": "one"}) == sent


@given(st.text(alphabet="{} .xitemsprevious_out", max_size=40))
@example("{{item}}")
@example("{{{item}}}")
@example("{{{{steps.x}}}}{item}")
def test_a_text_that_is_spoken_of_is_sent_as_it_was_written(text: str) -> None:
    template = spoken_of(text, lambda _: False)
    assert list(placeholders(template)) == []
    assert render(template, {}) == text


def test_a_part_of_the_thread_is_put_in_by_its_name_alone() -> None:
    text = "{thread.title} {thread.nothing} {{thread.title}} {thread.a.b} {thread} ${thread.title }"
    assert list(thread_fields(text)) == ["title", "nothing"]
    assert in_place_of(text, {"title": "steps.brief.title"}) == text.replace(
        "{thread.title} {thread.n", "{steps.brief.title} {thread.n"
    )
