# ruff: noqa: RUF001
"""One command line: words, quotes, flags; and for a faulty one, what to say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Command, Flag, Mistake, Verb, parse
from claude_pool_gh.commands.words import Word, quoted, words
from claude_pool_gh.terms.roles import Role

REVIEW = Verb(
    name="review",
    summary="",
    places=frozenset({"pull"}),
    role=Role.write,
    flags=(Flag("focus", "what"), *COMMON),
)
HELP = Verb(name="help", summary="", places=frozenset({"pull"}), role=Role.read, most_arguments=1)
VERBS = {"review": REVIEW, "help": HELP}


def understood(line: str) -> Command:
    found = parse(line, VERBS)
    assert isinstance(found, Command), found
    return found


def refused(line: str) -> Mistake:
    found = parse(line, VERBS)
    assert isinstance(found, Mistake), found
    return found


def test_the_word_alone_asks_for_help() -> None:
    assert understood("/pool").verb is HELP
    assert understood("/pool \t ").verb is HELP


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/pool review", ()),
        ("/pool\treview\t a  b ", ("a", "b")),
        ("/pool REVIEW Src", ("Src",)),
        ('/pool review "a b" c', ("a b", "c")),
        ('/pool review a" "b', ("a b",)),
        ('/pool review ""', ("",)),
        ("/pool review it's #1 a\\b 'c d'", ("it's", "#1", "a\\b", "c d")),
        ("/pool review 'it's so' \u2018c d\u2019 x\u2019s", ("it's so", "c d", "x\u2019s")),
        ('/pool review "say \\"hi\\"" a\\', ('say "hi"', "a\\")),
        ("/pool review src/ü-日.py a=b $HOME `x`", ("src/ü-日.py", "a=b", "$HOME", "`x`")),
        ('/pool review "-x" ./-x', ("-x", "./-x")),
    ],
)
def test_words_are_parted_by_spaces_and_tabs_and_held_together_by_quotes(
    line: str, words: tuple[str, ...]
) -> None:
    found = understood(line)
    assert (found.verb, found.words, found.flags) == (REVIEW, words, {})


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("--focus x", {"focus": "x"}),
        ("--focus=x", {"focus": "x"}),
        ('--focus "x y"', {"focus": "x y"}),
        ('--focus="x y"', {"focus": "x y"}),
        ("--focus=a=b", {"focus": "a=b"}),
        ("--focus=", {"focus": ""}),
        ("--focus=--x", {"focus": "--x"}),
        ("--budget 1.50", {"budget": 1_500_000}),
        ("--budget $2", {"budget": 2_000_000}),
        ("--budget=0.01", {"budget": 10_000}),
        ("--budget 1000", {"budget": 1_000_000_000}),
        ("--turns 1 --effort xhigh", {"turns": 1, "effort": "xhigh"}),
        ("--turns 500", {"turns": 500}),
        ("--model claude-sonnet-5-5@2026", {"model": "claude-sonnet-5-5@2026"}),
    ],
)
def test_a_flag_is_followed_by_its_value_or_joined_to_it(
    text: str, flags: dict[str, object]
) -> None:
    found = understood(f"/pool review {text} src")
    assert (found.flags, found.words) == (flags, ("src",))


@pytest.mark.parametrize(
    ("line", "problem", "nearest"),
    [
        ("/pool reviw", "there is no command 'reviw'", "/pool review"),
        ("/pool hlep", "there is no command 'hlep'", "/pool help"),
        ("/pool zzzz", "there is no command 'zzzz'", None),
        ('/pool ""', "there is no command ''", None),
        ("/pool --focus x", "there is no command '--focus'", None),
        ("/pool review --budgte 1", "`review` has no flag `--budgte`", "--budget"),
        ("/pool review --config.x=1", "`review` has no flag `--config.x`", None),
        ("/pool review --", "`review` has no flag `--`", None),
        ("/pool review --Focus x", "`review` has no flag `--Focus`", "--focus"),
        ("/pool help --budget 1", "`help` has no flag `--budget`", None),
        ("/pool review --focus", "`--focus` needs a value: what", None),
        ("/pool review --focus --budget 1", "`--focus` needs a value: what", None),
        ("/pool review --foucs x", "`review` has no flag `--foucs`", "--focus"),
        ("/pool review \u2014budget 1", "`review` has no flag `\u2014budget`", "--budget"),
        ("/pool review -budget 1", "`review` has no flag `-budget`", "--budget"),
        (
            "/pool review src \u2212\u2212turns=1",
            "`review` has no flag `\u2212\u2212turns`",
            "--turns",
        ),
        ("/pool review --\uff42udget 1", "`review` has no flag `--\uff42udget`", "--budget"),
        ("/pool review -x", "`review` has no flag `-x`", None),
        ('/pool "review"', "there is no command 'review'", "/pool review"),
        ("/pool rev\u0131ew", "there is no command 'rev\u0131ew'", "/pool review"),
        ("/pool \uff52eview", "there is no command '\uff52eview'", "/pool review"),
        ("/pool review \u201ca b", "a `\u201c` is not closed", None),
        ("/pool review 'a b", "a `'` is not closed", None),
        ("/pool help a b", "`help` takes no 'b'", None),
        ('/pool review "a', 'a `"` is not closed', None),
        ('/pool review --focus="a', 'a `"` is not closed', None),
    ],
)
def test_a_faulty_line_says_what_is_wrong_and_what_comes_nearest(
    line: str, problem: str, nearest: str | None
) -> None:
    assert refused(line) == Mistake(line, problem, nearest)


@pytest.mark.parametrize(
    "flag",
    [
        "--budget 0",
        "--budget -1",
        "--budget 1000.01",
        "--budget nan",
        "--budget inf",
        "--budget sNaN",
        "--budget x",
        "--budget 0.0000001",
        "--budget 1e-999999999",
        "--budget 1e99999999999999999999",
        "--budget=",
        "--budget $",
        "--turns 0",
        "--turns 501",
        "--turns 1.5",
        "--turns -1",
        "--turns ٣",
        "--turns ²",
        "--effort LOW",
        "--effort huge",
        "--model gpt-5",
        "--model claude-",
        "--model claude-\uff58",
        "--model claude-x/../y",
        "--model " + "claude-" + "x" * 80,
    ],
)
def test_a_value_that_a_flag_cannot_read_is_refused(flag: str) -> None:
    name = flag.split(maxsplit=1)[0].split("=", maxsplit=1)[0]
    assert refused(f"/pool review {flag}").problem.startswith(f"`{name}` must be ")


def test_an_overlong_line_is_refused_and_not_repeated() -> None:
    assert isinstance(parse("/pool review " + "x" * 1_987, VERBS), Command)
    found = refused("/pool review " + "x" * 1_988)
    assert found.problem == "the line is longer than 2000 characters"
    assert len(found.line) == 80


WORD = st.text(
    st.characters(
        codec="utf-8", exclude_characters=' \t"\n\r\\', exclude_categories=("C", "Zl", "Zp")
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(
    st.lists(
        WORD.filter(lambda word: not Word(word, 0, 0).dashes and word[0] not in "'“„‘‚«»‹›「＂="),
        max_size=6,
    ),
    st.booleans(),
)
def test_words_come_back_as_they_were_written(words: list[str], quoted: bool) -> None:
    written = [f'"{word}"' if quoted else word for word in words]
    assert understood(" ".join(["/pool review", *written])).words == tuple(words)


@settings(deadline=None)
@given(st.text(max_size=120))
def test_no_line_makes_the_reader_raise(text: str) -> None:
    assert isinstance(parse(f"/pool {text}", VERBS), Command | Mistake)


ASK = Verb(
    name="ask",
    summary="",
    places=frozenset({"pull"}),
    role=Role.read,
    free_text=True,
    flags=COMMON,
    arguments="TEXT",
    needs=("a question",),
)
REJECT = Verb(
    name="reject",
    summary="",
    places=frozenset({"pull"}),
    role=Role.read,
    free_text=True,
    arguments="ID TEXT",
    needs=("", "what is wrong"),
)


def prose(line: str) -> Command | Mistake:
    return parse(line, {"ask": ASK, "review": REVIEW, "reject": REJECT})


@pytest.mark.parametrize(
    "text",
    [
        "why does x --bar=1 fail with --effrt low",
        'the message must be "not found", not "missing"',
        'how tall is a 5" disk?',
        "it's   two  spaces\tand a tab",
        "-x or - ?",
        "why \u2014 of all things \u2014 this?",
        "what does `--budget 5` do",
        "is the low-budget --budgets flag (--budget) right",
        "“quoted” ‘and’ 'so on",
        "a\\b \\",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
    ],
)
def test_prose_is_kept_as_it_was_written(text: str) -> None:
    found = prose(f"/pool ask {text}")
    assert isinstance(found, Command), found
    assert (found.text, found.words, found.flags) == (text, tuple(text.split()), {})
    found = prose(f"/pool ask --turns=2 {text} --budget 2")
    assert isinstance(found, Command), found
    assert (found.text, found.flags) == (text, {"budget": 2_000_000, "turns": 2})


@pytest.mark.parametrize(
    ("line", "problem", "nearest"),
    [
        ("/pool ask --buget 2 why", "`ask` has no flag `--buget`", "--budget"),
        ("/pool ask --budget 2", "`ask` needs a question", None),
        ("/pool ask", "`ask` needs a question", None),
        ("/pool ask why --budget", "`--budget` needs a value: maximum cost, in US dollars", None),
        (
            "/pool ask why --budget -5",
            "`--budget` must be an amount in US dollars, such as 1.50",
            None,
        ),
        ("/pool reject 0123456789", "`reject` needs what is wrong", None),
        ("/pool review a --bar", "`review` has no flag `--bar`", None),
    ],
)
def test_a_fault_around_prose_is_said(line: str, problem: str, nearest: str | None) -> None:
    assert prose(line) == Mistake(line, problem, nearest)


@pytest.mark.parametrize(
    "dashes",
    [
        "--",
        "-",
        "\u2014",
        "\u2013",
        "\u2013\u2013",
        "\u2014\u2014",
        "\u2212",
        "\uff0d",
        "\u2010",
        "---",
    ],
)
@pytest.mark.parametrize(
    "line",
    [
        "/pool ask why {}budget 2 is it so",
        "/pool ask {}budget=2x why is it",
        "/pool ask why it is {}Budget 2 so",
    ],
)
def test_a_flag_that_may_be_meant_is_neither_taken_nor_overheard(line: str, dashes: str) -> None:
    found = prose(line.format(dashes))
    assert isinstance(found, Mistake)
    assert found.nearest == "--budget" or "`--budget` must be" in found.problem


def test_what_may_be_left_out_may_be_left_out() -> None:
    assert isinstance(prose("/pool reject"), Command)


@pytest.mark.parametrize(
    "unseen", ["\u200b", "\u202e", "\u2066", "\u00ad", "\U000e0061", "\ufeff", "\u2028", "\x1b"]
)
def test_a_line_that_does_not_show_what_it_says_is_a_mistake(unseen: str) -> None:
    assert "not shown" in refused(f"/pool review src{unseen}").problem


@pytest.mark.parametrize(
    "text",
    [
        "src/a.py",
        "a b.py",
        "",
        "--plan",
        "\u2014plan",
        'a"b c',
        "'a",
        "it's",
        "a='b c",
        "\u201ca\u201d",
        "a b\\",
        'a\\"b',
        "\\",
    ],
)
def test_a_text_is_written_so_that_it_is_read_as_one_word(text: str) -> None:
    one, last = words(f"{quoted(text)} x")
    assert (one.text, one.dashes, last.text) == (text, "", "x")


def test_a_plain_word_is_not_quoted() -> None:
    assert quoted("src/a.py") == "src/a.py"
