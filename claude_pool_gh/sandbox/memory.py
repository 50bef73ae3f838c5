"""The memory that a command holds: what its processes show, and what they have put out of sight.

A process can fill memory that it shares with nobody and take it out of its own tables: it is still there, and no count
of processes shows it. The kernel tells only how much of that kind there is on the whole machine. So where a process of
the command has such a mapping, all that was added on this machine since the command began is taken for the command's.
Memory that no process need have mapped cannot be had at all (see `filter`), and files in memory have their own bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from claude_pool_gh.sandbox.isolation import SHARED_MEMORY

_HIDDEN: Final = ("/dev/zero", "/memfd:", "/SYSV")
"""How the kernel names a mapping whose memory is no file's."""


def on_this_machine() -> int:
    """Bytes of memory on the whole machine that belongs to mappings or files in memory, not to one process."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("Shmem:"):
            return int(line.split()[1]) * 1024
    return 0


@dataclass(slots=True)
class MemoryUse:
    """The memory that a command may hold, and how much of the hidden kind there was before it began."""

    most: int
    before: int = field(default_factory=on_this_machine)

    def is_passed(self, processes: Sequence[psutil.Process]) -> bool:
        """True where these hold more than they may together, or hide more than that beside the files they may have."""
        shown, own = held(processes)
        if shown > self.most:
            return True
        added = on_this_machine() - self.before
        return own + added > 2 * self.most + SHARED_MEMORY and any(map(hides, processes))


def held(processes: Iterable[psutil.Process]) -> tuple[int, int]:
    """Bytes that processes show, and how much of that is each one's own."""
    shown = own = 0
    for each in processes:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            found = each.memory_info()
            shown += found.rss
            own += found.rss - found.shared
    return shown, own


def hides(process: psutil.Process) -> bool:
    """True where a process has a mapping whose memory no table need show; also where nobody may know."""
    try:
        lines = Path(f"/proc/{process.pid}/maps").read_text(errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return True
    return any(_is_hidden(line.split(maxsplit=5)) for line in lines)


def _is_hidden(parts: Sequence[str]) -> bool:
    return len(parts) == 6 and "s" in parts[1] and parts[5].startswith(_HIDDEN)
