"""Takes the life out of text that an agent or a stranger wrote, and leaves it readable.

The text is parsed as Markdown, what could act is turned into code or plain words, and the tree is written out
again: so nothing hides behind an entity, an escape or an unclosed tag. Mentions, references to issues, closing
keywords' targets, links, images, HTML, suggestion blocks and command lines do nothing afterwards. Then GitHub's own
renderer reads it: what acts in spite of all that is shown as plain code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from html import escape
from itertools import groupby
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdformat.renderer import MDRenderer

from claude_pool_gh.reports.rendered import ACTING, DRAWN, acts, acts_in_a_line
from claude_pool_gh.reports.unseen import seen
from claude_pool_gh.terms.markdown import SafeMarkdown

_INPUT_LIMIT: Final = 64 * 1024
_MARKDOWN: Final = MarkdownIt("commonmark", {"maxNesting": 20}).enable("strikethrough")
_AT_START: Final = re.compile(
    r"[/!.?%&+=-][^\W_](?:\S*[^\s,;:])?"  # a command, an option, a vote, a path; not the comma behind it
    r"|~{3}\S*"  # a fence that the writer would not escape
)
# under a line with bars, this makes cells of it: they cut code in pieces
_TABLE: Final = re.compile(r"[|:\s]*-[|:\s-]*")
_MARK: Final = re.compile(r"(<!--\s*claude-pool):")
_BLOCK: Final = re.compile(
    r"\A(?:[0-9]{1,9}(?=[.)](?: |\Z))|(?=(?:#{1,6}|[-+*])(?: |\Z)|>|(?P<rule>[-=*_])(?: *(?P=rule))*\Z))"
)
"""What makes a heading, an item, a quote or a rule of a line."""
_PASSES: Final = 5
_BREAKS: Final = frozenset({"softbreak", "hardbreak"})
_CODE_SPAN: Final = re.compile(r"`([^`]+)`")
_TICKS_IN_CODE: Final = re.compile("`{17,}")
_TICKS_IN_FENCE: Final = re.compile("`{101,}")
"""Longer runs are cut: cmark-gfm reads no code between more than 80 backticks, and counts a fence's up to 255."""
_COMMAND_IN_CODE: Final = re.compile(
    r"^(?:(?!/pool )[/!.@][A-Za-z]|bors \w|[a-z]+\??(?: [\w+-]+){1,3}$)", re.MULTILINE
)
_BAR: Final = re.compile(r"(\\*)\|")
_NESTED: Final = r"\s*(?:(?:[-*+>]|[0-9]+[.)])\s+)*"
_FENCE: Final = re.compile(rf"({_NESTED})(`{{3,}})[^`]*\Z")
_QUIET: Final = re.compile(rf"\A(?P<before>{_NESTED})(?P<line>[^\W\d_].*?)\s*\Z")
_BETWEEN: Final = re.compile(r"(?:(?<=[^\W_])|(?<!.)) (?=[^\W_])")
"""A blank between words: any other could open emphasis if it were written as an entity."""
_SENTENCE: Final = re.compile(r".*\S[.,:;!?…。)]\Z")
_OPTION: Final = re.compile(r"\s--?\w")
_MOST_WORDS: Final = 8
_MOST_WORDS_OF_A_HEADING: Final = 4
"""Up to so many words without a full stop, a line may be a command; fewer where it begins with a capital."""
_LONGEST_NAME: Final = 24
"""No bot's name is longer: what is, may be a secret, which must be known again as it is."""
_EMPHASIS: Final = frozenset({"em_open", "em_close", "strong_open", "strong_close"})


@lru_cache(maxsize=128)
def neutralize(text: str, limit: int = 4_000) -> SafeMarkdown:
    """The text as Markdown that does nothing, at most some `limit` characters of it."""
    shown = _visible(text[:_INPUT_LIMIT])[:limit]
    settled = _settled(shown, lambda text: _render(_MARKDOWN.parse(text)).strip())
    return proven(_unbidden(settled), acts, lambda: fence(shown, "text"))


@lru_cache(maxsize=1024)
def neutralize_line(text: str, limit: int = 300) -> SafeMarkdown:
    """The same for a text that must stay on one line, and begins no block where the line begins with it."""
    one = " ".join(_visible(text).split())[:limit]
    settled = _settled(one, lambda line: " ".join(_render(_MARKDOWN.parseInline(line)).split()))
    line = _BLOCK.sub(lambda found: f"{found[0]}\\", settled)
    return (
        proven(line, lambda line: acts_in_a_line(line, cell(line)), lambda: code(one, limit))
        if one
        else _NOTHING
    )


