"""`make pictures`: every scene, light and dark, where its words have changed since.

Those that a page shows stand in docs/pictures, the others, to be looked at, in build/pictures.
"""

from __future__ import annotations

import sys

from tests.pictures import png
from tests.pictures.page import PICTURES, ROOT, Theme, browser, digest, picture, shown
from tests.pictures.scenes import scenes

THEMES: tuple[Theme, ...] = ("light", "dark")


def main() -> int:
    """Take those that are not as they should be, or those that are named."""
    program = browser()
    if program is None:
        print("no browser: install chromium")
        return 2
    others = ROOT / "build" / "pictures"
    others.mkdir(parents=True, exist_ok=True)
    kept = shown()
    for name, markdown in scenes().items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        for theme in THEMES:
            stem = f"{name}-{theme}.png"
            file = (PICTURES if stem in kept else others) / stem
            is_named = name in sys.argv[1:]
            if not is_named and file.exists() and png.read(file).of == digest(markdown):
                continue
            picture(program, markdown, theme, file)
            print(file.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
