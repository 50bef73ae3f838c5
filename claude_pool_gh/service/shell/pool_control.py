"""The work of `claude-pool-gh pool` on chains started in a shell: it lists, decides, and lets them go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import click

from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.config import Isolation, microdollars
from claude_pool_gh.pool.model.ids import ChainId, new_id
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.plan import WorkspaceSpec
from claude_pool_gh.pool.model.records import PoolStatus, SlotFilter
from claude_pool_gh.pool.model.states import APPROVAL, ChainState
from claude_pool_gh.pool.store import (
    approvals,
    chain_results,
    chains,
    costs,
    listing,
    pool_cap,
    queries,
    resumption,
)
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.service.existing_database import existing_database
from claude_pool_gh.service.plain import echo_json
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.service.shell import script, stores
from claude_pool_gh.service.shell.following import Followed, follow, print_result
from claude_pool_gh.service.shell.pool_views import (
    ListedChain,
    PoolOverview,
    print_chains,
    print_overview,
)
from claude_pool_gh.service.shell.script_options import ScriptOptions
from claude_pool_gh.service.shell.show import show as print_chain
from claude_pool_gh.service.shell.stores import Store
from claude_pool_gh.service.shell.terminal import print_note
from claude_pool_gh.storage import Transaction
from claude_pool_gh.worktrees.local import LocalRepository

Deed = Literal["approve", "reject", "continue", "retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionOptions:
    """The decision on a chain, and how it goes on from there."""

    deed: Deed
    chain_id: str
    feedback: str = ""
    """Of a rejection."""
    only_decide: bool = False
    """Leave it to another command, or to the process that has the store, to go on."""
    run: ScriptOptions


async def status(settings: Settings, *, as_json: bool) -> None:
    """Print slots, tasks, chains and money of a pool's store, whoever works on it.

    The cap is the one that its newest work counts against; of a script's store, which has none, none is shown.
    """
    database = existing_database(settings.database)
    try:

        def read(tx: Transaction) -> PoolOverview:
            return PoolOverview(
                status=_status(tx, settings),
                slots=tuple(queries.slots(tx, SlotFilter())),
                unfinished=tuple(listing.progress(tx, unfinished=True)),
            )

        seen = await database.read(read)
    finally:
        database.close()
    if as_json:
        echo_json(seen.model_dump_json(indent=2))
    else:
        print_overview(seen)


async def list_chains(settings: Settings, folder: Path, *, every: bool, as_json: bool) -> None:
    """Print the chains that were started in a folder: those that have not ended or can go on or, with `every`, all."""
    found: list[ListedChain] = []
    for store in stores.known(settings, folder):
        busy = store.is_busy
        rows = await store.look_beside_others(
            lambda tx, store=store, busy=busy: _listed(tx, store, busy=busy)  # type: ignore[misc]
        )
        found += rows or ()
    shown = [each for each in found if every or each.next_command]
    if as_json:
        echo_json("[" + ",\n".join(each.model_dump_json(indent=2) for each in shown) + "]")
    elif shown:
        print_chains(shown)
    else:
        more = "" if every or not found else "; --all shows those that have ended"
        print_note(f"no chain waits here{more}")


async def show(settings: Settings, chain_id: str, step: str | None, *, as_json: bool) -> None:
    """Print a chain of the store that is named, of the server's usual one or, else, of a store of this folder."""
    own = stores.known(settings, Path())
    if own and not Path(settings.state_dir, "pool.sqlite").is_file():
        store = await stores.find(own, chain_id)
        settings = settings.model_copy(update={"database_url": store.url})
    await print_chain(settings, chain_id, step, as_json=as_json)


async def cancel(settings: Settings, folder: Path, chain_id: str, *, as_json: bool) -> None:
    """End a chain; what it finished and cost is kept. Raises ClickException for one that cannot be ended here."""
    store = await stores.find(stores.known(settings, folder), chain_id)

    def end(tx: Transaction) -> bool:
        chain = _own(tx, chain_id)
        if chain.state is ChainState.running and not store.is_busy:
            return _end_abandoned(tx, chain)
        chains.request_cancel(tx, chain_id, _now())
        return chain.state is not ChainState.done

    was_open = await store.change(end)
    if as_json:
        seen = await store.look(lambda tx: queries.chain_progress(tx, chain_id))
        echo_json(seen.model_dump_json(indent=2))
    print_note(f"{chain_id} is cancelled" if was_open else f"{chain_id} had ended already")


async def decide(options: DecisionOptions) -> int:
    """Decide on a chain and follow it to its end or its next gate. The exit code: 0 done, 2 waits, else 1."""
    run = options.run
    store = await stores.find(stores.known(run.settings, run.folder), options.chain_id)
    with script.in_shell_words():
        workspace = await _workspace(store, options)
        chain_id = await store.change(_decision(options, workspace))
        chain = await store.look(lambda tx: chains.get(tx, chain_id))
        if chain.state is ChainState.done:
            result = await store.look(lambda tx: chain_results.chain_result(tx, chain_id))
            if result is not None:
                return print_result(result, as_json=run.as_json)
    if chain_id != options.chain_id:
        print_note(f"{options.chain_id} continues as {chain_id}")
    if options.only_decide or not await _is_carried_here(store, chain_id):
        progress = await store.look(lambda tx: queries.chain_progress(tx, chain_id))
        if run.as_json:
            echo_json(progress.model_dump_json(indent=2))
        goes = "continues in the process that has its store" if store.is_busy else "is queued"
        print_note(f"{chain_id} {goes}")
        return 0
    return await _go_on(store, chain, run)