_NOTHING: Final = SafeMarkdown("")


def proven(
    text: str, acting: Callable[[str], list[str]], plainly: Callable[[], SafeMarkdown]
) -> SafeMarkdown:
    """The text, if nothing in it acts when GitHub's own renderer has rendered it; else what is dead by its form."""
    return plainly() if acting(text) else SafeMarkdown(text)


def code(text: str, limit: int = 300) -> SafeMarkdown:
    """The text as inline code, whatever it holds."""
    one = _cut(_TICKS_IN_CODE, " ".join(_visible(text).split()))[:limit] or " "
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", one)), default=0))
    pad = " " if one.startswith("`") or one.endswith("`") else ""
    return SafeMarkdown(f"{ticks}{pad}{one}{pad}{ticks}")


def fence(text: str, language: str = "") -> SafeMarkdown:
    """The text as a block of code, whatever it holds."""
    whole = _visible(text).rstrip("\n")
    body = _cut(_TICKS_IN_FENCE, whole)
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", body)), default=0))
    if language == "suggestion" and body != text.replace("\r\n", "\n").rstrip("\n"):
        language = "text"  # to be taken as it is, or not at all
    lines = [f"{ticks}{language}", *(body.split("\n") if body else []), ticks]
    return SafeMarkdown("\n".join(lines if language == "suggestion" else _indented(lines)))


def cell(text: str) -> str:
    """Markdown of ours for a cell of a table: a bar that parts no cells has an odd number of backslashes before it."""
    return _BAR.sub(lambda found: found[1] + "\\" * (2 - (len(found[1]) + 1) % 2) + "|", text)


def _indented(fence: list[str]) -> list[str]:
    """A fence's lines; one to the right, which is not shown, where a line in it looks like a bot's command."""
    if not _COMMAND_IN_CODE.search("\n".join(fence[1:-1])):
        return fence
    return [f" {line}" if line else "" for line in fence]


def _cut(runs: re.Pattern[str], text: str) -> str:
    """With long runs of backticks cut short, visibly."""
    return runs.sub(lambda run: f"{run[0][:3]}…", text)


def summary(text: str, limit: int = 160) -> SafeMarkdown:
    """The text for a fold's summary, where Markdown is not read but HTML is, and mentions are."""
    one = " ".join(_visible(text).split())[:limit]
    pieces = _CODE_SPAN.split(one)  # every second one is what stands between two ticks
    parts = (
        f"<code>{escape(part, quote=False)}</code>" if alive else escape(part, quote=False)
        for at, piece in enumerate(pieces)
        for part, alive in ([(piece, True)] if at % 2 else _parted(piece))
    )
    return SafeMarkdown("".join(parts))


def _settled(text: str, once: Callable[[str], str]) -> SafeMarkdown:
    """Read once more what is written out, as GitHub will read it, until that changes nothing."""
    for _ in range(_PASSES):
        before, text = text, once(text)
        if text == before:
            break
    return SafeMarkdown(text)


def _unbidden(text: str) -> str:
    """The text, with no line of it a command to any bot: by what a line looks like, not by a list of bots.

    Bots read the source, people the page. A line of a few words, one with options, or one that begins with a small
    letter has its first letter written as an entity; a line of a few words its spaces too. The page is the same.
    """
    lines = text.split("\n")
    ends = ""
    begin = 0
    for at, line in enumerate(lines):
        opening = _FENCE.match(line)
        if ends and line.lstrip("> ") == ends:
            if line == ends:
                lines[begin : at + 1] = _indented(lines[begin : at + 1])
            ends = ""
        elif ends:
            continue
        elif opening:
            ends, begin = opening[2], at
        else:
            lines[at] = _QUIET.sub(_quieted, line)
    return "\n".join(lines)


def _quieted(found: re.Match[str]) -> str:
    line = found["line"]
    if len(line.split(None, 1)[0]) > _LONGEST_NAME:
        return found[0]
    small = line[0].islower()
    most = _MOST_WORDS if small else _MOST_WORDS_OF_A_HEADING
    short = len(line.split()) <= most and not _SENTENCE.match(line) and (small or "`" not in line)
    if not (small or short or _OPTION.search(line)):
        return found[0]
    rest = _BETWEEN.sub("&#32;", line[1:]) if short and "`" not in line else line[1:]
    return f"{found['before']}&#{ord(line[0])};{rest}"


