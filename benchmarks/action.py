"""What a job of the Action costs before it works: a comment without a command, the install, the first comment.

CPU is that of a step's whole process tree, user and system: on a shared machine wall time says nothing. Needs a package
index; nothing that was downloaded before is used.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from benchmarks.figures import Figure, median
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Pull, Repository, SimulatedGitHub
from claude_pool_gh.rehearsal.model import ScriptedModel, say
from claude_pool_gh.rehearsal.reviewer import Reviewer

ROOT: Final = Path(__file__).parents[1]
ROUNDS: Final = 7
PERMISSIONS: Final = {
    "contents": "write",
    "issues": "write",
    "pull_requests": "write",
    "checks": "write",
}
_SUBREAPER: Final = 36
"""prctl(2): what a script leaves in the background is ours to wait for."""
_TURN: Final = """
import asyncio
from claude_agent_sdk import ClaudeAgentOptions, query
async def main():
    async for _ in query(prompt="Say yes", options=ClaudeAgentOptions(setting_sources=[])):
        pass
asyncio.run(main())
"""
_PASSED_ON: Final = (
    "PIP_",
    "UV_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT",
    "REQUESTS_CA",
)


async def measure() -> list[Figure]:
    """One after the other: the look, the bare SDK with one turn, a whole job on a machine that has nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        looks = [await _look(folder) for _ in range(ROUNDS)]
        bare = await _bare(folder / "bare")
        async with SimulatedGitHub.start(folder / "github") as github:
            cold = await _job(github, folder / "job")
    return [
        Figure("a comment without a command, CPU", median(looks), "s", 0.3),
        Figure("beside: `pip install` of the bare SDK and one turn of its CLI, CPU", bare, "s"),
        Figure("the install of a job, CPU", cold["install"], "s", 12),
        Figure("a job on a fresh machine, up to its first comment, CPU", cold["first"], "s"),
        Figure("the same beside the bare SDK and one turn", cold["first"] / bare, "times", 0.5),
        Figure("the whole job beside it", cold["whole"] / bare, "times"),
        Figure("what is kept of the thread after its review", cold["kept"] / 1000, "KB", 40),
    ]


async def _look(folder: Path) -> float:
    event = folder / "event.json"
    event.write_text(json.dumps({"action": "created", "comment": {"body": "just talking\n" * 200}}))
    more = {"GITHUB_EVENT_NAME": "issue_comment", "GITHUB_EVENT_PATH": str(event)}
    return await _cpu("bash", "claude_pool_gh/action/look.sh", more=more, cwd=ROOT)


async def _bare(home: Path) -> float:
    """What somebody pays who installs the SDK of the same version and asks it once."""
    lock = (ROOT / "requirements.lock").read_text()
    version = next(
        line for line in lock.splitlines() if line.startswith("claude-agent-sdk==")
    ).split()[0]
    spent = await _cpu("python3", "-m", "venv", str(home))
    pip = (str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--no-cache-dir", version)
    spent += await _cpu(*pip)
    async with ScriptedModel.start(lambda _request: say("yes")) as model:
        told = {"ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "sk-ant-bench"}
        return spent + await _cpu(str(home / "bin/python"), "-c", _TURN, more=told)


async def _job(github: SimulatedGitHub, folder: Path) -> dict[str, float]:
    """Seconds of the install, up to the first comment, and of the whole job; bytes of what it keeps."""
    repository, pull, maintainer = stage.set_up(github)
    github.install(github.create_app("recorder"), "octo", [repository])
    await github.comment(maintainer, repository, pull.number, "/pool review")
    folder.mkdir()
    event, commented = folder / "event.json", folder / "commented"
    event.write_text(json.dumps(github.deliveries[-1].payload))
    async with ScriptedModel.start(Reviewer(stage.PLANTED)) as model:
        around = _around(github, repository, model.url, event)
        job = asyncio.create_task(_apart("job", folder / "one", commented, around))
        commenting = asyncio.create_task(
            github.until(lambda: _commented(github, repository, pull), timeout=600)
        )
        await asyncio.wait({job, commenting}, return_when=asyncio.FIRST_COMPLETED)
        commented.touch()
        told = await job
        commenting.cancel()
    told |= await _apart("install", folder / "two", commented, around)
    size = repository.git.text("cat-file", "-s", f"refs/claude-pool/threads/{pull.number}:state")
    return told | {"kept": float(size)}


async def _apart(
    what: str, temp: Path, commented: Path, around: Mapping[str, str]
) -> dict[str, float]:
    """Do it in a process of its own, which nothing else of this benchmark is a child of."""
    temp.mkdir()
    told = {**_environment(around), "RUNNER_TEMP": str(temp), "HOME": str(temp)}
    more = {"PYTHONPATH": str(ROOT), "BENCH_JOB": json.dumps(told)}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.action",
        what,
        str(commented),
        env=os.environ | more,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await child.communicate()
    assert child.returncode == 0, said.decode()
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


def _around(
    github: SimulatedGitHub, repository: Repository, model_url: str, event: Path
) -> dict[str, str]:
    return {
        "ACTION_PATH": str(ROOT),
        "PYTHONPATH": str(ROOT),
        "GITHUB_EVENT_NAME": "issue_comment",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.url,
        "GITHUB_RUN_ID": "1",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_TOKEN": github.create_token(github.actions_bot, repository, PERMISSIONS),
        "ANTHROPIC_API_KEY": "sk-ant-bench",
        "POOL_STATE_KEY": "a key for states that is of no use elsewhere",
        "ANTHROPIC_BASE_URL": model_url,
        "CLAUDE_POOL_WRITE_INTERVAL": "0",
    }


def _commented(github: SimulatedGitHub, repository: Repository, pull: Pull) -> bool:
    return any(each.author is github.actions_bot for each in repository.comments(pull.number))


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    passed = {
        name: value for name, value in os.environ.items() if name.upper().startswith(_PASSED_ON)
    }
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nowhere", **passed, **more}


async def _cpu(
    *command: str, more: Mapping[str, str] | None = None, cwd: Path | None = None
) -> float:
    """CPU seconds of a command."""
    began = _reaped()
    process = await asyncio.create_subprocess_exec(
        *command, env=_environment(more or {}), stdout=asyncio.subprocess.DEVNULL, cwd=cwd
    )
    assert await process.wait() == 0, command
    return _reaped() - began


def _reaped() -> float:
    """CPU seconds of every child that has ended and was waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _living() -> float:
    """CPU seconds of the children that run, with what they have waited for, and of theirs."""
    total = 0.0
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            times = each.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


# ---- in the child


def _done(what: str, commented: Path) -> dict[str, float]:
    """Run the steps of a job as its runner does; what they cost."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)
    job = json.loads(os.environ["BENCH_JOB"])
    assert subprocess.call(["bash", str(ROOT / "claude_pool_gh/action/install.sh")], env=job) == 0
    found: dict[str, float] = {}
    if what == "job":
        python = f"{job['RUNNER_TEMP']}/claude-pool/bin/python"
        run = subprocess.Popen(
            [python, "-P", "-m", "claude_pool_gh.action"], env=job, stdout=sys.stderr
        )
        while not commented.exists() and run.poll() is None:
            time.sleep(0.02)
        found["first"] = _reaped() + _living()
        assert run.wait() == 0
        found["whole"] = _reaped() + _living()
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    return found if what == "job" else {"install": _reaped()}


if __name__ == "__main__":
    print(json.dumps(_done(sys.argv[1], Path(sys.argv[2]))))
