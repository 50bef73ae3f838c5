"""Adds to records what only this process knows: what agents say at this moment, and where they work."""

from __future__ import annotations

from claude_pool_gh.pool.model.records import ChainProgress, SlotRecord
from claude_pool_gh.pool.run.running import RunningChains


def with_words(live: RunningChains, progress: ChainProgress) -> ChainProgress:
    """The progress with what its agents say, where they are here."""
    held = live.held.get(progress.chain_id)
    if held is None or not held.runs:
        return progress
    said = [run.line.partial for run in held.runs.values() if run.line.partial]
    return progress.model_copy(update={"current_step_partial_output": "\n".join(said)})


def with_folder(live: RunningChains, slot: SlotRecord) -> SlotRecord:
    """The record with where its agent works, where that is here."""
    run = None if slot.current_task is None else live.run_of(slot.current_task)
    return (
        slot.model_copy(update={"worktree_path": str(run.folder)}) if run and run.folder else slot
    )
