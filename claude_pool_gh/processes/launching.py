"""Starts `launcher.py`, which starts a program."""

from __future__ import annotations

import marshal
import os
import py_compile
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

_LAUNCHER: Final = Path(__file__).with_name("launcher.py")


def prepared(
    folder: Path,
    program: str,
    environment: Mapping[str, str],
    how: str,
    writable: Sequence[str] | None = None,
) -> list[str]:
    """The command that starts a program for as long as this process lives; more arguments are the program's own.

    `how` is one of the launcher's modes. The folder keeps the launcher's orders as `launch`, and its number as `pid`.
    `writable` are the only files and folders that the program can change where the kernel has Landlock; None: all.
    """
    orders = {
        "program": program,
        "environment": dict(environment),
        "mode": how,
        "parent": os.getpid(),
        "pid_file": str(folder / "pid"),
        "writable": None if writable is None else list(writable),
    }
    (folder / "launch").write_bytes(marshal.dumps(orders))
    return [sys.executable, "-IS", str(_compiled()), str(folder / "launch")]


@cache
def mode() -> str:
    """`namespace` where this machine allows it, else `reaper`; CLAUDE_POOL_PROCESS_MODE can only choose the latter."""
    if os.environ.get("CLAUDE_POOL_PROCESS_MODE") == "reaper":
        return "reaper"
    probe = subprocess.run(  # noqa: S603 - our own file, no input
        [sys.executable, "-IS", str(_LAUNCHER), "--probe"],
        check=False,
        capture_output=True,
        timeout=30,
    )
    return "namespace" if probe.returncode == 0 else "reaper"


@cache
def can_confine() -> bool:
    """True where this kernel can keep a program from changing files outside of its own folders."""
    asked = subprocess.run(  # noqa: S603 - our own file, no input
        [sys.executable, "-IS", str(_LAUNCHER), "--landlock"],
        check=False,
        capture_output=True,
        timeout=30,
    )
    return asked.returncode == 0


@cache
def _compiled() -> Path:
    """The launcher as byte code: a script is compiled anew at each start, and every run waits for that."""
    try:
        return Path(py_compile.compile(str(_LAUNCHER), doraise=True) or _LAUNCHER)
    except (OSError, py_compile.PyCompileError):  # an installation that we may not write to
        return _LAUNCHER
