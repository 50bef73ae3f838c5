"""`claude-pool-gh audit` over many repositories: opens the run, carries it, and writes its overview."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from claude_pool_gh.audits.fleet import outputs
from claude_pool_gh.audits.fleet.model import Overview, RowState
from claude_pool_gh.audits.model import AuditPlan
from claude_pool_gh.local import state_home
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.config import microdollars
from claude_pool_gh.pool.model.ids import new_id
from claude_pool_gh.reports.figures import dollars
from claude_pool_gh.reports.words import count
from claude_pool_gh.service.audit import carrying, files, reports
from claude_pool_gh.service.audit.fleet import record
from claude_pool_gh.service.audit.fleet.asked import asked, store_name
from claude_pool_gh.service.audit.fleet.carry import Fleet, FleetLogins, Later, NotAudited, host_of
from claude_pool_gh.service.audit.fleet.options import FleetOptions
from claude_pool_gh.service.audit.fleet.reader import Reader
from claude_pool_gh.service.audit.fleet.record import FleetRun
from claude_pool_gh.service.audit.fleet.rows import rows
from claude_pool_gh.service.audit.options import Form
from claude_pool_gh.service.audit.progress import AuditProgress
from claude_pool_gh.service.audit.refused import (
    CLEAN,
    FINDINGS,
    NOT_COVERED,
    AuditRefused,
)
from claude_pool_gh.service.plain import echo_json
from claude_pool_gh.service.shell.terminal import print_answer, print_note
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.worktrees.leases import Worktrees

_FLEETS: Final = "fleets"
_SLOTS: Final = 4
_FORMS: Final[dict[Form, Callable[[Overview], str]]] = {
    Form.md: outputs.markdown,
    Form.json: outputs.json,
    Form.html: outputs.html,
}
"""Code scanning has no form for several repositories; each one's own report has."""


