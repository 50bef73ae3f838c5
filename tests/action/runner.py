"""Runs action.yml as GitHub's runner does: a process for each step, files for what it says, a cancel as it is sent."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.action.expressions import filled, holds
from tests.forked import Program

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
SUMMARY_LIMIT = 1024 * 1024
GRACE = 7.5
"""Seconds between SIGINT and SIGTERM of a cancelled step; 2.5 more until it is killed."""
ENTRY = 'exec "$RUNNER_TEMP/claude-pool/bin/python" -BP -m claude_pool_gh.action'
"""The script of the bot's own step."""
_COMMAND = re.compile(r"\s*::(?P<name>[A-Za-z-]+)(?: [^:]*)?::(?P<data>.*)")
_ELDER = re.compile(r"##(?:vso)?\[(?P<name>[^ \]]+)[^\]]*\](?P<data>.*)")
During = Callable[["Running"], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Step:
    """What became of a step."""

    code: int | None = None
    log: str = ""
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """As GitHub calls it."""
        return "skipped" if self.code is None else "success" if self.code == 0 else "failure"


@dataclass(slots=True)
class Done:
    """A job that has ended."""

    steps: dict[str, Step]
    outputs: dict[str, str]
    summary: str

    @property
    def red(self) -> bool:
        """Whether any step has failed."""
        return any(step.outcome == "failure" for step in self.steps.values())

    @property
    def log(self) -> str:
        """Everything that its steps have printed."""
        return "\n".join(step.log for step in self.steps.values())

    @property
    def errors(self) -> list[str]:
        """The annotations at the top of the job's page."""
        return [data for name, data in self.commands if name == "error"]

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Every line that the runner obeyed, step by step."""
        return [found for step in self.steps.values() for found in obeyed(step.log)]


def obeyed(log: str) -> list[tuple[str, str]]:
    """The workflow commands in a step's log, in both forms; none between a stop and the word that ends it."""
    found: list[tuple[str, str]] = []
    resume = ""
    for line in log.splitlines():
        if resume:
            resume = "" if line.strip() == f"::{resume}::" else resume
            continue
        match = _COMMAND.match(line) or _ELDER.search(line)
        if match is None:
            continue
        if match["name"] == "stop-commands":
            resume = match["data"]
            continue
        data = match["data"].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
        found.append((match["name"], data))
    return found


@dataclass(slots=True)
class Running:
    """A step while it runs."""

    name: str
    process: asyncio.subprocess.Process
    cancelled: bool = False

    async def cancel(self) -> None:
        """As the runner does it: to the step's entry process, and to no other."""
        self.cancelled = True
        for number, wait in ((signal.SIGINT, GRACE), (signal.SIGTERM, 2.5), (signal.SIGKILL, 5.0)):
            if self.process.returncode is None:
                self.process.send_signal(number)
            if await self._ends_within(wait):
                return

    async def _ends_within(self, seconds: float) -> bool:
        """Whether it ends in time, by a clock that stands while a busy machine gives it or GitHub no processor."""
        began, queued = time.monotonic(), self._queued()
        while self.process.returncode is None:
            if time.monotonic() - began - (self._queued() - queued) > seconds:
                return False
            await asyncio.sleep(0.02)
        return True

    def _queued(self) -> float:
        """Seconds that the step, or the GitHub in this process, has waited for a processor."""
        found = 0.0
        for number in (self.process.pid, os.getpid()):
            with suppress(OSError):  # not Linux, or over
                found += int(Path(f"/proc/{number}/schedstat").read_text().split()[1]) / 1e9
        return found

    def kill(self) -> None:
        """As a machine without memory does it."""
        if self.process.returncode is None:
            self.process.kill()


@dataclass(slots=True)
class Runner:
    """One job after the other, each with folders of its own that are gone after it."""

    folder: Path
    secrets: tuple[str, ...] = ()
    """What may stand in no log, output or summary."""

    async def run(
        self,
        inputs: Mapping[str, str],
        environment: Mapping[str, str],
        *,
        token: str = "",
        during: Mapping[str, During] | None = None,
        really_install: bool = False,
        really_start: bool = False,
        agent: str = "installed",
        vanish: bool = False,
    ) -> Done:
        """Run the action's steps. `during`: what to do while a step runs, by its id.

        The bot's own step is forked, which spares two seconds, unless it is really to be installed or started, or
        something happens to it.
        """
        home = self.folder / uuid.uuid4().hex
        (home / "temp").mkdir(parents=True)
        unknown = set(inputs) - set(ACTION["inputs"])
        assert not unknown, f"no such inputs: {unknown}"
        contexts: dict[str, Any] = {
            "github": {"action_path": str(ROOT), "token": token},
            "steps": {},
        }
        given = {
            name: filled(str(each.get("default", "")), contexts)
            for name, each in ACTION["inputs"].items()
        }
        contexts["inputs"] = given | dict(inputs)
        job = _Job(home, contexts, dict(environment), during or {})
        if not really_install:
            job.replaced = {"install": _prepared(agent)}
            job.forks = not really_start
        try:
            for number, step in enumerate(ACTION["runs"]["steps"]):
                await job.step(number, step)
                if vanish and job.failed:  # the machine is gone
                    job.steps |= {"after": Step()}
                    break
        finally:
            job.end()
        outputs = {
            name: filled(each["value"], contexts) for name, each in ACTION["outputs"].items()
        }
        done = Done(job.steps, outputs, job.summary)
        for secret in filter(None, (*self.secrets, token)):
            assert secret not in done.log
            assert secret not in done.summary
            assert secret not in str(outputs)
        return done


@dataclass(slots=True)
class _Job:
    home: Path
    contexts: dict[str, Any]
    environment: dict[str, str]
    during: Mapping[str, During]
    steps: dict[str, Step] = field(default_factory=dict)
    summary: str = ""
    failed: bool = False
    cancelled: bool = False
    replaced: dict[str, str] = field(default_factory=dict)
    forks: bool = False
    tracking: str = field(default_factory=lambda: f"github_{uuid.uuid4()}")

    async def step(self, number: int, step: Mapping[str, Any]) -> None:
        assert set(step) <= {"name", "id", "if", "shell", "env", "run", "working-directory"}, (
            "not known here"
        )
        assert step["shell"] == "bash"
        status = {
            "success": not (self.failed or self.cancelled),
            "failure": self.failed,
            "cancelled": self.cancelled,
            "always": True,
        }
        name = step["id"]
        self.steps[name] = Step()
        if holds(step.get("if"), self.contexts, status):
            await self._run(number, step, self.steps[name])
        done = self.steps[name]
        self.contexts["steps"][name] = {
            "outputs": done.outputs,
            "outcome": done.outcome,
            "conclusion": done.outcome,
        }
        self.failed = self.failed or done.outcome == "failure"

    async def _run(self, number: int, step: Mapping[str, Any], done: Step) -> None:
        assert "${{" not in step["run"], "an input is pasted into a script"
        files = {
            name: self.home / f"{name}_{number}"
            for name in ("OUTPUT", "ENV", "PATH", "STATE", "STEP_SUMMARY")
        }
        for file in files.values():
            file.touch()
        script = self.home / "temp" / f"{number}.sh"
        script.write_text(self.replaced.get(step["id"], step["run"]))
        own = {name: filled(str(text), self.contexts) for name, text in step.get("env", {}).items()}
        workspace = self._workspace()
        where = filled(step.get("working-directory", ""), self.contexts) or str(workspace)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "RUNNER_TEMP": str(self.home / "temp"),
            "GITHUB_WORKSPACE": str(workspace),
            "RUNNER_TRACKING_ID": self.tracking,
            **{f"GITHUB_{name}": str(file) for name, file in files.items()},
            **self.environment,
            **own,
        }
        if self.forks and step["run"] == ENTRY and step["id"] not in self.during:
            log = self.home / "temp" / f"{number}.log"
            forked = Program(_bot, (), environment, log, folder=Path(where)).start()
            done.code, done.log = await forked.wait(), log.read_text()
        else:
            await self._start(step["id"], script, environment, where, done)
        done.outputs = _values(files["OUTPUT"].read_text())
        told = files["STEP_SUMMARY"].read_text()
        assert len(told.encode()) <= SUMMARY_LIMIT, "the runner uploads no summary of this size"
        self.summary += told
        assert files["ENV"].read_text() == files["PATH"].read_text() == ""

    async def _start(
        self, name: str, script: Path, environment: Mapping[str, str], where: str, done: Step
    ) -> None:
        process = await asyncio.create_subprocess_exec(
            "bash",
            "--noprofile",
            "--norc",
            "-e",
            "-o",
            "pipefail",
            str(script),
            cwd=where,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        running = Running(name, process)
        reading = asyncio.create_task(process.communicate())
        if (act := self.during.get(name)) is not None:
            acting = asyncio.create_task(act(running))
            await asyncio.wait({reading, acting}, return_when=asyncio.FIRST_COMPLETED)
            if not acting.done() and not running.cancelled:
                acting.cancel()  # the step was faster than what should have happened to it
                raise AssertionError((await reading)[0].decode())
            await acting
        out, _ = await reading
        done.log, done.code = out.decode(), process.returncode
        self.cancelled = self.cancelled or running.cancelled

    def _workspace(self) -> Path:
        """The job's folder: a checkout of the pull request, which may hold anything."""
        made = self.home / "workspace"
        made.mkdir(exist_ok=True)
        for name in ("claude_pool_gh", "aiohttp", "click", "json", "pip"):
            (made / f"{name}.py").write_text(
                "raise SystemExit('a module of the workspace was imported')\n"
            )
        return made

    def end(self) -> None:
        """What "Complete job" does: every process of the job is ended."""
        for process in psutil.process_iter():
            try:
                if process.environ().get("RUNNER_TRACKING_ID") == self.tracking:
                    process.kill()
            except psutil.Error:
                continue


def _bot(_: Sequence[str]) -> int:
    """In a fork: what `ENTRY` starts."""
    from claude_pool_gh.action.__main__ import main  # noqa: PLC0415 - the fork has it already

    return main()


def _prepared(agent: str) -> str:
    """In place of the step that installs: what it would install is here already."""
    python = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
    lines = [
        'mkdir -p "$RUNNER_TEMP/claude-pool/bin"',
        f"cat > \"$RUNNER_TEMP/claude-pool/bin/python\" <<'EOF'\n{python}EOF",
        'chmod 755 "$RUNNER_TEMP/claude-pool/bin/python"',
        f'touch "$RUNNER_TEMP/claude-pool/agent.{agent}"',
    ]
    return "\n".join(lines)


def _values(text: str) -> dict[str, str]:
    """A file of `name=value` lines and of `name<<END` blocks."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        name, mark, value = (
            line.partition("<<") if "<<" in line.split("=")[0] else line.partition("=")
        )
        if not line:
            continue
        assert mark, f"not an output: {line!r}"
        found[name] = value
        if mark == "<<":
            found[name] = "\n".join(iter(lines.__next__, value))
    return found
