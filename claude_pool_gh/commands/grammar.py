"""Reads one command line into a verb with typed flags, or says what is wrong with it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from claude_pool_gh.commands.lines import WORD
from claude_pool_gh.terms.roles import Role

_LINE_LIMIT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of a verb: `read` turns its text into a value or raises ValueError saying what it wants."""

    name: str
    what: str
    read: Callable[[str], Any] = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """What the language knows of a verb. `arguments` names its free words for the help, "" for none."""

    name: str
    summary: str
    places: frozenset[str]
    """Where it may stand: `pull`, `issue`."""
    role: Role
    arguments: str = ""
    flags: tuple[Flag, ...] = ()
    most_arguments: int | None = None
    spends: bool = False
    """Whether it lets agents work, which costs money."""
    pushes: bool = False
    """Whether what it leads to needs the App's permission to write contents."""
    free_text: bool = False
    """Whether its arguments are prose, in which `--word` may stand; a flag of its own is still one anywhere."""
    tells: bool = False
    """Whether it only tells, so that a thread's author may use it too."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command line that was understood."""

    verb: Verb
    words: tuple[str, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A command line that was not, and what to tell its author."""

    line: str
    problem: str
    nearest: str | None = None


def parse(line: str, verbs: Mapping[str, Verb]) -> Command | Mistake:
    """Read a line that begins with `/pool`. A faulty one runs nothing."""
    if len(line) > _LINE_LIMIT:
        return Mistake(line[:80], f"the line is longer than {_LINE_LIMIT} characters")
    try:
        words = _words(line)[1:]
    except ValueError:
        return Mistake(line, 'a `"` is not closed')
    if not words:
        return Command(verbs["help"])
    verb = verbs.get(words[0].lower())
    if verb is None:
        return Mistake(
            line, f"there is no command {words[0]!r}", _nearest(words[0].lower(), verbs, WORD + " ")
        )
    return _arguments(line, verb, words[1:])


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.whitespace = True, " \t"
    lexer.quotes, lexer.escape, lexer.commenters = '"', "", ""
    return list(lexer)


def _arguments(line: str, verb: Verb, words: list[str]) -> Command | Mistake:
    known = {flag.name: flag for flag in verb.flags}
    plain: list[str] = []
    flags: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            plain.append(word)
            continue
        name, equals, value = word.removeprefix("--").partition("=")
        flag = known.get(name)
        if flag is None and verb.free_text and plain:
            plain.append(word)  # a question about an option of theirs
            continue
        if flag is None:
            return Mistake(line, f"`{verb.name}` has no flag `--{name}`", _nearest(name, known, "--"))
        text = value if equals else next(rest, None)
        if text is None or (not equals and text.startswith("--")):
            return Mistake(line, f"`--{name}` needs a value: {flag.what}")
        try:
            flags[name] = flag.read(text)
        except ValueError as error:
            return Mistake(line, f"`--{name}` {error}")
    if verb.most_arguments is not None and len(plain) > verb.most_arguments:
        return Mistake(line, f"`{verb.name}` takes no {plain[verb.most_arguments]!r}")
    return Command(verb, tuple(plain), flags)


def _nearest(word: str, known: Mapping[str, Any], prefix: str) -> str | None:
    close = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return prefix + close[0] if close else None
