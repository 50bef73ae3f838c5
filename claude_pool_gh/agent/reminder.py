"""Tells an agent that its turns are nearly used up, so that it hands in what it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from claude_pool_gh.agent.powers import RESULT_TOOL
from claude_pool_gh.pool.model.ports import AgentTask

_SOON: Final = 3
"""Turns before the last one, and with it, at which an agent is told."""


@dataclass(slots=True)
class Reminder:
    """A hook of the CLI's, called after the tools of each turn were answered."""

    task: AgentTask
    answered: Callable[[], int]
    """How often the model has spoken in this run."""
    told: set[int] = field(default_factory=set)

    async def hook(self, _call: Any, _use_id: str | None, _context: Any) -> Any:
        """The CLI's words to the model with the answers of its tools; nothing while there is time."""
        text = self.text()
        if not text:
            return {}
        return {"hookSpecificOutput": {"hookEventName": "PostToolBatch", "additionalContext": text}}

    def text(self) -> str:
        """The text to send now, each number of turns once."""
        left = self.task.turns - self.answered()
        if not 1 <= left <= min(_SOON, self.task.turns - 1) or left in self.told:
            return ""
        self.told.add(left)
        how = "give your answer with what you have"
        if self.task.schema:
            how = f"call {RESULT_TOOL} with what you have found so far"
        if left == 1:
            return f"This is your last turn. Use no other tool: {how} now. What you do not hand in is lost."
        return f"You have {left} turns left of {self.task.turns}. Come to an end: {how} before they are used up."
