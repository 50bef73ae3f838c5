"""`python -m tests.architecture.packages`: draws the picture of packages from the import contracts."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "explanation" / "architecture.md"
BEGIN: Final = "<!-- packages: begin -->\n"
END: Final = "<!-- packages: end -->\n"


def layers(container: str) -> list[list[str]]:
    """The layers of a package, the highest first; each with its members, which do not import one another."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    found = next(each for each in contracts if each.get("containers") == [container])
    return [[name.strip() for name in layer.split("|")] for layer in found["layers"]]


def rendered() -> str:
    """The layers of the whole package as a diagram: each imports only what lies below it."""
    return "\n".join(["```mermaid", *_lines(layers("claude_pool_gh")), "```", ""])


def _lines(every: list[list[str]]) -> Iterator[str]:
    yield "flowchart TB"
    for number, names in enumerate(every):
        yield f'    l{number}["{" · ".join(names)}"]'
    yield "    " + " --> ".join(f"l{number}" for number in range(len(every)))


def written(page: str) -> str:
    """A page with the picture as it is to be between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{rendered()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
