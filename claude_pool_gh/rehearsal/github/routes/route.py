"""One operation of the API: GitHub's path template, its handler and what it needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from claude_pool_gh.rehearsal.github.routes.call import Answer, Call

Handler = Callable[[Call], Answer]

NOBODY = "nobody"
"""The `needs` of a route that asks for no credentials."""

# Parameters that may hold slashes.
TAILS = {"path": ".*", "ref": ".+", "basehead": ".+", "branch": ".+"}


@dataclass(frozen=True, slots=True)
class Route:
    """One operation under GitHub's own path template.

    `needs` is `app` (an App's JWT), empty (any token), `nobody` (no credentials), or permissions of
    which one must be there, such as `issues:write pull_requests:write`.
    """

    method: str
    template: str
    handler: Handler
    needs: str = ""

    @property
    def pattern(self) -> str:
        """The template as a regular expression over the still encoded path."""
        whole = re.escape(self.template).replace(r"\{", "{").replace(r"\}", "}")
        whole = whole.replace("/{path}", r"(?:/(?P<path>.*))?")
        return re.sub(
            r"\{(\w+)\}", lambda found: f"(?P<{found[1]}>{TAILS.get(found[1], '[^/]+')})", whole
        )
