"""Third step: what an agent stated and the host cannot find in the files goes back once, with the reason.

A claim must not be lost for the way it was written down. Where everything has its place, this costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from claude_pool_gh.conversation.review.facts import brief_of, facts_of
from claude_pool_gh.conversation.review.reading import held
from claude_pool_gh.conversation.review.stated import stated_by
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.findings.anchor import DroppedFinding
from claude_pool_gh.findings.model import Claim, Finding
from claude_pool_gh.pool.model.digests import with_digests
from claude_pool_gh.pool.model.ports import Done, HostStepContext

_MOST: Final = 20
_DIFF_LIMIT: Final = 20_000
_PLACE: Final = (
    *("path", "side", "start_line", "end_line", "evidence", "suggestion"),
    *("within", "within_digest", "nth", "code_digest"),
)


async def unplaced(services: Services, context: HostStepContext) -> Done:
    """The findings to be corrected, for one agent; an empty list where there are none."""
    facts, brief = facts_of(context), brief_of(context)
    stated = [finding for task in context.results["find"] for finding in stated_by(task).claims]
    mirror = services.worktrees.mirror(facts.thread.repository.id).path
    checked = await held(mirror, brief["merge_base"], facts.head, stated, brief["renamed"])
    odd = [
        (one, at) for one, at in zip(stated, checked, strict=True) if isinstance(at, DroppedFinding)
    ][:_MOST]
    if not odd:
        return Done({"unplaced": []})
    text = "\n\n".join(_told(one, at.reason) for one, at in odd)
    told = {"title": "findings without a place", "text": f"{text}{_diff(brief, odd)}"}
    return Done(with_digests({"unplaced": [told]}))


def _told(finding: Finding, reason: str) -> str:
    whole = json.dumps(
        finding.model_dump(mode="json", include=set(Claim.model_fields), exclude_none=True),
        ensure_ascii=False,
        indent=1,
    )
    return f"It cannot be placed because {reason}:\n{whole}"


def _diff(brief: Mapping[str, Any], odd: Sequence[tuple[Finding, DroppedFinding]]) -> str:
    """The diff of the files that the findings name, which a reader of the head does not see there."""
    meant = [
        group["text"]
        for group in brief["groups"]
        if any(_ends_alike(one, group["paths"]) for one, _ in odd)
    ]
    return f"\n\nThe diff of these files:\n\n{chr(10).join(meant)[:_DIFF_LIMIT]}" if meant else ""


def _ends_alike(finding: Finding, paths: Sequence[str]) -> bool:
    name = finding.path.strip("`").rpartition("/")[2].partition(":")[0]
    return any(path.rpartition("/")[2] == name for path in paths)


def corrected(
    stated: Sequence[Finding],
    checked: Sequence[Finding | DroppedFinding],
    again: Sequence[Finding | DroppedFinding],
) -> list[Finding | DroppedFinding]:
    """The stated findings, those that had no place with that of their correction, where it has one.

    A correction stands for one claim: of several with its title the one in its file, else the first. Only the place is
    taken from it: it was asked for nothing else, and has judged nothing.
    """
    left = [each for each in again if isinstance(each, Finding)]
    found = list(checked)
    odd = [at for at, each in enumerate(checked) if isinstance(each, DroppedFinding)]
    for elsewhere in (False, True):
        for at in odd:
            title, path = _key(stated[at].title), stated[at].path
            fits = (
                each
                for each in left
                if _key(each.title) == title and (elsewhere or each.path == path)
            )
            if isinstance(found[at], DroppedFinding) and (one := next(fits, None)) is not None:
                found[at] = stated[at].model_copy(
                    update={name: getattr(one, name) for name in _PLACE}
                )
                left.remove(one)
    return found


def _key(title: str) -> str:
    return " ".join(title.split()).casefold()
