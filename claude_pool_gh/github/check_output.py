"""Which checks failed at a commit, and what they say of it: check runs of anybody but us, and commit statuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.check_key import is_ours
from claude_pool_gh.github.client import checked
from claude_pool_gh.github.errors import ForgeRefused
from claude_pool_gh.terms.ids import Repository

_FAILED: Final = frozenset({"failure", "timed_out"})
_FAILED_STATES: Final = frozenset({"failure", "error"})
_CHECKS_LIMIT: Final = 10
_ANNOTATIONS_LIMIT: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCheck:
    """A check that failed. Whatever it says may come from the pull request itself."""

    name: str
    title: str = ""
    summary: str = ""
    text: str = ""
    annotations: tuple[str, ...] = ()
    """As `path:line message`."""
    paths: tuple[str, ...] = ()
    """The files that these are about."""


@checked
async def failed(forge: Forge, repository: Repository, commit: str) -> list[FailedCheck]:
    """The checks that failed at a commit; none where we may not read them."""
    found = [await _run(forge, repository, run) for run in await _runs(forge, repository, commit)]
    return found + await _statuses(forge, repository, commit)


@checked
async def names_of_failed(forge: Forge, repository: Repository, commit: str) -> list[str]:
    """Only what they are called."""
    names = [str(run["name"]) for run in await _runs(forge, repository, commit)]
    return names + [each.name for each in await _statuses(forge, repository, commit)]


async def _runs(forge: Forge, repository: Repository, commit: str) -> list[Any]:
    every = forge.pages(repository, f"/commits/{commit}/check-runs", key="check_runs")
    return await _first(
        every, lambda run: run.get("conclusion") in _FAILED and not _is_our_run(run)
    )


async def _statuses(forge: Forge, repository: Repository, commit: str) -> list[FailedCheck]:
    every = forge.pages(repository, f"/commits/{commit}/status", key="statuses")
    found = await _first(
        every, lambda one: one.get("state") in _FAILED_STATES and not _is_named_ours(one["context"])
    )
    return [
        FailedCheck(name=str(one["context"]), title=str(one.get("description") or ""))
        for one in found
    ]


async def _first(listing: AsyncIterator[Any], is_wanted: Callable[[Any], bool]) -> list[Any]:
    """The first of a listing that are wanted, on whichever page they stand; none where we may not read it."""
    found: list[Any] = []
    try:
        async for each in listing:
            if is_wanted(each):
                found.append(each)
                if len(found) == _CHECKS_LIMIT:
                    break
    except ForgeRefused:
        return []
    return found


def _is_our_run(run: Any) -> bool:
    return is_ours(str(run.get("external_id") or "")) and _is_named_ours(run["name"])


def _is_named_ours(name: Any) -> bool:
    return str(name).startswith("claude-pool/")


async def _run(forge: Forge, repository: Repository, run: Any) -> FailedCheck:
    output = run.get("output") or {}
    annotations: list[Any] = []
    if output.get("annotations_count"):
        try:
            annotations = await forge.read(
                repository, f"/check-runs/{int(run['id'])}/annotations", per_page=_ANNOTATIONS_LIMIT
            )
        except ForgeRefused:
            annotations = []
    return FailedCheck(
        name=str(run["name"]),
        title=str(output.get("title") or ""),
        summary=str(output.get("summary") or ""),
        text=str(output.get("text") or ""),
        annotations=tuple(_line(each) for each in annotations),
        paths=tuple(dict.fromkeys(str(each["path"]) for each in annotations)),
    )


def _line(annotation: Any) -> str:
    said = " ".join(
        str(annotation.get(key) or "") for key in ("title", "message", "raw_details")
    ).strip()
    return f"{annotation['path']}:{annotation['start_line']} {said}"
