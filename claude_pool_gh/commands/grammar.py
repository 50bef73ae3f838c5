"""Reads one command line into a verb with typed flags, or says what is wrong with it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from claude_pool_gh.commands.lines import WORD
from claude_pool_gh.commands.words import DASHES, NotClosed, Word, next_word, words
from claude_pool_gh.terms.roles import Role

_LINE_LIMIT: Final = 2_000
_BLANK: Final = " \t"


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of a verb: `read` turns its text into a value or raises ValueError saying what it wants."""

    name: str
    what: str
    read: Callable[[str], Any] = str
    is_switch: bool = False
    """Whether it stands alone, without a value: its value is True where it is given."""
    value: str = "TEXT"
    """The name of its value in the help."""

    @property
    def usage(self) -> str:
        """The flag as it is typed."""
        return f"--{self.name}" if self.is_switch else f"--{self.name} {self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb of the language. `arguments` names its free words for the help, "" for none."""

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
    """Whether its arguments are prose, which is kept as it was written; its flags stand before or behind it."""
    needs: tuple[str, ...] = ()
    """What its words must be, in order; "" for one that may be missing with all after it."""
    tells: bool = False
    """Whether it only tells, so that a thread's author may use it too."""
    is_own_word: bool = False
    """Whether it is somebody's own word on what others did, which no workflow can give for them."""

    @property
    def usage(self) -> str:
        """The written form of a command, with what it takes."""
        return f"{WORD} {self.name} {self.arguments}".rstrip()

    @property
    def where(self) -> str:
        """The threads in which it may stand, for people."""
        return ", ".join(
            "PR" if place == "pull" else place for place in sorted(self.places, reverse=True)
        )


@dataclass(frozen=True, slots=True)
class Command:
    """A command line that was understood."""

    verb: Verb
    words: tuple[str, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    """Its free words as one text; prose as it was written."""


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
    if any(_is_unseen(letter) for letter in line):
        return Mistake(
            line, "the line has characters in it that are not shown; type it, rather than paste it"
        )
    try:
        word = next_word(line, len(WORD))
        if word is None:
            return Command(verbs["help"])
        verb = verbs.get(word.text.lower()) if word.text.isascii() and not word.quoted else None
        if verb is None:
            near = _nearest(_folded(word.text), verbs, WORD + " ")
            return Mistake(line, f"there is no command {word.text!r}", near)
        found = (_prose if verb.free_text else _arguments)(line, verb, word.end)
    except NotClosed as error:
        return Mistake(line, f"a `{error}` is not closed")
    except _Faulty as error:
        return Mistake(line, error.problem, error.nearest)
    return _missing(line, found) or found


class _Faulty(ValueError):
    def __init__(self, problem: str, nearest: str | None = None) -> None:
        super().__init__(problem)
        self.problem, self.nearest = problem, nearest


def _is_unseen(letter: str) -> bool:
    """True where a character changes what is read without being seen; joiners of scripts and of emoji do not."""
    return letter not in "\t\u200c\u200d" and unicodedata.category(letter) in (
        "Cc",
        "Cf",
        "Zl",
        "Zp",
        "Cs",
    )


def _arguments(line: str, verb: Verb, start: int) -> Command:
    """Words and flags in any order."""
    plain: list[str] = []
    flags: dict[str, Any] = {}
    given = words(line, start)
    while given:
        word = given.pop(0)
        if not word.dashes:
            plain.append(word.text)
            continue
        name, value, took_next = _flag(verb, word, given[0] if given else None)
        flags[name] = value
        del given[:took_next]
    if verb.most_arguments is not None and len(plain) > verb.most_arguments:
        raise _Faulty(f"`{verb.name}` takes no {plain[verb.most_arguments]!r}")
    return Command(verb, tuple(plain), flags, " ".join(plain))


def _prose(line: str, verb: Verb, start: int) -> Command:
    """Flags, a text as it was written, and flags again. A flag's name amid the text may be meant as one: it is said."""
    before: dict[str, Any] = {}
    behind: dict[str, Any] = {}
    text = line[start:].strip(_BLANK)
    while text.startswith("--") and (word := next_word(text, 0)) is not None:
        following = None if "=" in word.text else next_word(text, word.end)
        name, before[name], took_next = _flag(verb, word, following)
        text = text[following.end if took_next and following else word.end :].lstrip(_BLANK)
    named = "|".join(map(re.escape, (flag.name for flag in verb.flags))) or "(?!)"
    last = re.compile(_LAST.format(named=named))
    while (match := last.search(text)) is not None:
        word = Word(match["flag"], 0, 0)
        value = next_word(match["value"], 0) if match["value"] else None
        name, read, _ = _flag(verb, word, value)
        behind.setdefault(name, read)
        text = text[: match.start()].rstrip(_BLANK)
    if (amid := re.search(_AMID.format(named=named), text, re.ASCII | re.IGNORECASE)) is not None:
        raise _Faulty(
            f"`{amid[0]}` may be meant as a flag: those stand before or behind the text; in backticks it is text",
            f"--{amid['name'].lower()}",
        )
    return Command(verb, tuple(text.split()), before | behind, text)


def _flag(verb: Verb, word: Word, following: Word | None) -> tuple[str, Any, bool]:
    """The name and value of a flag, and whether its value is the word after it."""
    known = {flag.name: flag for flag in verb.flags}
    name, equals, value = word.text.removeprefix(word.dashes).partition("=")
    if word.dashes != "--" or name not in known:
        problem = f"`{verb.name}` has no flag `{word.dashes}{name}`"
        raise _Faulty(problem, _nearest(_folded(name), known, "--"))
    if known[name].is_switch:
        if equals:
            raise _Faulty(f"`--{name}` takes no value")
        return name, True, False
    text = value if equals else following.text if following is not None else None
    if text is None or (not equals and following is not None and _is_flag(following, known)):
        raise _Faulty(f"`--{name}` needs a value: {known[name].what}")
    try:
        return name, known[name].read(text), not equals
    except ValueError as error:
        raise _Faulty(f"`--{name}` {error}") from error


def _is_flag(word: Word, known: Mapping[str, Any]) -> bool:
    name = word.text.removeprefix(word.dashes).partition("=")[0]
    return word.dashes.startswith("--") or (bool(word.dashes) and name in known)


def _missing(line: str, found: Command) -> Mistake | None:
    """The mistake of a command that lacks something; None where it lacks nothing."""
    given = len(found.words)
    for at, what in enumerate(found.verb.needs):
        if what and given <= at and (given or not at):
            return Mistake(line, f"`{found.verb.name}` needs {what}")
    return None


_LAST: Final = (
    r"(?:^|[ \t]+)(?P<flag>--(?:{named})(?:=[^ \t]*)?)"
    r"""(?:[ \t]+(?P<value>"[^"]*"|'[^']*'|\u201c[^\u201d]*\u201d|[^ \t"]+))?$"""
)
"""A flag at the end of a text, and its value."""
_AMID: Final = r"(?<!\S)" + DASHES + r"(?P<name>{named})(?=[\s=]|$)"


def _folded(text: str) -> str:
    """A word as it was meant, to find the nearest: wide and ornate letters become plain ones."""
    return unicodedata.normalize("NFKC", text).lower()


def _nearest(word: str, known: Mapping[str, Any], prefix: str) -> str | None:
    close = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return prefix + close[0] if close else None
