"""A verb is one class: what it needs to be one is asked for by name, and everything else follows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from claude_pool_gh.commands.grammar import Command, parse
from claude_pool_gh.config.load import load
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation import registry, verbs
from claude_pool_gh.conversation.agent_verb import AgentVerb
from claude_pool_gh.conversation.handler import VerbHandler
from claude_pool_gh.conversation.registry import UnfitVerb, check_recipes, handlers
from claude_pool_gh.conversation.verb_names import verb_names
from claude_pool_gh.recipes import built_in
from claude_pool_gh.reports import replies
from claude_pool_gh.terms.roles import Role
from tests.commands.readme import README, row, written

HERE = Path(__file__).parents[1] / "new_verb"
EXAMPLE, RECIPE, SKILL = [
    (HERE / name).read_text() for name in ("example.py", "example.yml", "SKILL.md")
]
NO_DESK = cast(Any, None)
Define = Callable[..., dict[str, VerbHandler]]


@pytest.fixture
def define(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Define]:
    """Puts a verb, its workflow and its skill beside the package's own, for the length of a test."""
    module = f"{verbs.__name__}.example"
    monkeypatch.setattr(verbs, "__path__", [*verbs.__path__, str(tmp_path)])

    def put(source: str = EXAMPLE, recipe: str = RECIPE) -> dict[str, VerbHandler]:
        (tmp_path / "example.py").write_text(source)
        added = {"workflows/example.yml": recipe, "skills/example-skill/SKILL.md": SKILL}
        monkeypatch.setattr(registry, "built_in", lambda path: added.get(path) or built_in(path))
        return handlers()

    yield put
    sys.modules.pop(module, None)


def test_the_names_of_the_verbs_are_known_without_them(define: Define) -> None:
    assert verb_names() == frozenset(handlers())
    define()
    assert verb_names() == frozenset(handlers()) >= {"example", "continue"}


def test_what_there_is_fits_its_recipes() -> None:
    check_recipes(handlers(), NO_DESK)


def test_a_new_verb_is_in_the_language_the_help_the_readme_and_the_configuration_by_its_class_alone(
    define: Define,
) -> None:
    every = define()
    check_recipes(every, NO_DESK)
    assert list(every).index("example") == list(every).index("run") + 1, (
        "behind the others that work"
    )
    example = every["example"].verb
    grammar = {name: each.verb for name, each in every.items()}
    found = parse("/pool example a.py --budget 0.5", grammar)
    assert isinstance(found, Command)
    assert (found.words, found.flags) == (("a.py",), {"budget": 500_000})
    shown = replies.help_all(
        grammar, {name: verb.role for name, verb in grammar.items()}, Role.write
    )
    assert f"| `/pool example [PATH]` | PR, issue | write | {example.summary} |" in shown
    assert row(example) in written(README.read_text("utf-8"), grammar.values())
    assert isinstance(load("permissions: {example: read}", frozenset(every)), RepositoryConfig)
    run = cast(Any, every["run"])
    assert "example" in run._recipes_of_verbs


@pytest.mark.parametrize(
    ("without", "instead", "problem"),
    [
        ('    name = "example"\n', "", "lacks its name in lower case: name = "),
        ('name = "example"', 'name = "Explain it"', "lacks its name in lower case"),
        (
            ' = "Explains a file, or what the thread is about."',
            ': str = ""',
            "a sentence for the help: summary",
        ),
        ("    places = EVERYWHERE\n", "", "where it may stand: places"),
        ("places = EVERYWHERE", 'places = frozenset({"wiki"})', "where it may stand: places"),
        ("    facts = ExampleFacts\n", "", "what its chains know from the start: facts"),
        ("    output = StatedAnswer\n", "", "the form of its agent's answer: output"),
        ("async def finish", "async def end", "the method `finish`"),
        ("class Example(ReadingVerb[ExampleFacts, StatedAnswer])", "class Example", "has 0 verbs"),
        ('name = "example"', 'name = "ask"', 'the name of its file: name = "example"'),
    ],
)
def test_what_a_new_verb_lacks_is_asked_for_by_name(
    define: Define, without: str, instead: str, problem: str
) -> None:
    assert without in EXAMPLE
    with pytest.raises(UnfitVerb, match=problem):
        define(EXAMPLE.replace(without, instead))


def test_a_file_holds_one_verb(define: Define) -> None:
    with pytest.raises(UnfitVerb, match=r"example\.py has 2 verbs"):
        define(EXAMPLE + "\n\nclass Another(Example):\n    name = 'another'\n")


INLINE = "output: {type: object, additionalProperties: false, required: [answer], properties: {answer: {type: string}}}"
FREE = "output: {type: object, additionalProperties: false, required: [], properties: {answer: {type: string}}}"
NUMBER = INLINE.replace("{type: string}", "{type: integer}")
MORE = INLINE.replace("{answer: {type: string}}", "{answer: {type: string}, note: {type: string}}")


