"""The README's table of verbs, made of their classes. `make readme` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.conversation.registry import handlers

README = Path(__file__).parents[2] / "README.md"
HEAD = "| command | on | does |\n|---|---|---|\n"
_TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")


def row(verb: Verb) -> str:
    usage = verb.usage.replace("|", "\\|")
    return f"| `{usage}` | {verb.where} | {verb.summary} |"


def table(verbs: Iterable[Verb]) -> str:
    return HEAD + "".join(f"{row(verb)}\n" for verb in verbs)


def written(text: str, verbs: Iterable[Verb]) -> str:
    """The README with the table of these verbs. Raises ValueError where it has no table."""
    new, times = _TABLE.subn(lambda _: table(verbs), text)
    if times != 1:
        raise ValueError(f"the README has {times} tables of verbs")
    return new


if __name__ == "__main__":
    README.write_text(
        written(README.read_text("utf-8"), [each.verb for each in handlers().values()]), "utf-8"
    )
