"""Tells steps whose agents would be told something else than a host's step has written for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from claude_pool_gh.pool.model.digests import changed
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.render import placeholders
from claude_pool_gh.pool.store.chains import ChainRow

WITHHELD: Final = (
    "what was to be read was kept without a part of it that looks like a secret; "
    "/pool retry begins anew"
)


def is_told_less(chain: ChainRow, step: Step) -> bool:
    """True where the agents of a step would be told what is kept, and that is not what was written."""
    lost = {
        f"steps.{name}.{value}"
        for name, result in chain.results.items()
        for value in changed(result)
    }
    return bool(lost) and any(
        path == each or path.startswith(f"{each}.") or each.startswith(f"{path}.")
        for path in _paths(step)
        for each in lost
    )


def _paths(step: Step) -> Iterator[str]:
    match step:
        case AgentRun():
            yield from _paths_of(step)
        case Branches():
            for run in step.branches:
                yield from _paths_of(run)
        case HostCall():
            return


def _paths_of(run: AgentRun) -> Iterator[str]:
    if run.each is not None:
        yield f"steps.{run.each}"
    for text in (run.prompt, run.system, run.recovery or "", *(run.arguments or {}).values()):
        yield from placeholders(text)
