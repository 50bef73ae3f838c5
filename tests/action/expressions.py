"""GitHub's expressions, as far as action.yml uses them; everything else is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<op>\|\||&&|==|!=|!|\(|\)|,)|(?P<name>[A-Za-z_][\w.-]*))"
)
STATUS = frozenset({"success", "failure", "cancelled", "always"})


def contains(search: Any, item: Any) -> bool:
    """Whether a list has the item, or a text the part; letters count in any case."""
    if isinstance(search, list):
        return any(shown(each).lower() == shown(item).lower() for each in search)
    return shown(item).lower() in shown(search).lower()


FUNCTIONS: Mapping[str, Callable[..., Any]] = {"contains": contains, "fromJSON": json.loads}


class NotKnown(Exception):
    """An expression that this runner does not know."""


def evaluate(text: str, contexts: Mapping[str, Any], status: Mapping[str, bool]) -> Any:
    """The value of an expression without its `${{ }}`."""
    return _Reader(list(_tokens(text)), contexts, status).whole()


def filled(template: str, contexts: Mapping[str, Any]) -> str:
    """A text with its expressions replaced by their values."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda each: shown(evaluate(each[1], contexts, {})), template)


def holds(condition: str | None, contexts: Mapping[str, Any], status: Mapping[str, bool]) -> bool:
    """Whether a step runs: without a word on the state so far, only where everything has succeeded."""
    text = (condition or "success()").removeprefix("${{").removesuffix("}}")
    if not any(f"{name}()" in text for name in STATUS):
        text = f"success() && ({text})"
    return bool(evaluate(text, contexts, status))


def shown(value: Any) -> str:
    """A value as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotKnown(text)
        at = match.end()
        yield str(match.lastgroup), match[str(match.lastgroup)]


class _Reader:
    def __init__(
        self, tokens: list[tuple[str, str]], contexts: Mapping[str, Any], status: Mapping[str, bool]
    ) -> None:
        self.tokens, self.contexts, self.status = tokens, contexts, status

    def whole(self) -> Any:
        value = self.either()
        if self.tokens:
            raise NotKnown(str(self.tokens))
        return value

    def _chain(
        self, operator: str, part: Callable[[], Any], join: Callable[[Any, Any], Any]
    ) -> Any:
        value = part()
        while self.tokens[:1] == [("op", operator)]:
            self.tokens.pop(0)
            value = join(value, part())
        return value

    def either(self) -> Any:
        return self._chain("||", self.both, lambda a, b: a or b)

    def both(self) -> Any:
        return self._chain("&&", self.same, lambda a, b: b if a else a)

    def same(self) -> Any:
        value = self._chain("==", self.one, lambda a, b: shown(a) == shown(b))
        while self.tokens[:1] == [("op", "!=")]:
            self.tokens.pop(0)
            value = shown(value) != shown(self.one())
        return value

    def one(self) -> Any:
        kind, text = self.tokens.pop(0)
        match kind, text:
            case "text", _:
                return text[1:-1].replace("''", "'")
            case "op", "!":
                return not self.one()
            case "op", "(":
                value = self.either()
                self.expect(")")
                return value
            case "name", _ if self.tokens[:1] == [("op", "(")] and text in FUNCTIONS:
                self.expect("(")
                return FUNCTIONS[text](*self.arguments())
            case "name", _ if self.tokens[:1] == [("op", "(")]:
                self.expect("(")
                self.expect(")")
                if text not in self.status:
                    raise NotKnown(f"{text}()")
                return self.status[text]
            case "name", _:
                return self.look_up(text)
            case _:
                raise NotKnown(text)

    def arguments(self) -> Iterator[Any]:
        """What stands between the parentheses of a call, the first of which is read already."""
        yield self.either()
        while self.tokens[:1] == [("op", ",")]:
            self.tokens.pop(0)
            yield self.either()
        self.expect(")")

    def expect(self, operator: str) -> None:
        if self.tokens[:1] != [("op", operator)]:
            raise NotKnown(str(self.tokens))
        self.tokens.pop(0)

    def look_up(self, name: str) -> Any:
        """`steps.X.outputs.Y` of what never ran is nothing; a context that nobody has is a mistake."""
        first, *rest = name.split(".")
        if first not in self.contexts:
            raise NotKnown(name)
        value: Any = self.contexts[first]
        for each in rest:
            value = value.get(each) if isinstance(value, Mapping) else None
        return value
