"""Says in a shell's words what the library says in Python's: a message that names a setting names the flag here."""

from __future__ import annotations

import re
from typing import Final

_BUDGET: Final = (
    r"(?:TaskOverrides\.max_budget_usd|PoolConfig\.task_budget_usd|ChainOptions\.budget_usd)"
)
_RULES: Final = tuple(
    (re.compile(pattern), flag)
    for pattern, flag in (
        (r"its caps are set by .*PoolConfig\.budget_microdollars", "its cap is set by --budget"),
        (rf"{_BUDGET}(?:(?:, | or ){_BUDGET})*", "--budget"),
        (r"PoolConfig\.budget_microdollars", "--budget"),
        (r" or give ClaudeAgent\(key=\.\.\.\)", ""),
        (r"ClaudeAgent\(trusted=True\)", "--trusted"),
        (r"or say `state=True`, which keeps it in (.+)$", r"such as with --state-dir \1"),
        (r"PoolConfig\.scaling", "--slots"),
        (r" needs git: open the pool with `workspaces=.*", " needs git"),
        (
            r"add it to `allowed_tools`, or set `unattended_mode`, so that the agent is told no and goes on without",
            "allow it with --allow",
        ),
    )
)


def in_flags(text: str) -> str:
    """The text with flags in place of the library's settings."""
    for pattern, flag in _RULES:
        text = pattern.sub(flag, text)
    return text
