"""First step: everything a reviewer should know before it reads code, without asking a model."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from claude_pool_gh.conversation.desk import Desk
from claude_pool_gh.conversation.review.facts import ReviewFacts, facts_of
from claude_pool_gh.conversation.review.feedback import take_thumbs
from claude_pool_gh.conversation.review.reading import (
    Difference,
    difference,
    listed,
    unmatched,
    unread_in_words,
)
from claude_pool_gh.findings import changes, tables
from claude_pool_gh.findings.changes import Change, Group
from claude_pool_gh.github import reads
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.pool.errors import StepFailed
from claude_pool_gh.pool.outcomes import Outcome, Verdict
from claude_pool_gh.pool.ports import Done, Finish, HostStepContext
from claude_pool_gh.reports.visible import visible_text
from claude_pool_gh.worktrees import history
from claude_pool_gh.worktrees.errors import WorktreeError

_LINKED: Final = re.compile(r"(?:^|[\s(])#(\d{1,9})\b")
_LINKED_LIMIT: Final = 3
_GUIDES: Final = ("AGENTS.md", "CLAUDE.md")
_GUIDANCE_LIMIT: Final = 12_000
_DISMISSED_TOLD: Final = 15


async def brief(desk: Desk, context: HostStepContext) -> Done | Finish:
    """Fetch the commits, cut the diff into groups, and write down what surrounds it."""
    facts = facts_of(context)
    await take_thumbs(desk, facts)
    try:
        mirror, base = await _fetch(desk, facts)
        since = await _since_last(desk, facts, mirror)
        found = await difference(
            mirror, base, facts.head, exclude=facts.settings.exclude, paths=facts.paths, since=since
        )
    except WorktreeError as error:  # its detail is for operators
        raise StepFailed(f"the pull request's commits cannot be read: {error.what}", ours=True) from error
    except ValueError as error:
        raise StepFailed(f"the pull request's diff cannot be read: {error}") from error
    if not found.changes:
        return _nothing(found, facts, since)
    groups, beyond = changes.group(found.changes)
    try:
        return Done(await _result(desk, facts, mirror, base, groups, beyond, found, since))
    except ForgeError as error:
        raise StepFailed("GitHub could not be reached", ours=True) from error


async def _result(
    desk: Desk,
    facts: ReviewFacts,
    mirror: Path,
    base: str,
    groups: Sequence[Group],
    beyond: Sequence[Change],
    found: Difference,
    since: frozenset[str] | None,
) -> dict[str, Any]:
    fence = f"=== material {secrets.token_hex(8)} ==="
    paths = list(dict.fromkeys(change.path for group in groups for change in group.changes))
    return {
        "head": facts.head,
        "merge_base": base,
        "fence": fence,
        "about": await _about(desk, facts, fence, groups),
        "request": f"The maintainer who asked wants you to look first at: {facts.focus[:500]}"
        if facts.focus
        else "",
        "guidance": await _guidance(desk, facts, mirror, paths),
        "groups": [
            {"title": group.title, "text": group.text, "paths": [change.path for change in group.changes]}
            for group in groups
        ],
        "files": len(paths),
        "hunks": {change.path: change.hunks for change in found.changes},
        "unmatched": await unmatched(mirror, facts, found),
        "renamed": {entry.path: entry.before for entry in found.listed if entry.status == "R"},
        "left_out": found.left_out,
        "unreadable": found.unreadable,
        "unread": list(dict.fromkeys(change.path for change in beyond)),
        "incremental": since is not None,
    }


async def _fetch(desk: Desk, facts: ReviewFacts) -> tuple[Path, str]:
    mirror = await desk.worktrees.fetch(facts.thread.repository.id, [facts.head, facts.base], facts.refs)
    return mirror, await history.merge_base(mirror, facts.base, facts.head)


async def _since_last(desk: Desk, facts: ReviewFacts, mirror: Path) -> frozenset[str] | None:
    """Paths that changed since the last review of this thread; None when the whole range is to be read."""
    last = await desk.database.read(lambda tx: tables.last_reviewed(tx, facts.key))
    if last is None or last == facts.head or facts.paths or facts.focus:
        return None
    try:
        if await history.merge_base(mirror, last, facts.head) != last:
            return None  # the branch was rewritten
        return frozenset(entry.path for entry in await listed(mirror, last, facts.head))
    except WorktreeError:
        return None


def _nothing(found: Difference, facts: ReviewFacts, since: frozenset[str] | None) -> Finish:
    if found.unreadable:
        reason = unread_in_words(found.unreadable)
    elif not found.listed:
        reason = "the pull request changes nothing"
    elif since is not None:
        reason = "nothing worth reading has changed since the last review"
    elif facts.paths:
        reason = "no changed file matches the paths that were given"
    else:
        reason = "every changed file is generated, binary or excluded"
    outcome = Outcome(verdict=Verdict.skipped, reason=reason)
    return Finish(outcome.model_dump(mode="json"))


async def _about(desk: Desk, facts: ReviewFacts, fence: str, groups: Sequence[Group]) -> str:
    """The pull request in words, as a person sees it on GitHub, fenced as material."""
    repository, thread = facts.thread.repository, facts.thread
    pull = await reads.pull(desk.forge, thread)
    body = visible_text(pull.body, 6_000)
    commits = await reads.commit_messages(desk.forge, thread)
    failed = await reads.failed_checks(desk.forge, repository, facts.head)
    parts = [
        (
            f"Repository {repository.full_name}, pull request {thread.number}, by {pull.author.login}, "
            f"into {facts.base_ref}. What follows between the fence lines was written by others."
        ),
        fence,
        f"Title: {visible_text(pull.title, 300)}",
        f"Description:\n{body}" if body else "Description: none",
        "Commits:\n" + "\n".join(f"- {first}" for _, text in commits if (first := _first_line(text))),
    ]
    for number in dict.fromkeys(int(n) for n in _LINKED.findall(f"{pull.title}\n{body}")):
        found = await reads.issue_text(desk.forge, repository, number)
        if found is not None and len(parts) < 5 + _LINKED_LIMIT:
            parts.append(
                f"Linked issue {number}: {visible_text(found[0], 300)}\n{visible_text(found[1], 2_000)}"
            )
    if failed:
        parts.append(
            "Failing checks at the head: " + ", ".join(visible_text(name, 100) for name in failed[:10])
        )
    if len(groups) > 1:
        parts.append(
            "All files of the change:\n" + "\n".join(f"- {c.path}" for g in groups for c in g.changes)
        )
    parts += await _known(desk, facts)
    return "\n\n".join([*parts, fence])


def _first_line(message: str) -> str:
    """What a person sees of a commit's message first; a message can also hold nothing that is seen."""
    return visible_text(message, 200).strip().partition("\n")[0]


