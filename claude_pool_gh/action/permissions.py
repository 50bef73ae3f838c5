"""Which permission of the job's token an act on GitHub needs, and how a workflow grants it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.github.effects.registry import kinds
from claude_pool_gh.github.errors import ForgeRefused, GivenUp, NotFound

_MISSING: Final = frozenset({401, 403, 404})


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal by GitHub, and what would have prevented it: "" where no permission would."""

    what: str
    permission: str
    message: str
    is_githubs: bool = True
    """False where GitHub was not even reached, or said nothing of the kind."""

    @property
    def advice(self) -> str:
        """One line: the act, GitHub's words, what to change."""
        how = f" {grant(self.permission)}" if self.permission else ""
        told = (
            f"GitHub refused {self.what}"
            if self.is_githubs
            else f"{self.what[:1].upper()}{self.what[1:]} could not be written"
        )
        return f"{told}: {self.message.rstrip('.')}.{how}"


def of_effect(kind: str, refusal: ForgeRefused) -> Refusal:
    """The meaning of an effect's refusal. A token without a permission gets 404 in places where others get 403."""
    lacks = refusal.status in _MISSING or "not accessible by" in refusal.message
    # A check that is refused becomes a commit status, and what GitHub answers to that would be the wrong advice.
    named = "" if kind == "check" else refusal.permissions
    effect = kinds().get(kind)
    needed = (named or (effect.permission if effect else "")) if lacks else ""
    called = effect.called if effect else f"{kind!r}, which this version does not know"
    return Refusal(
        called, readable(needed), str(refusal), is_githubs=not isinstance(refusal, GivenUp)
    )


def of_read(what: str, needed: str, refusal: ForgeRefused) -> Refusal:
    """The same of something that had to be read."""
    return Refusal(what, readable(refusal.permissions or needed), str(refusal))


def is_missing(refusal: ForgeRefused) -> bool:
    """True where a refusal can come from a permission that the token lacks."""
    return refusal.status in _MISSING or isinstance(refusal, NotFound)


def readable(header: str) -> str:
    """`X-Accepted-GitHub-Permissions` as a workflow writes it: sets are separated by `;`, each needs all it lists."""
    sets = [
        " and ".join(f"`{_as_written(each)}`" for each in group.split(",") if each.strip())
        for group in header.split(";")
    ]
    return " or ".join(filter(None, sets))


def _as_written(permission: str) -> str:
    name, _, level = permission.strip().partition("=")
    return f"{name.replace('_', '-')}: {level or 'write'}"


def grant(permission: str) -> str:
    """The lines of a workflow that give its job a permission."""
    return f"Add {permission} to `permissions:` of this job in {workflow_file()}."


def workflow_file() -> str:
    """The workflow's file, as the runner names it: `OWNER/NAME/.github/workflows/FILE@REF`."""
    path = os.environ.get("GITHUB_WORKFLOW_REF", "").partition("@")[0]
    return "/".join(path.split("/")[2:]) or "the workflow's file"
