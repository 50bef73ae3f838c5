"""The table of routes: how a path is found in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from claude_pool_gh.rehearsal.github.routes.route import Route


@dataclass(frozen=True, slots=True)
class Table:
    """Every route, those with the longest fixed text first."""

    rows: Sequence[tuple[re.Pattern[str], Route]]

    @classmethod
    def of(cls, routes: Sequence[Route]) -> Table:
        """Compile the table once."""
        ordered = sorted(routes, key=lambda route: -len(re.sub(r"\{\w+\}", "", route.template)))
        return cls([(re.compile(route.pattern + r"\Z"), route) for route in ordered])

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route of a request and the parameters in its path."""
        for pattern, route in self.rows:
            if route.method == method and (found := pattern.match(path)):
                return route, {
                    name: unquote(value or "") for name, value in found.groupdict().items()
                }
        return None
