"""The names that a repository's own recipes may use: known without the engine, so a file is checked at once."""

from __future__ import annotations

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

READING: Final = frozenset({"Read", "Grep", "Glob"})
"""All that an agent gets: whoever writes a repository's recipes must not be able to give it a shell on this host."""

EDITING: Final = READING | {"Edit", "Write"}
"""The same for verbs whose agents change files, each in a worktree of its own."""
