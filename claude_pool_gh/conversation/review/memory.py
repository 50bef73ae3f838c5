"""The conditions that a review is held against, and how much an earlier review has read under the very same ones."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_pool_gh.conversation.lookups.branch_point import goes_on_from
from claude_pool_gh.conversation.review.facts import ReviewFacts
from claude_pool_gh.conversation.review.reading import Difference, listed
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.tables import ReviewBasis
from claude_pool_gh.worktrees.errors import WorktreeError


def digest_of(facts: ReviewFacts, plan: Any, guidance: str) -> str:
    """Of all that decides what a review finds besides the code: configuration, recipe, skills, model, guidance."""
    said = {
        "configuration": facts.config_blob,
        "settings": facts.settings.model_dump(mode="json"),
        "steps": [step.model_dump(mode="json") for step in plan.steps],
        "base": facts.base_ref,
        "guidance": guidance,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


async def is_read_whole(
    services: Services, facts: ReviewFacts, against: ReviewBasis, found: Difference
) -> bool:
    """True where nothing at this very head is left out by the paths that the command names.

    Either they name all there is, or an earlier review has read everything under the very same conditions.
    """
    if found.whole and found.changes:
        return True
    last = await services.database.read(lambda tx: tables.last_reviewed(tx, facts.key))
    return last == against


@dataclass(frozen=True, slots=True)
class ReadBefore:
    """An earlier review that read everything and settled every claim, under the very same conditions."""

    head: str
    changed: frozenset[str]
    """The paths that have changed since."""


async def since_last(
    services: Services, facts: ReviewFacts, mirror: Path, against: ReviewBasis
) -> ReadBefore | None:
    """The last review of this thread, of which less is to be read now; None when the whole range is.

    Only where nothing but the head is another: a base that moved or was exchanged, other rules or another model ask
    about every line again.
    """
    last = await services.database.read(lambda tx: tables.last_reviewed(tx, facts.key))
    if last is None or last.head == facts.head or facts.paths or facts.focus:
        return None
    if (last.merge_base, last.digest) != (against.merge_base, against.digest):
        return None
    try:
        if not await goes_on_from(services, facts, mirror, last.head):
            return None  # the branch was rewritten
        changed = await listed(mirror, last.head, facts.head)
        return ReadBefore(last.head, frozenset(entry.path for entry in changed))
    except WorktreeError:
        return None
