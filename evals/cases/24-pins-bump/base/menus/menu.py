"""Reading the menu."""

from __future__ import annotations

from dataclasses import dataclass

import yaml


class MenuError(ValueError):
    """The text is not a menu."""


@dataclass(frozen=True)
class Dish:
    name: str
    cents: int


def read_menu(text: str) -> dict[str, list[Dish]]:
    """The dishes by day."""
    try:
        days = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise MenuError(f"not YAML: {error}") from error
    if not isinstance(days, dict):
        raise MenuError("a menu is a mapping of days")
    try:
        return {
            str(day): [Dish(str(dish["name"]), int(dish["cents"])) for dish in dishes]
            for day, dishes in days.items()
        }
    except (TypeError, KeyError, ValueError) as error:
        raise MenuError("a dish has a name and its price in cents") from error
