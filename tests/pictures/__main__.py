"""`make pictures`: every scene, light and dark: in docs/pictures where a page shows it, else in build/pictures."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.pictures.page import PICTURES, Theme, browser, html, picture, shown
from tests.pictures.scenes import scenes

THEMES: tuple[Theme, ...] = ("light", "dark")


def main() -> int:
    """Take them all, or those that are named."""
    program = browser()
    if program is None:
        print("no browser: install chromium")
        return 2
    others = Path(__file__).parents[2] / "build" / "pictures"
    others.mkdir(parents=True, exist_ok=True)
    kept = shown()
    for name, markdown in scenes().items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        for theme in THEMES:
            file = f"{name}-{theme}.png"
            target = PICTURES if file in kept else others
            picture(program, html(markdown, theme), target / file)
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
