"""`make pictures`: every scene in docs/pictures, light and dark."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.pictures.page import Theme, browser, html, picture
from tests.pictures.scenes import scenes

THEMES: tuple[Theme, ...] = ("light", "dark")


def main() -> int:
    """Take them all, or those that are named."""
    program = browser()
    if program is None:
        print("no browser: install chromium")
        return 2
    target = Path(__file__).parents[2] / "docs" / "pictures"
    target.mkdir(exist_ok=True)
    for name, markdown in scenes().items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        for theme in THEMES:
            picture(program, html(markdown, theme), target / f"{name}-{theme}.png")
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
