"""The channel from a step to the runner: workflow commands in its log, outputs and summary in files.

Standard library only.

A line of a log can be a command to the runner. Only `command` makes one; whatever others have worded goes through
`plain` before it is printed, so that it never is one.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Mapping

SUMMARY_LIMIT = 1_000_000
"""Bytes. Above 1 MiB the runner uploads nothing of a step's summary, and only logs an error."""
_CUT = "\n\n*This summary was cut at GitHub's limit.*\n"
_LINE_LIMIT = 2_000


def plain(text: str) -> str:
    """A text as one line of a log that the runner does not obey: in neither of the forms of its commands.

    `::name::` counts where a line begins with it, blanks aside; `##[name]` and its elder `##vso[` count anywhere.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:_LINE_LIMIT]).split())
    line = re.sub("#(?=#)", "# ", line)
    return ": :" + line[2:] if line.startswith("::") else line


def escaped(text: str) -> str:
    """The data of a workflow command: one line, which the runner shows as it was."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def command(name: str, text: str) -> str:
    """A workflow command: `error`, `warning` or `notice`."""
    return f"::{name}::{escaped(text)}"


def say(line: str) -> None:
    """Print a line of the step's log now."""
    print(line, flush=True)  # noqa: T201 - the runner reads it


def error(text: str) -> None:
    """Show an error at the top of the job's page."""
    say(command("error", text))


def output(**values: str) -> None:
    """Set outputs of this step, each under a delimiter that its value cannot contain."""
    lines = []
    for name, value in values.items():
        mark = f"end_{secrets.token_hex(16)}"
        lines.append(f"{name}<<{mark}\n{value}\n{mark}\n")
    _append("GITHUB_OUTPUT", "".join(lines))


def summary(markdown: str) -> None:
    """Add to the page that GitHub shows for the job, up to the runner's limit."""
    _append("GITHUB_STEP_SUMMARY", fitting(markdown))


def fitting(markdown: str, limit: int = SUMMARY_LIMIT) -> str:
    """As much of a text as the runner uploads; says so where it is not all."""
    raw = markdown.encode("utf-8", "replace")
    if len(raw) <= limit:
        return raw.decode("utf-8")
    return raw[: limit - len(_CUT)].decode("utf-8", "ignore") + _CUT


def home(environment: Mapping[str, str]) -> str:
    """The folder into which action.yml installs what runs; a step's state is beside it."""
    return os.path.join(environment.get("RUNNER_TEMP") or ".", "claude-pool")  # noqa: PTH118


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if path and text:
        try:
            with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - imports cost what this step may not
                file.write(text)
        except OSError as fault:
            print(f"{variable} cannot be written: {fault.strerror}", file=sys.stderr)  # noqa: T201
