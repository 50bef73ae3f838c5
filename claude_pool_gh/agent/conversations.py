"""Keeps what was said in a run, so that a later one can go on with it, and brings it there.

The CLI writes a conversation under its configuration folder, which goes with the run, in a folder named after the
worktree, which is another one each time. So the file is carried from and to the slot's own folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from claude_pool_gh.pool.model.ids import checked
from claude_pool_gh.pool.model.ports import Conversation
from claude_pool_gh.storage.private import private_folder

_KEPT: Final = 50
"""Conversations that a slot keeps; the oldest goes first."""


def bring(conversation: Conversation | None, config: Path, folder: Path) -> None:
    """Put the conversation that goes on where the CLI looks for it.

    Raises LookupError where it is not kept any more.
    """
    if conversation is None or conversation.resume is None:
        return
    kept = _newest(conversation.home.parent, conversation.resume)
    if kept is None:
        raise LookupError(f"the conversation {conversation.resume} is not kept any more")
    from claude_agent_sdk import project_key_for_directory  # noqa: PLC0415 - half a second, and only runs need it

    place = config / "projects" / project_key_for_directory(folder)
    place.mkdir(parents=True)
    shutil.copyfile(kept, place / kept.name)


def _newest(homes: Path, session_id: str) -> Path | None:
    """The newest place of a conversation: a slot's name may be another process's by now, its session id is its own."""
    found = [file for file in homes.glob(f"*/{checked(session_id)}.jsonl") if file.is_file()]
    return max(found, key=lambda file: file.stat().st_mtime_ns, default=None)


def keep(conversation: Conversation | None, config: Path, session_id: str | None) -> None:
    """Take the run's conversation to the slot's folder."""
    if conversation is None or session_id is None:
        return
    private_folder(conversation.home)
    for file in (config / "projects").glob(f"*/{checked(session_id)}.jsonl"):
        if not file.is_symlink():
            shutil.copyfile(file, conversation.home / file.name)
            for older in conversation.home.parent.glob(f"*/{file.name}"):
                if older.parent != conversation.home:  # it went on here
                    older.unlink(missing_ok=True)
    kept = sorted(
        conversation.home.glob("*.jsonl"), key=lambda file: file.stat().st_mtime, reverse=True
    )
    for file in kept[_KEPT:]:
        file.unlink(missing_ok=True)
