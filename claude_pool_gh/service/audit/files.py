"""Writes the files of an audit, and nothing through a link: a repository may ship one with the name of a report."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from uuid import uuid4

from claude_pool_gh.service.audit.refused import AuditRefused


def put(file: Path, text: str) -> None:
    """Let a file have this text, in place of whatever has its name, a link too. Raises AuditRefused, OSError."""
    make(file.parent)
    new = file.with_name(f".{file.name}.{uuid4().hex[:8]}")
    how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(new, how, 0o666), "w", encoding="utf-8") as opened:
            opened.write(text)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def writable(folder: Path) -> None:
    """Make the folder for reports, before anything is paid for that could not be told. Raises AuditRefused."""
    try:
        make(folder)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise AuditRefused(
            f"no report can be written to {folder} ({error}): name another --out"
        ) from error


def make(folder: Path) -> None:
    """Make a folder for reports. Raises AuditRefused where a repository's link leads to it, and OSError."""
    if (link := _shipped_link(folder)) is not None:
        raise AuditRefused(
            f"reports in {folder} would be written through the link {link}, which may be the repository's: "
            "remove it, or name another --out"
        )
    folder.mkdir(parents=True, exist_ok=True)


def _shipped_link(folder: Path) -> Path | None:
    """The first link on the way to a folder that may have come with a repository; one outside is the user's own."""
    here, whole = Path.cwd(), folder.absolute()
    for each in (*reversed(whole.parents), whole):
        if each.is_symlink():
            above = each.parent.resolve()
            if each.is_relative_to(here) or any(
                (place / ".git").exists() for place in (above, *above.parents)
            ):
                return each
    return None
