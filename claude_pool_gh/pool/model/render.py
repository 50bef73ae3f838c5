"""Fills the placeholders of prompts: one pass, strict, and no value is ever expanded again.

A placeholder is `{steps.NAME.KEY}`, `{item.KEY}`, `{args.KEY}`, each with further keys where the value has them, or
`{previous_output}` or, in a recovery prompt, `{error}`. Every other brace is ordinary text, since prompts hold code.
A placeholder in double braces, `{{item}}`, is sent as `{item}`: so a text can speak of one.

`{thread.KEY}` is not filled here: whoever knows a thread puts a result's placeholder in its place, see `in_place_of`.

What looks like a placeholder and is none is a misspelt one: `look_alikes` finds it, so that it is refused before it
goes to a model as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from claude_pool_gh.pool.model.errors import RecipeError

_PATH: Final = r"(?:steps|item|args)(?:\.[A-Za-z_][A-Za-z0-9_-]*)*|previous_output|error"
_PLACEHOLDER: Final = re.compile(rf"\{{({_PATH})\}}")
_WRITTEN: Final = re.compile(rf"\{{\{{(?P<spoken_of>{_PATH})\}}\}}|\{{(?P<filled>{_PATH})\}}")
_THREAD: Final = re.compile(r"(?<!\{)\{thread\.([A-Za-z_][A-Za-z0-9_]*)\}(?!\})")
_ROOTS: Final = ("steps", "item", "args", "arguments")
_MEANT: Final = {"arguments": "args"}
_WORDS: Final = ("previous_output",)
_GROUP: Final = re.compile(r"(?<![${])\{ *([A-Za-z_]+)((?:\.[\w.\-| ]*)?) *\}(?!\})")
"""Words joined by dots, alone in single braces: no quotes, colons, commas, brackets or operators, as code and JSON have
them, and not `${...}` or `{{...}}`, which belong to other languages."""

ABSENT: Final = object()
"""Stands for the result of a step that was skipped: every path into it leads to nothing, and none is an error."""


def placeholders(template: str) -> Iterator[str]:
    """Every placeholder's path, in order, such as `steps.brief.title`."""
    return (match["filled"] for match in _WRITTEN.finditer(template) if match["filled"])


def spoken_of(template: str, is_filled: Callable[[str], bool]) -> str:
    """The template with double braces around placeholders that are not to be filled: they are sent as written."""

    def keep(match: re.Match[str]) -> str:
        return match[0] if match["filled"] and is_filled(match["filled"]) else f"{{{match[0]}}}"

    return _WRITTEN.sub(keep, template)


def thread_fields(template: str) -> Iterator[str]:
    """The parts that a template asks for of the thread that it runs on: the names behind `thread.`."""
    return (match[1] for match in _THREAD.finditer(template))


def in_place_of(template: str, paths: Mapping[str, str]) -> str:
    """The template with `{thread.NAME}` replaced by the placeholder of `paths[NAME]`, where that is known."""

    def put(match: re.Match[str]) -> str:
        return f"{{{paths[match[1]]}}}" if match[1] in paths else match[0]

    return _THREAD.sub(put, template)


def look_alikes(template: str, words: Collection[str] = ()) -> Iterator[tuple[str, str | None]]:
    """The texts in braces that look like a placeholder and are none, each with the one that may be meant, if any.

    That is a dotted path that begins with `steps`, `item` or `args`, or with one slip from there (a letter too much,
    too few, another or exchanged, or a capital), and `{previous_output}` with such slips. `words`: which other
    placeholders without a dot can stand here, such as `item`.
    """
    for match in _GROUP.finditer(template):
        if _PLACEHOLDER.fullmatch(match[0]):
            continue
        first, rest = match[1], match[2].strip()
        meant = _nearest(first, _ROOTS if rest else (*_WORDS, *words))
        if meant is not None and (rest or first not in words):
            right = f"{{{_MEANT.get(meant, meant)}{rest}}}"
            yield match[0], right if _PLACEHOLDER.fullmatch(right) else None


def render(template: str, values: Mapping[str, Any]) -> str:
    """The template with its placeholders filled: texts raw, other values as JSON.

    Raises RecipeError for a path that `values` does not have.
    """

    def put(match: re.Match[str]) -> str:
        if match["spoken_of"]:
            return f"{{{match['spoken_of']}}}"
        return _text(look_up(match["filled"], values))

    return _WRITTEN.sub(put, template)


def look_up(path: str, values: Mapping[str, Any]) -> Any:
    """The value at a dotted path. Raises RecipeError when a key is missing."""
    here: Any = values
    keys = path.split(".")
    for number, key in enumerate(keys):
        if here is ABSENT:
            return None
        if not isinstance(here, Mapping) or key not in here:
            raise RecipeError(f"`{path}` leads nowhere: {_missing(keys[:number], key, here)}")
        here = here[key]
    return None if here is ABSENT else here


def _missing(before: Sequence[str], key: str, here: Any) -> str:
    """The reason why a path leads no further from where it is."""
    place = f"`{'.'.join(before)}`" if before else "it"
    if not isinstance(here, Mapping):
        kind = {
            str: "a text",
            list: "a list",
            bool: "true or false",
            int: "a number",
            float: "a number",
        }
        return f"{place} is {kind.get(type(here), 'nothing')}, which has no `{key}`"
    return f"{place} has no `{key}`, but {', '.join(f'`{each}`' for each in sorted(map(str, here))) or 'nothing'}"


def _nearest(word: str, known: Sequence[str]) -> str | None:
    """The one of some words from which another is at most one slip away."""
    return next((each for each in known if _is_near(word.lower(), each)), None)


def _is_near(one: str, other: str) -> bool:
    """True where a letter added, left out, replaced or exchanged with its neighbour makes one word of the other."""
    short, long = sorted((one, other), key=len)
    at = next((i for i, letter in enumerate(short) if letter != long[i]), len(short))
    rest, more = short[at:], long[at:]
    swapped = rest[1:2] + rest[:1] + rest[2:]
    return (
        more in (rest, swapped)
        or more[1:] == rest
        or (len(rest) == len(more) and rest[1:] == more[1:])
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