def _render(tokens: list[Token]) -> str:
    return MDRenderer().render(list(_blocks(tokens)), _MARKDOWN.options, {})


def _visible(text: str) -> str:
    """Without what a person cannot see, nor one of our own hidden marks: the host finds its comments by them."""
    return _MARK.sub(r"\1 :", seen(text))


def _blocks(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        match token.type:
            case "html_block":
                yield Token(
                    "fence", "code", 0, content=_ended(token.content), markup="```", block=True
                )
            case "heading_open" | "heading_close":
                kind = token.type.replace("heading", "paragraph")
                yield Token(kind, "p", token.nesting, block=True, level=token.level)
            case "fence":
                language = re.match(r"[\w+-]*", token.info)
                named = language[0] if language else ""
                token.info = "" if named.lower() in DRAWN else named
                token.content = _ended(token.content)
                yield token
            case "code_block":
                token.content = _ended(token.content)
                yield token
            case "inline":
                token.children = list(_inline(token.children or []))
                yield token
            case _:
                yield token


def _ended(block: str) -> str:
    """Code with its last line ended, or the fence would close on that line, which is to say never."""
    return _cut(_TICKS_IN_FENCE, _visible(block).rstrip("\n")) + "\n"


def _inline(children: list[Token]) -> Iterator[Token]:
    """The tokens without life: texts that come to stand side by side are read as one, codes are kept apart."""
    harmless = list(_harmless(children))
    runs = [(kind, list(run)) for kind, run in groupby(harmless, key=lambda token: token.type)]
    starts = [True, *(kind in _BREAKS for kind, _ in runs)]
    ends = [*(kind in _BREAKS for kind, _ in runs[1:]), True]
    follows = [kind for kind, _ in runs[1:]] + [""]
    after_code = False
    for (kind, run), is_start, is_end, next_kind in zip(runs, starts, ends, follows, strict=False):
        dead = _text(run, is_start=is_start, is_end=is_end, before_code=next_kind == "code_inline")
        for token in dead if kind == "text" else run:
            is_code = token.type == "code_inline"
            if is_code and after_code:
                yield _plain(" ")
            yield token
            after_code = is_code


def _harmless(children: list[Token]) -> Iterator[Token]:
    strong = 0
    for token in children:
        match token.type:
            case "html_inline":
                yield _code(token.content)
            case "image":
                yield _code(f"image: {token.content or token.attrs.get('src', '')}")
            case "link_open":
                yield _code(str(token.attrs.get("href", ""))[:200])
                yield _plain(" ")
            case "link_close":
                pass
            case "s_open" | "s_close":  # read as GitHub does, so that both part the text alike
                yield _plain(token.markup)
            case "strong_open" | "strong_close":
                # GitHub writes no strong within strong: the texts would meet
                strong += token.nesting
                if strong == (token.nesting == 1):
                    yield token
            case "code_inline":
                yield _code(token.content)
            case _:
                yield token


def _text(
    tokens: list[Token], *, is_start: bool, is_end: bool, before_code: bool
) -> Iterator[Token]:
    # Once more without what cannot be seen: entities are read only now.
    text = re.sub(r"\s+", " ", _visible("".join(token.content for token in tokens)))
    text = text.lstrip() if is_start else text
    text = text.rstrip() if is_end else text
    begin = (_AT_START.match(text) or (is_end and _TABLE.fullmatch(text))) if is_start else None
    if begin:
        yield _code(begin[0])
        text = text[begin.end() :]
    formula = before_code and text.endswith("$")
    for part, alive in _parted(text[:-1] if formula else text):
        yield _code(part) if alive else _plain(part)
    if formula:
        yield _code("$")


def _parted(text: str) -> Iterator[tuple[str, bool]]:
    """The pieces of a text, and which of them are alive. What follows one is read as if nothing stood before it."""
    while found := ACTING.search(text):
        if found.start():
            yield text[: found.start()], False
        yield found[0], True
        text = text[found.end() :]
    if text:
        yield text, False


def _plain(text: str) -> Token:
    return Token("text", "", 0, content=text)


def _code(text: str) -> Token:
    content = _cut(_TICKS_IN_CODE, _visible(text).replace("\n", " ")) or " "
    return Token("code_inline", "code", 0, content=content, markup="`")
