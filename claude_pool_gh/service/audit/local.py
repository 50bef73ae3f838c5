"""`claude-pool-gh audit PATH`: audits the commit that is checked out in a folder, without GitHub."""

from __future__ import annotations

import asyncio
import shlex
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from claude_pool_gh.audits.model import AuditPlan
from claude_pool_gh.audits.outputs import json, summary
from claude_pool_gh.audits.rest import Rest, rest
from claude_pool_gh.conversation.audit import going_on
from claude_pool_gh.conversation.audit.brief import brief, planned
from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.conversation.recipes.recipe_terms import READING
from claude_pool_gh.local import recipes, usual_state
from claude_pool_gh.pool.model.caps import Caps
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.config import Isolation, microdollars
from claude_pool_gh.pool.model.ids import ChainId, new_id
from claude_pool_gh.pool.model.plan import Plan, WorkspaceSpec
from claude_pool_gh.pool.model.ports import HostStepContext
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import chains, continuation
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports.figures import dollars
from claude_pool_gh.service.audit import carrying, files, planning, reports
from claude_pool_gh.service.audit.carrying import Audited, Ended, Failed, Unchanged
from claude_pool_gh.service.audit.host import Shell
from claude_pool_gh.service.audit.options import AuditOptions
from claude_pool_gh.service.audit.progress import AuditProgress
from claude_pool_gh.service.audit.refused import (
    CLEAN,
    FINDINGS,
    NOT_COVERED,
    AuditRefused,
    exit_code,
    in_shell_words,
)
from claude_pool_gh.service.audit.untold import Untold
from claude_pool_gh.service.init import remote
from claude_pool_gh.service.plain import echo_json
from claude_pool_gh.service.shell import script
from claude_pool_gh.service.shell.terminal import print_answer, print_note
from claude_pool_gh.storage import Database, Transaction, backup, migrations
from claude_pool_gh.worktrees import foreign
from claude_pool_gh.worktrees.checkouts.removal import remove
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.local import LocalRepository

