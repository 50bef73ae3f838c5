"""The table of routes and how a path finds its place in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from claude_pool_gh.rehearsal.github.web.call import Answer, Call

Handler = Callable[[Call], Answer]

NOBODY = "nobody"
"""The `needs` of a route that asks for no credentials."""

# Parameters that may hold slashes.
TAILS = {"path": ".*", "ref": ".+", "basehead": ".+", "branch": ".+"}


@dataclass(frozen=True, slots=True)
class Route:
    """One operation under GitHub's own path template.

    `needs` is `app` (an App's JWT), empty (any token), `nobody` (no credentials), or permissions
    of which one must be there,
    such as `issues:write pull_requests:write`.
    """

    method: str
    template: str
    handler: Handler
    needs: str = ""
    cacheable: bool = field(default=True)

    @property
    def pattern(self) -> str:
        """The template as a regular expression over the still encoded path."""
        whole = re.escape(self.template).replace(r"\{", "{").replace(r"\}", "}")
        whole = whole.replace("/{path}", r"(?:/(?P<path>.*))?")
        return re.sub(r"\{(\w+)\}", lambda found: f"(?P<{found[1]}>{TAILS.get(found[1], '[^/]+')})", whole)


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
                return route, {name: unquote(value or "") for name, value in found.groupdict().items()}
        return None
