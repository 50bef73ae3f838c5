"""The skill that a request to the model is made with, by its name in the package."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from claude_pool_gh.rehearsal.model import ModelRequest

_FRONT_MATTER = re.compile(r"---\n.*?\n---\n", re.DOTALL)


@cache
def openings() -> dict[str, re.Pattern[str]]:
    """Name of each packaged skill -> its first line, whatever is filled into it."""
    folder = files("claude_pool_gh").joinpath("recipes", "skills")
    texts = {each.name: each.joinpath("SKILL.md") for each in folder.iterdir() if each.is_dir()}
    return {
        name: _opening(file.read_text("utf-8")) for name, file in texts.items() if file.is_file()
    }


def _opening(text: str) -> re.Pattern[str]:
    body = _FRONT_MATTER.sub("", text, count=1).strip()
    fixed = re.split(r"\{[^{}]*\}", body.partition("\n")[0])
    return re.compile("^" + ".*".join(map(re.escape, fixed)), re.MULTILINE)


def skill_of(request: ModelRequest) -> str:
    """The packaged skill that the agent follows, "" where it is none of them.

    The first that is told counts: what an agent reads later may quote another.
    """
    told = f"{request.system}\n{request.text}"
    found = {
        name: match.start() for name, line in openings().items() if (match := line.search(told))
    }
    return min(found, key=found.__getitem__) if found else ""
