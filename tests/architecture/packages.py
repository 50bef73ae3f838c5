"""`python -m tests.architecture.packages`: draws the pictures of packages from the import contracts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", ROOT / "docs" / "explanation" / "architecture.md")
PICTURE: Final = re.compile(
    r"(?P<begin><!-- packages of (?P<container>[\w.]+): begin -->\n)"
    r"(?P<picture>.*?)"
    r"(?P<end><!-- packages: end -->)",
    re.DOTALL,
)
"""The place of a picture in a page: between two comments, the first of which names the package that it shows."""


def layers(container: str) -> list[list[str]]:
    """The layers of a package, the highest first; each with its members, which do not import one another."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    found = next(each for each in contracts if each.get("containers") == [container])
    return [[name.strip() for name in layer.split("|")] for layer in found["layers"]]


def containers() -> list[str]:
    """The packages that have a contract on their layers."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    return [name for each in contracts for name in each.get("containers", [])]


def rendered(container: str) -> str:
    """The layers of a package as a diagram: each imports only what lies below it."""
    return "\n".join(["", "```mermaid", *_lines(layers(container)), "```", "", ""])


def _lines(every: list[list[str]]) -> Iterator[str]:
    yield "flowchart TB"
    for number, names in enumerate(every):
        yield f'    l{number}["{" · ".join(names)}"]'
    yield "    " + " --> ".join(f"l{number}" for number in range(len(every)))


def written(page: str) -> str:
    """A page with its pictures as they are to be."""
    return PICTURE.sub(
        lambda found: f"{found['begin']}{rendered(found['container'])}{found['end']}", page
    )


def shown(page: str) -> list[str]:
    """The packages that a page has a picture of."""
    return [found["container"] for found in PICTURE.finditer(page)]


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(written(path.read_text("utf-8")), "utf-8")