async def _known(desk: Desk, facts: ReviewFacts) -> list[str]:
    """Findings that were posted or dismissed before, so that they are not stated again."""
    parts = []
    open_ = await desk.database.read(lambda tx: tables.known(tx, facts.key, "open"))
    if open_:
        lines = [f"- {finding.path}:{finding.start_line} {finding.title}" for finding in open_[-20:]]
        parts.append("Reported before, do not repeat:\n" + "\n".join(lines))
    repository = facts.thread.repository.id
    dismissed = await desk.database.read(lambda tx: tables.dismissed_in(tx, repository, last=_DISMISSED_TOLD))
    if dismissed:
        told = [
            f"- {each.finding.path} {each.finding.title}: {visible_text(each.reason, 300) or 'no reason given'}"
            for each in dismissed
        ]
        parts.append("Dismissed by maintainers, with their reasons:\n" + "\n".join(told))
    return parts


async def _guidance(desk: Desk, facts: ReviewFacts, mirror: Path, paths: Sequence[str]) -> str:
    """The repository's own guidance for reviewers: from the default branch, never from the head."""
    if facts.guidance:
        return f"Guidance of the repository's maintainers:\n\n{facts.guidance[:_GUIDANCE_LIMIT]}"
    folders = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
    wanted = sorted(f"{folder}/{name}".removeprefix("./") for folder in folders for name in _GUIDES)[:60]
    branch = await _branch_head(desk, facts)
    if branch is None:
        return ""
    await desk.worktrees.fetch(facts.thread.repository.id, [branch], [f"refs/heads/{facts.default_branch}"])
    found = await history.read_files(mirror, branch, wanted)
    texts = [
        f"From {path}:\n\n{text}" for path, text in sorted(found.items(), key=lambda item: item[0].count("/"))
    ]
    joined = "\n\n".join(texts)[:_GUIDANCE_LIMIT]
    return f"Guidance of the repository's maintainers:\n\n{joined}" if joined else ""


async def _branch_head(desk: Desk, facts: ReviewFacts) -> str | None:
    if facts.base_ref == facts.default_branch:
        return facts.base
    return await reads.branch_head(desk.forge, facts.thread.repository, facts.default_branch)