async def _is_carried_here(store: Store, chain_id: str) -> bool:
    """True where this command carries a chain on: a shell's, whose store is a folder that no other process has."""
    queue = await store.look(lambda tx: chains.pool_of(tx, chain_id))
    return store.state is not None and not store.is_busy and queue.startswith(script.POOL_PREFIX)


async def _go_on(store: Store, chain: ChainRow, run: ScriptOptions) -> int:
    """Carry a chain on in a pool of its own store, in the folder that it belongs to."""
    queue = await store.look(lambda tx: chains.pool_of(tx, chain.id))
    folder = Path(chain.plan.workspace.folder or run.folder)
    if not folder.is_dir():
        raise click.ClickException(f"{chain.id} works in {folder}, which is not there any more")
    here = replace(run, folder=folder, state=store.state)
    followed = Followed(
        ChainId(chain.id),
        chain.plan.verb,
        tuple(step.name for step in chain.plan.steps),
        run.as_json,
    )
    try:
        async with script.opened(here, name=queue.rpartition("@")[0] or queue) as pool:
            result = await follow(pool, followed, approve=False)
    finally:
        if store.state is not None and stores.is_own(store.state):
            await stores.tidy(store.state)
    return print_result(result, as_json=run.as_json)


def _decision(
    options: DecisionOptions, workspace: WorkspaceSpec | None
) -> Callable[[Transaction], str]:
    chain_id, budget = options.chain_id, options.run.budget_usd

    def decide(tx: Transaction) -> str:
        chain = _own(tx, chain_id)
        match options.deed:
            case "approve":
                approvals.approve(tx, chain_id, _now())
                return chain_id
            case "reject":
                approvals.reject(tx, chain_id, options.feedback, _now())
                return chain_id
            case "continue":
                cap = None if budget is None else microdollars(budget)
                return resumption.resume(tx, chain_id, new_id("chain"), _now(), budget=cap)
            case "retry":
                place = workspace or chain.plan.workspace
                return resumption.repeat(tx, chain_id, new_id("chain"), _now(), workspace=place)

    return decide


async def _workspace(store: Store, options: DecisionOptions) -> WorkspaceSpec | None:
    """The folder for a chain that is run once more: the same one, at the commit that is checked out there now."""
    if options.deed != "retry":
        return None
    chain = await store.look(lambda tx: _own(tx, options.chain_id))
    place = chain.plan.workspace
    if place.folder is None or not Path(place.folder).is_dir():
        return None
    repository = LocalRepository(Path(place.folder), Path(place.folder))
    return await repository.pinned(place.isolation or Isolation.none)


def _own(tx: Transaction, chain_id: str) -> ChainRow:
    """A chain that may be decided on in a shell. Raises ClickException for one that belongs to GitHub."""
    chain = chains.get(tx, chain_id)
    if chain.account:
        raise click.ClickException(
            f"{chain_id} belongs to a conversation on GitHub: use `/pool` there, with the permissions of that place"
        )
    return chain


def _end_abandoned(tx: Transaction, chain: ChainRow) -> bool:
    """End a chain whose process is gone, so that nobody would ever see the request."""
    chains.finish(tx, chain, Outcome(verdict=Verdict.cancelled), _now())
    return True


def _listed(tx: Transaction, store: Store, *, busy: bool) -> list[ListedChain]:
    found = [chains.get(tx, each.chain_id) for each in listing.progress(tx)]
    spent = costs.cost_of_chains(tx, [each.id for each in found])
    return [
        _row(tx, chain, spent.get(chain.id, (0, False))[0], store, busy=busy)
        for chain in found
        if not chain.account
    ]


def _row(tx: Transaction, chain: ChainRow, cost: int, store: Store, *, busy: bool) -> ListedChain:
    progress = queries.progress_of(chain, cost)
    left = chain.state in (ChainState.queued, ChainState.running) and store.state is not None
    interrupted = left and not busy
    return ListedChain(
        chain_id=chain.id,
        workflow=chain.plan.verb,
        state="interrupted" if interrupted else progress.status.value,
        waits_for=chain.parked_for,
        step=progress.current_step_name,
        finished_steps=progress.completed_steps,
        total_steps=progress.total_steps,
        cost_microdollars=cost,
        created_ms=chain.created_ms,
        verdict=chain.outcome.verdict if chain.outcome else None,
        reason=chain.outcome.reason if chain.outcome else "",
        next_command=_next(tx, chain, interrupted=interrupted),
        state_dir=None if store.state is None else str(store.state),
    )


def _next(tx: Transaction, chain: ChainRow, *, interrupted: bool) -> str | None:
    if chain.parked_for == APPROVAL:
        return f"claude-pool-gh pool approve {chain.id}"
    if chain.parked_for or interrupted or resumption.can_resume(tx, chain):
        return f"claude-pool-gh pool continue {chain.id}"
    return None if chain.state is ChainState.done else f"claude-pool-gh pool cancel {chain.id}"


def _status(tx: Transaction, settings: Settings) -> PoolStatus:
    chosen = "budget_usd" in settings.model_fields_set
    own = None if settings.budget_usd is None else microdollars(settings.budget_usd)
    return queries.status(tx, budget=own if chosen else pool_cap.newest(tx), shutdown=False)


def _now() -> int:
    return SystemClock().now_ms()
