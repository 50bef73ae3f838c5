"""Print a menu."""

from __future__ import annotations

import sys
from pathlib import Path

from menus.menu import MenuError, read_menu


def main(argv: list[str]) -> int:
    if len(argv) != 1:
        print("usage: python -m menus FILE", file=sys.stderr)
        return 2
    try:
        menu = read_menu(Path(argv[0]).read_text(encoding="utf-8"))
    except (OSError, MenuError) as error:
        print(f"menus: {error}", file=sys.stderr)
        return 1
    for day, dishes in menu.items():
        print(day)
        for dish in dishes:
            print(f"  {dish.name:30} {dish.cents / 100:6.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
