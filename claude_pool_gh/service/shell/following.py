"""Follows a chain in a terminal, from where it is to its end or to a gate that nobody decides now."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from claude_pool_gh.local import Pool
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.outcomes import FAILURES
from claude_pool_gh.pool.model.records import ChainProgress, ChainResult
from claude_pool_gh.pool.store import chains, tasks
from claude_pool_gh.reports.figures import dollars
from claude_pool_gh.service.flags import in_flags
from claude_pool_gh.service.plain import echo_json
from claude_pool_gh.service.shell import gate
from claude_pool_gh.service.shell.gate import Choice, Decision, GateContent
from claude_pool_gh.service.shell.terminal import Terminal, print_answer, print_note
from claude_pool_gh.storage import Transaction

WAITS = 2
"""Exit code where a chain waits for a person."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A chain that is followed, and how it is shown."""

    chain_id: ChainId
    title: str
    steps: tuple[str, ...]
    as_json: bool


async def follow(pool: Pool, followed: Followed, *, approve: bool) -> ChainResult | ChainProgress:
    """The end of the chain or, where it waits for a decision that is not made now, how far it is.

    `approve`: every gate is approved without a question.
    """
    terminal, chain_id = Terminal(pool), followed.chain_id
    try:
        while True:
            async with terminal.watching(chain_id, title=followed.title, steps=followed.steps):
                result = await pool.wait_chain(chain_id)
            if result is not None:
                return result
            progress = await pool.chain_progress(chain_id)
            if progress.waits_for != "approval":
                await pool.go_on(chain_id)
                continue
            patch = await pool.database.read(lambda tx: patch_of(tx, chain_id))
            said = progress.review_output or ""
            content = GateContent(progress.current_step_name or "", said, patch)
            decision = await _decision(terminal, content, approve=approve)
            if decision.choice is Choice.later:
                return progress
            await _carry_out(pool, chain_id, decision)
    except asyncio.CancelledError:
        progress = await pool.chain_progress(chain_id)
        terminal.note(f"stopped after {dollars(progress.cost_microdollars)}; {ways_on(progress)}")
        raise


def patch_of(tx: Transaction, chain_id: str) -> str:
    """The changes of the step that waits, or the last one before it, as a diff; "" where nothing was changed."""
    chain = chains.get(tx, chain_id)
    waiting = None if chain.next_step is None else chain.steps[chain.next_step].work
    work = waiting or chain.work
    kept = tasks.kept_work(tx, work["run"]) if work else None
    return "" if kept is None else kept.patch.decode(errors="replace")


async def _decision(terminal: Terminal, content: GateContent, *, approve: bool) -> Decision:
    if not approve and terminal.interactive:
        return await gate.ask(terminal, content)
    gate.show(terminal, content)
    return Decision(Choice.approve if approve else Choice.later)


async def _carry_out(pool: Pool, chain_id: ChainId, decision: Decision) -> None:
    if decision.choice is Choice.approve:
        await pool.approve(chain_id)
    else:
        await pool.reject(chain_id, decision.feedback)


def print_result(result: ChainResult | ChainProgress, *, as_json: bool) -> int:
    """Print how a chain ended, or what it waits for. The exit code: 0 done, 2 waits, else 1."""
    if as_json:
        echo_json(result.model_dump_json(indent=2))
    if isinstance(result, ChainProgress):
        print_note(f"{result.chain_id} waits for approval; no decision was made. {ways_on(result)}")
        return WAITS
    if not as_json and (said := _said(result)):
        print_answer(said)
    for line in _lines(result):
        print_note(in_flags(line))
    return 0 if result.success else 1


def ways_on(progress: ChainProgress) -> str:
    """The commands that decide on a chain later."""
    if progress.waits_for == "approval":
        return f"Decide with: claude-pool-gh pool approve|reject|cancel {progress.chain_id}"
    return f"continue with: claude-pool-gh pool continue {progress.chain_id}"


def _said(result: ChainResult) -> str:
    """The last answer of a chain that came to its end. Why one failed, or was ended, is none: that stands beside it."""
    return "" if result.verdict in FAILURES else result.final_output


def _lines(result: ChainResult) -> list[str]:
    end = f"{result.verdict}: {result.reason}" if result.reason else result.verdict
    kept = f", kept as commit {result.commit}" if result.commit else ""
    lines = [
        f"{end}, {dollars(result.total_cost_microdollars, upper_bound=result.upper_bound)}{kept}"
    ]
    for step in result.steps:
        what = "skipped" if step.skipped else "done" if step.success else "failed"
        lines.append(
            f"  {step.name}: {what}, {dollars(step.cost_microdollars, upper_bound=step.upper_bound)}"
        )
    return lines