class FleetPlan(BaseModel):
    """The plans of a fleet's repositories, and why some have none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal[1] = 1
    plans: tuple[AuditPlan, ...]
    not_planned: dict[str, str]
    """The reason, by repository."""
    left_out: dict[str, int]
    """By the filters, for each reason."""


async def audit(options: FleetOptions) -> int:
    """Audit the repositories of a fleet, or plan it. The exit code: see `refused`."""
    if not options.each.plan_only:
        files.writable(options.each.out)
    state = _state(options)
    reader = Reader(options.each.settings)
    if options.budget_usd is None and not options.each.plan_only:
        raise AuditRefused(
            "say with --budget what all repositories together may cost; --plan shows an estimate, for nothing"
        )
    async with carrying.opened_store(state) as database:
        run = await opened(options, state, reader, database)
        logins = FleetLogins(reader, {each.id: each for each in run.repositories})
        worktrees = Worktrees(state.absolute(), logins, tries=3)
        worktrees.sweep()
        fleet = Fleet(
            options=options,
            state=state,
            run=run,
            budget=microdollars(options.budget_usd or 0),
            reader=reader,
            host=host_of(database, worktrees),
            worktrees=worktrees,
        )
        if options.each.plan_only:
            return await _plan(fleet)
        return await _carry(fleet, database)


def _state(options: FleetOptions) -> Path:
    base = options.each.state or state_home() / _FLEETS / store_name(options)
    return base / options.each.audit


async def opened(
    options: FleetOptions, state: Path, reader: Reader, database: Database
) -> FleetRun:
    """The run that is carried: the unfinished one of the store, or a new one over what GitHub lists now."""
    known, wanted = None if options.each.fresh else record.read(state), asked(options)
    if known is not None and known.ended_ms is None:
        if others := ", ".join(known.asked.differences(wanted)):
            raise AuditRefused(
                f"an earlier run in {state} is unfinished, and was asked for something else: {others}. "
                "Ask for the same to resume it, drop it with --fresh, or name another --state-dir"
            )
        left = len(known.repositories) - len(known.settled)
        if not options.each.plan_only:
            print_note(f"going on with a run over {_repositories(left)}")
        return known
    every = await asyncio.to_thread(reader.every, options.source)
    kept, left_out = options.filters.apply(every)
    run = FleetRun(
        id=new_id("fleet"),
        source=options.source.words,
        asked=wanted,
        started_ms=_now(),
        repositories=tuple(kept),
        left_out=dict(left_out),
        settled={each.full_name: each.unreadable for each in kept if each.unreadable},
    )
    if options.each.plan_only:
        return run

    def drop(tx: Transaction) -> None:
        for chain in carrying.unfinished(tx):
            carrying.drop(tx, chain, _now())

    await database.transact(drop)
    record.write(state, run)
    return run


async def _plan(fleet: Fleet) -> int:
    """Print what would be read of each repository, and what that may cost. The exit code is 2 where none has a plan."""
    plans, problems = [], dict(fleet.run.settled)
    for found in fleet.left():
        try:
            plans.append(await fleet.planned(found))
        except (NotAudited, Later, OSError) as error:
            problems[found.full_name] = str(error)
    if fleet.options.each.as_json:
        told = FleetPlan(plans=tuple(plans), not_planned=problems, left_out=fleet.run.left_out)
        echo_json(told.model_dump_json(indent=2))
    else:
        cost = sum(each.estimate.cost.likely for each in plans)
        for plan in plans:
            print_answer(reports.headline(plan))
        print_answer(f"{_repositories(len(plans))}, about {dollars(cost)}")
    for name, why in problems.items():
        print_note(f"{name}: {why}")
    return CLEAN if plans else NOT_COVERED


async def _carry(fleet: Fleet, database: Database) -> int:
    slots = fleet.options.each.slots or _SLOTS
    shown = AuditProgress(database, fleet.budget, fleet.host.clock.now_ms)
    try:
        async with (
            carrying.opened_pool(
                fleet.options.each,
                database,
                fleet.state,
                workspaces=fleet.worktrees,
                host=fleet.host,
                slots=slots,
            ) as pool,
            shown.watching(fleet.chains),
        ):
            await fleet.carry(pool, slots)
    except asyncio.CancelledError:
        await _report(fleet)
        raise
    told, ended = await _report(fleet), _now()
    if all(row.state is not RowState.waiting for row in told.rows):
        # Only now: a run that has ended is not taken up again by anybody who would write its reports.
        fleet.run = fleet.run.model_copy(update={"ended_ms": ended})
        record.write(fleet.state, fleet.run)
        await fleet.remove_unused_mirrors()
    return exit_code(told)


async def _report(fleet: Fleet) -> Overview:
    """Write the overview and each repository's reports, and print the overview."""
    options, run = fleet.options.each, fleet.run
    overview = Overview(
        audit=options.audit,
        source=run.source,
        rows=tuple(await rows(fleet)),
        budget=fleet.budget,
        started_ms=run.started_ms,
        ended_ms=_now(),
        left_out=run.left_out,
    )
    written = []
    for form in options.forms:
        if (make := _FORMS.get(form)) is not None:
            file = options.out / f"overview.{form}"
            files.put(file, make(overview))
            written.append(file)
    if options.as_json:
        echo_json(outputs.json(overview).rstrip())
    else:
        print_answer(outputs.plain(overview))
    if written:
        print_note("overview: " + ", ".join(map(str, written)))
    else:
        print_note(
            f"no overview was written, since SARIF has no form for it: add --format md, html or json. "
            f"Reports: {options.out}/OWNER/NAME"
        )
    if fleet.postponed:
        print_note("run the same command to resume with what could not be read now")
    return overview


def exit_code(overview: Overview) -> int:
    """The exit code that says what came of a fleet: the worst of its rows. Pure."""
    if not overview.is_whole:
        return NOT_COVERED
    return FINDINGS if any(overview.open.values()) else CLEAN


def _now() -> int:
    return SystemClock().now_ms()


def _repositories(number: int) -> str:
    return count(number, "repository", "repositories")
