"""A checkout with two faults, and `claude-pool-gh audit` as a process with no environment but its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from claude_pool_gh.rehearsal.model import Answer, ScriptedModel, Text
from claude_pool_gh.service.audit.options import FORMS, AuditOptions
from claude_pool_gh.service.settings import Settings
from tests import forked, ours
from tests.acceptance.auditor import claim
from tests.forked import Ran

PRICES = "def total(unit, quantity):\n    return unit + quantity\n"
STORE = "def add(order):\n    return cursor.lastrowid\n"
FILES = {"shop/prices.py": PRICES, "store/orders.py": STORE}
CONFIG = ".github/claude-pool.yml"
BY_FOLDER = "audits:\n  defects:\n    by: folder\n"
TOTAL = claim("shop/prices.py", 2, "    return unit + quantity", "The total is a sum")
ROW = claim("store/orders.py", 2, "    return cursor.lastrowid", "The id may be of another order")


SILENT = Answer((Text("Never"),), delay=3600)
"""Comes within the length of no test."""


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, as somebody with a name."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", *who, *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder.parent)},
    )
    return done.stdout.strip()


def commit(folder: Path, files: Mapping[str, str]) -> str:
    """Write files and commit them, in a repository that is made where there is none; the commit."""
    folder.mkdir(exist_ok=True)
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch=main")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Change")
    return git(folder, "rev-parse", "HEAD")


def options(model: ScriptedModel | None, folder: Path, **given: Any) -> AuditOptions:
    """The options of a command in this process, with its reports and its store beside the checkout."""
    own: dict[str, Any] = given.pop("settings", {})
    if model is not None:
        own = {"ANTHROPIC_API_KEY": "x", "ANTHROPIC_BASE_URL": model.url} | own
    common: dict[str, Any] = {
        "settings": Settings(**own),
        "audit": "defects",
        "only": (),
        "plan_only": False,
        "slots": 2,
        "budget_usd": None,
        "most_usd": None,
        "model": None,
        "effort": None,
        "timeout_secs": None,
        "out": folder / "out",
        "forms": FORMS,
        "as_json": True,
        "state": folder / "state",
        "fresh": False,
    }
    return AuditOptions(**(common | given))


def known(model: ScriptedModel | None, folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command; without a model there is no key, and nobody to ask."""
    told = {"HOME": str(folder.parent), "COLUMNS": "200", **more}
    if model is not None:
        told |= {"ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "x"}
    return ours.environment(**told)


async def start(
    model: ScriptedModel | None, folder: Path, *arguments: str, **environment: str
) -> asyncio.subprocess.Process:
    """Start `claude-pool-gh audit` in a folder, as a process that can be signalled from its first moment on."""
    return await asyncio.create_subprocess_exec(
        *ours.cli("audit", *arguments),
        env=known(model, folder, environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def ended(run: asyncio.subprocess.Process) -> Ran:
    """Wait for its end."""
    out, err = await run.communicate()
    assert run.returncode is not None
    return Ran(run.returncode, out.decode(), err.decode())


async def audit(
    model: ScriptedModel | None, folder: Path, *arguments: str, **environment: str
) -> Ran:
    """Run `claude-pool-gh audit` to its end."""
    told = known(model, folder, environment)
    return await forked.cli("audit", *arguments, environment=told, folder=folder)
