"""The proof that the sandbox isolates, made before any repository's command runs in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

_NAMESPACES: Final = ("user", "net", "pid", "mnt", "ipc", "uts", "cgroup")
ASKED: Final = (
    "for each in "
    + " ".join(_NAMESPACES)
    + "; do echo $each $(readlink /proc/self/ns/$each); done; "
    "cat /proc/self/status; "
    "! [ -e {canary} ] || echo CANARY seen; "
    "! [ -w /usr ] && ! [ -w / ] && ! [ -w /dev ] || echo SYSTEM writable"
)
"""The command that tells what it finds. `{canary}` is a file of this server's."""
_WANTED: Final = {
    "CapEff:": ("0000000000000000", "it has rights of an administrator"),
    "CapBnd:": ("0000000000000000", "it can be given rights of an administrator"),
    "NoNewPrivs:": ("1", "it can get new rights from a program"),
    "Seccomp:": ("2", "its system calls are not filtered"),
}


def own_namespaces() -> dict[str, str]:
    """The namespaces of the process that asks."""
    return {name: str(Path(f"/proc/self/ns/{name}").readlink()) for name in _NAMESPACES}


def judged(told: str, own: Mapping[str, str]) -> str:
    """The things that a command finds and should not; empty where it isolates. `own` are the server's namespaces."""
    found = {words[0]: words[1] for line in told.splitlines() if len(words := line.split()) > 1}
    if "CANARY" in found:
        return "a command can see this server's own files"
    if "SYSTEM" in found:
        return "a command can write where it should not"
    if shared := [name for name in _NAMESPACES if found.get(name) in (None, own[name])]:
        return f"a command shares this server's {', '.join(shared)} namespace"
    faults = (fault for name, (wanted, fault) in _WANTED.items() if found.get(name) != wanted)
    return next((f"of a command: {fault}" for fault in faults), "")
