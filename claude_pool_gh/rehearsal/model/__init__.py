"""A scripted model: the Messages API over real HTTP, with answers written by a test or the demo."""

from __future__ import annotations

from claude_pool_gh.rehearsal.model.bill import Bill, Usage
from claude_pool_gh.rehearsal.model.script import (
    Answer,
    Fail,
    ModelRequest,
    Raw,
    Reply,
    Script,
    Text,
    ToolUse,
    say,
    use,
)
from claude_pool_gh.rehearsal.model.server import ScriptedModel

__all__ = [
    "Answer",
    "Bill",
    "Fail",
    "ModelRequest",
    "Raw",
    "Reply",
    "Script",
    "ScriptedModel",
    "Text",
    "ToolUse",
    "Usage",
    "say",
    "use",
]
