"""The built-in workflows and skills: data, and the one function that opens it."""

from __future__ import annotations

from importlib.resources import files


def built_in(path: str) -> str | None:
    """The text of a built-in recipe, such as `workflows/review.yml`; None when there is none."""
    found = files(__name__).joinpath(path)
    return found.read_text("utf-8") if found.is_file() else None
