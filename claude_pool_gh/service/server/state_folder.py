"""The folder of a server's state: its owner's alone."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from claude_pool_gh.storage.private import close_to_others, open_to_others, private_folder

logger = logging.getLogger(__name__)


def close_state(folder: Path) -> None:
    """Keep what this process writes, and what an earlier one has written to the state folder, from other users."""
    os.umask(0o077)
    private_folder(folder)
    for ours in ("mirrors", "leases", "conversations"):
        if (folder / ours).is_dir():
            close_to_others(folder / ours)
    if open_to_others(folder):
        logger.warning(
            "%s can be read by other users of this machine: chmod 700 it",
            folder,
            extra={"action": "state_open"},
        )
