"""Runs an agent in a folder that is lent to it, and keeps what it changed there."""

from __future__ import annotations

import logging
from dataclasses import replace

from claude_pool_gh.pool.model.errors import NoWorkspace, SpoiledWorkspace
from claude_pool_gh.pool.model.ports import (
    Agent,
    AgentOutcome,
    AgentTask,
    CapturedChange,
    Ending,
    Workspace,
    WorkspaceRequest,
    Workspaces,
)
from claude_pool_gh.pool.run import agent_run
from claude_pool_gh.pool.run.contained import contained
from claude_pool_gh.pool.run.running import RunningTask

logger = logging.getLogger(__name__)


async def run_in_folder(
    agent: Agent,
    workspaces: Workspaces,
    work: AgentTask,
    wanted: WorkspaceRequest,
    live: RunningTask,
) -> tuple[AgentOutcome, CapturedChange | None]:
    """The outcome of a run, and what it changed in its folder, where it may.

    Raises nothing: whatever breaks is its end.
    """
    try:
        with contained():
            return await _run(agent, workspaces, work, wanted, live)
    except NoWorkspace as error:
        again = isinstance(error, SpoiledWorkspace)
        return AgentOutcome(ending=Ending.failed, reason=str(error), retryable=again), None
    except Exception as error:  # around one slot's task: whatever broke, slot and money come back
        logger.exception("run broke", extra={"action": "run_broke", "task": work.run_id})
        reason = f"the run could not be set up ({type(error).__name__})"
        # A folder that cannot be made is the task's own trouble: else one bad repository would wear out every slot.
        broken = live.folder is not None
        return AgentOutcome(
            ending=Ending.failed, reason=reason, retryable=True, broken=broken
        ), None


async def _run(
    agent: Agent,
    workspaces: Workspaces,
    work: AgentTask,
    wanted: WorkspaceRequest,
    live: RunningTask,
) -> tuple[AgentOutcome, CapturedChange | None]:
    async with workspaces.lease(wanted) as workspace:
        live.folder = workspace.folder
        outcome = await agent_run.run_agent(agent, work, workspace.folder, live.line)
        return await _captured(workspace, outcome) if wanted.writes else (outcome, None)


async def _captured(
    workspace: Workspace, outcome: AgentOutcome
) -> tuple[AgentOutcome, CapturedChange | None]:
    """The outcome with what the run changed. A success whose changes cannot be kept is none, but its words are."""
    try:
        return outcome, await workspace.capture()
    except NoWorkspace as error:
        completed = outcome.ending is Ending.completed
        ending, reason = (
            (Ending.failed, str(error)) if completed else (outcome.ending, outcome.reason)
        )
        return replace(outcome, ending=ending, reason=reason), None