_AUDITS: Final = "audits"
_PLAN: Final = TypeAdapter(AuditPlan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A working folder, and the commit that is checked out there."""

    root: Path
    within: str
    """The part of it that was named, with a slash at its end; "" for the whole."""
    commit: str
    branch: str
    name: str


async def checkout_at(path: Path) -> Checkout:
    """The checkout that a path is in. Raises AuditRefused where there is none, or no commit yet."""
    here = path.resolve()

    async def ask(*arguments: str) -> str:
        return (await foreign.ask(*arguments, folder=here)).decode(errors="replace").strip()

    try:
        root = Path(await ask("rev-parse", "--show-toplevel"))
        commit = await ask("rev-parse", "--verify", "HEAD^{commit}")
    except WorktreeError as error:
        raise AuditRefused(
            f"{here} is in no git repository with a commit. Audits read commits: "
            f"commit what is to be read (`git init`, `git add`, `git commit`), or name another folder"
        ) from error
    if not here.is_relative_to(root):
        raise AuditRefused(
            f"the configuration of the repository in {here} names {root} as its working folder (`core.worktree`): "
            "name a folder in that"
        )
    try:
        branch = await ask("symbolic-ref", "--quiet", "--short", "HEAD")
    except WorktreeError:
        branch = "HEAD"  # detached
    try:
        name = (await asyncio.to_thread(remote.read, root)).remote.full_name
    except remote.NoRemote:
        name = root.name
    within = "" if here == root else f"{here.relative_to(root).as_posix()}/"
    return Checkout(root=root, within=within, commit=commit, branch=branch, name=name)


async def audit(options: AuditOptions, path: Path) -> int:
    """Audit a checkout, or plan it. The exit code: see `refused`."""
    checkout = await checkout_at(path)
    if checkout.within:
        options = replace(options, only=(*options.only, f"/{checkout.within}"))
    state = (options.state or usual_state(checkout.root) / _AUDITS) / options.audit
    if state.resolve().is_relative_to(checkout.root):
        raise AuditRefused(
            f"{state} lies in {checkout.root}, which agents read: name another folder with --state-dir"
        )
    with suppress(WorktreeError):
        await script.name_unsaved(checkout.root, but=options.out.resolve())
    if options.plan_only:
        return await _plan(options, checkout, state)
    files.writable(options.out)
    return await _run(options, checkout, state)


@dataclass(frozen=True, slots=True)
class _Bench:
    """The parts that an audit of one checkout works with."""

    options: AuditOptions
    checkout: Checkout
    repository: LocalRepository
    host: Shell

    @classmethod
    def of(
        cls, options: AuditOptions, checkout: Checkout, database: Database, trees: Path
    ) -> _Bench:
        """Join them; worktrees are made in `trees`."""
        repository = LocalRepository(checkout.root, trees)

        async def git_dir(_subject: Subject, _commits: Sequence[str]) -> Path:
            return await repository.git_dir()

        return cls(options, checkout, repository, Shell(database, SystemClock(), git_dir))

    async def plan(self) -> Plan:
        """The plan of a chain at the commit that is checked out. Raises AuditRefused."""
        options, checkout = self.options, self.checkout
        with in_shell_words():
            git_dir = await self.repository.git_dir()
            config = await planning.config_at(git_dir, checkout.commit)
            decided = planning.decided(options, config)
            library = replace(recipes(checkout.root), skill_tools=READING)
            steps = planning.steps_of(library, options, decided)
        subject = Subject(
            repository_id=0,
            repository=checkout.name,
            commit=checkout.commit,
            branch=checkout.branch,
            name=options.audit,
            kind=decided.kind,
            settings=decided.settings,
            paths=options.only,
            plan_only=options.plan_only,
        )
        workspace = WorkspaceSpec(
            isolation=Isolation.worktree, folder=str(checkout.root), commit=checkout.commit
        )
        return planning.plan_of(options, decided, steps, subject, workspace)


async def _plan(options: AuditOptions, checkout: Checkout, state: Path) -> int:
    """Print the plan. No key is needed, nothing is stored and nothing spent."""
    with tempfile.TemporaryDirectory(prefix="claude-pool-plan-") as scratch:
        async with _to_look(state, Path(scratch)) as database:
            bench = _Bench.of(options, checkout, database, Path(scratch) / "worktrees")
            plan = await bench.plan()
            with in_shell_words():
                made = planned(await brief(bench.host, HostStepContext("plan", plan, {})))
    if isinstance(made, str):
        raise AuditRefused(f"nothing would be read: {made}")
    if options.as_json:
        echo_json(_PLAN.dump_json(made, indent=2).decode())
    else:
        print_answer(reports.planned(made))
    return CLEAN


@asynccontextmanager
async def _to_look(state: Path, scratch: Path) -> AsyncIterator[Database]:
    """A copy of the store, so that what earlier runs cost is known and nothing is changed; an empty one without any."""
    file = state / carrying.FILE
    if file.is_file():
        await asyncio.to_thread(backup.copy, file, scratch / carrying.FILE)
    copy = Database.open(f"sqlite:///{scratch.absolute()}/{carrying.FILE}")
    try:
        migrations.upgrade(copy.engine)
        yield copy
    finally:
        copy.close()


async def _run(options: AuditOptions, checkout: Checkout, state: Path) -> int:
    async with carrying.opened_store(state) as database:
        bench = _Bench.of(options, checkout, database, state / "worktrees")
        chain = await _begun(bench, Untold(state))
        subject = Subject.model_validate(chain.plan.context)
        if chain.state is not ChainState.done:
            await _carry(bench, chain, subject, state)
        told = _report(bench, await carrying.ended(bench.host, chain.id), subject)
        Untold(state).clear()
        for checkouts in (state / "worktrees").glob("checkouts-*"):
            with suppress(OSError):  # they only take room, and the next run begins with them
                await asyncio.to_thread(remove, checkouts)
    return _code(told, subject, checkout)


def _code(told: int, subject: Subject, checkout: Checkout) -> int:
    """The exit code of a run for the commit that is checked out: one that was begun at another says nothing of it."""
    if subject.commit == checkout.commit:
        return told
    print_note(
        f"commit {checkout.commit[:9]}, which is checked out, was not read: run the same command again"
    )
    return NOT_COVERED


async def _carry(bench: _Bench, chain: ChainRow, subject: Subject, state: Path) -> None:
    """Let a pool carry the chain to its end. Interrupted, it writes the reports of what was found until then."""
    options, host = bench.options, bench.host
    try:
        async with carrying.opened_pool(
            options,
            host.database,
            state,
            workspaces=bench.repository,
            host=host,
            slots=options.slots or subject.settings.slots,
        ) as pool:
            shown = AuditProgress(host.database, chain.plan.limits.chain, host.clock.now_ms)
            async with shown.watching(lambda: [chain.id]):
                await pool.wait_chain(ChainId(chain.id))
    except asyncio.CancelledError:
        so_far = await carrying.ended(host, chain.id, interrupted=True)
        _report(bench, so_far, subject)
        raise


async def _begun(bench: _Bench, untold: Untold) -> ChainRow:
    """The chain that is carried: the unfinished one of the store, one without its reports, or a new one.

    Raises AuditRefused.
    """
    options, database = bench.options, bench.host.database
    left = await database.read(carrying.unfinished)
    begun = [each for each in left if each.state is not ChainState.queued]
    if begun and not options.fresh:
        subject = Subject.model_validate(begun[-1].plan.context)
        if subject.paths != options.only:
            asked = " ".join(f"--only {shlex.quote(each)}" for each in subject.paths)
            raise AuditRefused(
                f"an earlier run of this audit is unfinished, and read {asked or 'everything'}: ask for the same, "
                "or drop it with --fresh"
            )
        limit = begun[-1].plan.limits.chain
        budget = dollars(limit)
        if options.budget_usd is not None and microdollars(options.budget_usd) < limit:
            raise AuditRefused(
                f"an earlier run of this audit is unfinished, and may cost {budget}: leave out --budget to resume it, "
                "or drop it with --fresh"
            )
        print_note(
            f"going on with the run that was begun at commit {subject.commit[:9]} with {budget}"
        )
        return begun[-1]
    plan = await bench.plan()
    if not options.fresh and (ended := await untold.chain(database)) is not None:
        at = Subject.model_validate(ended.plan.context).commit[:9]
        if _is_same(ended, plan) and going_on.fits(ended, plan):
            print_note(
                f"writing the reports of the run at commit {at}, which ended before they were written"
            )
            return ended
        print_note(
            f"the run at commit {at} ended before its reports were written, and something else is asked for now: "
            "a new one begins, and knows the findings that were stored"
        )
    return await _anew(bench, untold, left, plan)


def _is_same(chain: ChainRow, plan: Plan) -> bool:
    """True where a chain reads the same commit for the same as one with this plan. Pure."""
    before, wanted = (Subject.model_validate(each.context) for each in (chain.plan, plan))
    return wanted.is_same(before)


async def _anew(bench: _Bench, untold: Untold, left: Sequence[ChainRow], plan: Plan) -> ChainRow:
    """A new chain, in place of what was left; with what one that was ended before its result has read."""
    options, database, now = bench.options, bench.host.database, bench.host.clock.now_ms()
    caps = Caps(task=plan.limits.task, chain=plan.limits.chain)
    chain_id = new_id("chain")

    def left_by(tx: Transaction) -> ChainRow | None:
        if options.fresh:
            return None
        ended = carrying.ended_last(tx)
        return going_on.left_by(tx, ended, plan, lambda each: _is_same(each, plan))

    def begin(tx: Transaction) -> ChainRow | None:
        for each in left:
            carrying.drop(tx, each, now)
        before = left_by(tx)  # also one that was just dropped, with what it had taken over
        carrying.add(tx, chain_id, plan, caps, now, folder=bench.repository.folder)
        if before is not None:
            continuation.take_over(tx, before, chain_id, now)
        return before

    untold.write(chain_id)
    if await database.transact(begin) is not None:
        print_note(
            f"going on with what the run before has read of commit {bench.checkout.commit[:9]} until it was ended; "
            "--fresh begins anew"
        )
    return await database.read(lambda tx: chains.get(tx, chain_id))


def again(options: AuditOptions, root: Path, only: Sequence[str]) -> str:
    """The command for a checkout with these paths, and the flags that decide what it finds and where that is kept."""
    flags: list[tuple[str, object]] = [("--audit", options.audit)]
    flags += [("--only", each) for each in only]
    flags += [("--model", options.model), ("--effort", options.effort)]
    flags += [("--state-dir", options.state)]
    given = [word for flag, value in flags if value is not None for word in (flag, str(value))]
    return shlex.join(["claude-pool-gh", "audit", str(root), *given])


def _to_go_on(subject: Subject, told: Audited) -> Rest:
    """The extent of the next command. What is not stored is known to the same one only."""
    if not told.stored:
        return Rest(paths=subject.paths, alone=told.goes_on)
    return rest(told.result.coverage, subject.paths, continues=subject.continues)


def _report(bench: _Bench, came_to: Ended, subject: Subject) -> int:
    """Write the reports, print what came of it, and give the exit code."""
    options = bench.options
    match came_to:
        case Audited(result):
            if not (result.coverage.whole and came_to.stored):
                left = _to_go_on(subject, came_to)
                command = again(options, bench.checkout.root, left.paths)
                result = replace(result, resume=command, resume_alone=left.alone)
            written = reports.write(result, subject.kind, options.out, options.forms)
            if options.as_json:
                echo_json(json.document(result).rstrip())
            else:
                print_answer(reports.told(result))
            print_note("reports: " + ", ".join(map(str, written)))
            return exit_code(result)
        case Unchanged(reason, open_):
            told = summary.severities(open_) or "nothing"
            print_note(f"nothing was read: {reason}; open from earlier runs: {told}")
            return FINDINGS if sum(open_.values()) else CLEAN
        case Failed(reason):
            print_note(f"nothing was audited: {reason}")
    return NOT_COVERED
