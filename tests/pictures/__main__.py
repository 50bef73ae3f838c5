"""`make pictures`: every scene in docs/pictures, light and dark, where its words have changed since."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.pictures import png
from tests.pictures.page import Theme, browser, digest, picture
from tests.pictures.scenes import scenes

THEMES: tuple[Theme, ...] = ("light", "dark")


def main() -> int:
    """Take those that are not as they should be, or those that are named."""
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
            file = target / f"{name}-{theme}.png"
            is_named = name in sys.argv[1:]
            if not is_named and file.exists() and png.read(file).of == digest(markdown):
                continue
            picture(program, markdown, theme, file)
            print(file.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
