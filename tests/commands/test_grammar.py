"""One command line: words, quotes, flags; and for a faulty one, what to say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Command, Flag, Mistake, Verb, parse
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
        ("/pool review it's #1 a\\b 'c d'", ("it's", "#1", "a\\b", "'c", "d'")),
        ("/pool review src/ü-日.py a=b $HOME `x`", ("src/ü-日.py", "a=b", "$HOME", "`x`")),
        ("/pool review -x -", ("-x", "-")),
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
def test_a_flag_is_followed_by_its_value_or_joined_to_it(text: str, flags: dict[str, object]) -> None:
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
        "--budget 0", "--budget -1", "--budget 1000.01", "--budget nan", "--budget inf", "--budget sNaN",
        "--budget x",
        "--budget 0.0000001", "--budget 1e-999999999", "--budget 1e99999999999999999999", "--budget=", "--budget $",
        "--turns 0", "--turns 501", "--turns 1.5", "--turns -1", "--turns ٣", "--turns ²", "--effort LOW",
        "--effort huge",
        "--model gpt-5", "--model claude-", "--model claude-\uff58", "--model claude-x/../y",
        "--model " + "claude-" + "x" * 80,
    ],
)  # fmt: skip
def test_a_value_that_a_flag_cannot_read_is_refused(flag: str) -> None:
    name = flag.split(maxsplit=1)[0].split("=", maxsplit=1)[0]
    assert refused(f"/pool review {flag}").problem.startswith(f"`{name}` must be ")


def test_an_overlong_line_is_refused_and_not_repeated() -> None:
    assert isinstance(parse("/pool review " + "x" * 1_987, VERBS), Command)
    found = refused("/pool review " + "x" * 1_988)
    assert found.problem == "the line is longer than 2000 characters"
    assert len(found.line) == 80


WORD = st.text(st.characters(codec="utf-8", exclude_characters=' \t"\n\r'), min_size=1, max_size=12)


@settings(deadline=None)
@given(st.lists(WORD.filter(lambda word: not word.startswith("--")), max_size=6), st.booleans())
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
)


def test_in_prose_the_options_of_others_are_words_and_ours_are_still_flags() -> None:
    found = parse("/pool ask why does x --bar=1 fail --budget 2 with --effrt low", {"ask": ASK})
    assert isinstance(found, Command)
    assert found.words == ("why", "does", "x", "--bar=1", "fail", "with", "--effrt", "low")
    assert found.flags == {"budget": 2_000_000}


@pytest.mark.parametrize("line", ["/pool ask --buget 2 why", "/pool review a --bar"])
def test_before_the_prose_and_where_there_is_none_an_unknown_flag_is_a_mistake(line: str) -> None:
    assert isinstance(parse(line, {"ask": ASK, "review": REVIEW}), Mistake)