@pytest.mark.parametrize(
    ("line", "instead", "problem"),
    [
        ("host: example.reply", "host: example.answer", "example.answer"),
        (
            "  - name: reply\n    host: example.reply\n",
            "",
            "must have a step with `host: example.reply`",
        ),
        ("- name: answer", "- name: say", "needs a step `answer` before `reply`: one of an agent"),
        ("    output: example\n", "", "its agent must answer in a form, with `output`"),
        (
            "output: example",
            "output: description",
            r"does not fit: the answer must require `answer`",
        ),
        ("output: example", FREE, "does not fit: the answer must require `answer`"),
        ("output: example", NUMBER, "does not fit: `answer` must have `type: string`"),
        ("output: example", MORE, "does not fit: the answer has `note`, which nobody reads"),
        (
            "    output: example\n",
            "    output: example\n    each: brief.paths\n",
            "one agent, without `each`",
        ),
        ("{steps.brief.path}", "{steps.brief.pth}", r"asks in `answer` for {steps.brief.pth}"),
        (
            "skill: example-skill",
            "skill: example-skil",
            "there is no recipes/skills/example-skil/SKILL.md",
        ),
        ("    skill: example-skill\n", "    skill: example-skill\n    tools: [Write]\n", "Write"),
    ],
)
def test_a_recipe_that_does_not_fit_the_verb_is_refused_with_words(
    define: Define, line: str, instead: str, problem: str
) -> None:
    assert line in RECIPE
    every = define(recipe=RECIPE.replace(line, instead))
    with pytest.raises(UnfitVerb, match=problem) as refusal:
        check_recipes(every, NO_DESK)
    assert str(refusal.value).startswith("the verb example: ")


def test_a_form_of_its_own_that_says_the_same_fits(define: Define) -> None:
    check_recipes(define(recipe=RECIPE.replace("output: example", INLINE)), NO_DESK)


def test_a_review_that_asks_its_brief_for_what_there_is_not_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = (built_in("workflows/review.yml") or "").replace(
        "{steps.brief.request}", "{steps.brief.reqest}"
    )
    monkeypatch.setattr(
        registry,
        "built_in",
        lambda path: text if path == "workflows/review.yml" else built_in(path),
    )
    with pytest.raises(UnfitVerb, match=r"review: .* asks in `find` for {steps\.brief\.reqest}"):
        check_recipes(handlers(), NO_DESK)


def test_a_verb_without_a_recipe_is_refused(define: Define) -> None:
    every = define(EXAMPLE.replace("    facts = Ex", '    recipe = "no_such"\n    facts = Ex'))
    with pytest.raises(UnfitVerb, match=r"example: there is no recipes/workflows/no_such\.yml"):
        check_recipes(every, NO_DESK)


GATE = "must have a step `propose` with `host: change.propose` and `gate: true`"
LET_OUT = "must have a step with `host: change.open` or `host: change.push`"
TOO_EARLY = "needs a step `propose` before `early`: one with `host: change.propose`"


@pytest.mark.parametrize(
    ("names", "line", "instead", "problem"),
    [
        ("fix", "    gate: true\n    again_from: fix\n", "", GATE),
        ("implement", "    gate: true\n    again_from: implement\n", "", GATE),
        ("fix implement", "name: propose", "name: show_it", GATE),
        ("fix", "host: change.push", "host: change.show", LET_OUT),
        ("implement", "host: change.open", "host: change.show", LET_OUT),
        ("fix", "steps:\n", "steps:\n  - {name: early, host: change.push}\n", TOO_EARLY),
        ("fix implement", "steps.check.feedback", "steps.check.feedbak", "asks in `rework` for"),
        ("implement", "steps.patch.patch", "steps.patch.diff", "asks in `verify` for"),
        (
            "implement",
            "ready: {type: boolean",
            "ready: {type: string",
            "`ready` must have `type: boolean`",
        ),
    ],
)
def test_a_change_goes_out_by_its_gate_alone(
    monkeypatch: pytest.MonkeyPatch, names: str, line: str, instead: str, problem: str
) -> None:
    for name in names.split():
        text = built_in(f"workflows/{name}.yml") or ""
        assert line in text
        changed = {f"workflows/{name}.yml": text.replace(line, instead, 1)}
        monkeypatch.setattr(
            registry, "built_in", lambda path, of=changed: of.get(path) or built_in(path)
        )
        every = handlers()
        with pytest.raises(UnfitVerb) as refusal:
            check_recipes(every, NO_DESK)
        assert f"the verb {name}: recipes/workflows/{name}.yml " in str(refusal.value)
        assert problem in str(refusal.value)


@pytest.mark.parametrize(
    "name", [name for name, each in handlers().items() if isinstance(each, AgentVerb)]
)
def test_every_verb_that_works_is_driven_on_the_simulated_github(name: str) -> None:
    """A verb's own behaviour is shown by a test with the real CLI: at least that there is one is demanded by name."""
    said = [
        file
        for file in (HERE.parent / "acceptance").glob("test_*.py")
        if f"/pool {name}" in file.read_text()
    ]
    assert said, f"no test in tests/acceptance says /pool {name}"
