"""The names that a repository's own recipes may use: known without the engine, so a file is checked at once."""

from __future__ import annotations

import re
from typing import Final

BRIEF: Final = "thread.brief"
"""The host's step that any workflow may name: the thread in words, and the guidance."""

THREAD_FIELDS: Final = {
    "about": "about",
    "title": "title",
    "body": "description",
    "comments": "conversation",
    "place": "place",
    "linked": "linked",
    "checks": "checks",
    "files": "files",
    "diff": "diff",
    "findings": "findings",
}
"""What `{thread.NAME}` stands for in a workflow: the brief's result of that name. `about` is all but the findings."""

BRIEF_RESULT: Final = frozenset(THREAD_FIELDS.values()) | {
    "fence",
    "guidance",
    "questions",
    "request",
    "who",
}
"""What a step of the host's `thread.brief` hands on, as `{steps.NAME.FIELD}`."""

OF_THE_HOST: Final = frozenset({"propose", "open", "reply"})
"""Names of the steps that the host puts behind those of a workflow: they show a change, push it, or answer."""

OF_THE_HOST_TOLD: Final = (
    "no step may be called `{0}`: the host adds a step of this name behind the workflow's own"
)

NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
"""The name of a workflow that `/pool run` takes."""

READING: Final = frozenset({"Read", "Grep", "Glob"})
"""All that an agent gets: whoever writes a repository's recipes must not be able to give it a shell on this host."""

EDITING: Final = READING | {"Edit", "Write"}
"""The same for verbs whose agents change files, each in a worktree of its own."""
