"""Tells steps whose agents would be told something else than a host's step has written for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from claude_pool_gh.pool.model.digests import changed, changed_items
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.render import placeholders
from claude_pool_gh.pool.store.chains import ChainRow

WITHHELD_ITEM: Final = "what was to be read was kept without a part of it that looks like a secret"
WITHHELD: Final = f"{WITHHELD_ITEM}; /pool retry begins anew"


def is_told_less(chain: ChainRow, step: Step) -> bool:
    """True where the agents of a step would be told what is kept, and that is not what was written.

    Items with digests of their own do not count, see `lost_items`.
    """
    lost = {
        f"steps.{name}.{value}"
        for name, result in chain.results.items()
        for value in changed(result)
    }
    return bool(lost) and any(
        path == each or path.startswith(f"{each}.") or each.startswith(f"{path}.")
        for path in _paths(chain, step)
        for each in lost
    )


def lost_items(chain: ChainRow, step: Step) -> frozenset[int]:
    """The items of a step whose agents would be told something else than was written for them, and the others not."""
    if not isinstance(step, AgentRun) or step.each is None:
        return frozenset()
    name, _, value = step.each.partition(".")
    return changed_items(chain.results.get(name), value) or frozenset()


def _paths(chain: ChainRow, step: Step) -> Iterator[str]:
    match step:
        case AgentRun():
            if step.each is not None and not _has_digests_by_item(chain, step.each):
                yield f"steps.{step.each}"
            yield from _paths_of(step)
        case Branches():
            for run in step.branches:
                yield from _paths_of(run)
        case HostCall():
            return


def _has_digests_by_item(chain: ChainRow, each: str) -> bool:
    name, _, value = each.partition(".")
    return changed_items(chain.results.get(name), value) is not None


def _paths_of(run: AgentRun) -> Iterator[str]:
    for text in (run.prompt, run.system, run.recovery or "", *(run.arguments or {}).values()):
        yield from placeholders(text)
