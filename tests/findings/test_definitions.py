"""The definitions around each line of a text."""

from __future__ import annotations

import random

from claude_pool_gh.findings.definitions import definition_of, definitions_of

_LINES = (
    "",
    "  ",
    "class Bill:",
    "def total(self):",
    "fn price() {",
    "if items:",
    "} else {",
    "}",
    "@cached",
    "# a note",
    "x = 1",
)


def test_one_pass_says_of_each_line_what_a_look_at_it_says() -> None:
    chance = random.Random(7)  # noqa: S311
    texts = [
        [" " * chance.randrange(12) + chance.choice(_LINES) for _ in range(chance.randrange(60))]
        for _ in range(300)
    ]
    texts.append([f"{'  ' * deep}def f{deep}():" for deep in range(20)])
    texts.append(["\tdef one():", "\t\tx", "        y", "z"])
    for lines in texts:
        each = [definition_of(lines, line) for line in range(1, len(lines) + 1)]
        assert list(definitions_of(lines)) == each
