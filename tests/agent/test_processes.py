"""Whatever happens to a run or to the server, no process of the run stays alive, in both ways of holding them."""

from __future__ import annotations

import asyncio
import json
import marshal
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from claude_pool_gh.agent import powers, process
from claude_pool_gh.pool.model.ports import AgentChannel, Ending
from claude_pool_gh.processes import launcher
from claude_pool_gh.rehearsal.model import Answer, ScriptedModel, Text
from tests import ours
from tests.agent.bench import (
    REAL_KEY,
    Bench,
    a_task,
    alive,
    calls,
    gone_within,
    killed_at_last,
    one_by_one,
    zombies,
)
from tests.agent.server import serve
from tests.forked import Forked, Program
from tests.patience import PATIENCE, until
from tests.rotation import share

ROOT = Path(__file__).parents[2]
STALL = Answer((Text("half"), Text("never")), stall_after=1)
BREEDER = """
import os, signal, sys, time
marker = sys.argv[0]
def rest():
    with open(marker + ".born", "a") as file:
        file.write("x")
    while True:
        time.sleep(1)
for kind in range(6):
    if os.fork() == 0:
        if kind % 2:
            os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if kind < 2 or os.fork() == 0:   # the others leave an orphan behind
            if kind > 3:
                os.setsid()
                if os.fork():
                    os._exit(0)
            rest()
        os._exit(0)
stubborn = "obedient" not in marker
signal.signal(signal.SIGTERM, signal.SIG_IGN if stubborn else lambda *_: os._exit(0))
rest()
"""
BORN = 7


@pytest.fixture(autouse=True)
def may_write_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs that stand in for the CLI here tell of themselves by files; see `test_confined` for that."""
    monkeypatch.setattr(powers, "may_change", lambda *_, **__: None)


@pytest.fixture(params=["stubborn", "obedient"])
def breeder(request: pytest.FixtureRequest, short_folder: Path) -> Iterator[Path]:
    """A CLI that says nothing and starts children of every sort that are hard to end."""
    path = short_folder / f"{request.param}-breeder"
    path.write_text(f"#!{readable_python() or sys.executable} -IS\n{BREEDER}")
    path.chmod(0o755)
    with killed_at_last(str(short_folder)):
        yield path


def wait_for_births(breeder: Path, seconds: float = PATIENCE) -> None:
    born = Path(f"{breeder}.born")
    end = time.monotonic() + seconds
    while not (born.exists() and len(born.read_text()) == BORN):
        assert time.monotonic() < end, "the children were never born"
        time.sleep(0.02)
    assert len(alive(str(breeder))) >= BORN


@pytest.mark.usefixtures("each_mode")
async def test_a_cancel_ends_every_descendant(bench: Bench, breeder: Path) -> None:
    task = await bench.grant(100_000)
    running = asyncio.create_task(
        bench.agent(cli=breeder).run(a_task(task), bench.folder, AgentChannel())
    )
    await asyncio.to_thread(wait_for_births, breeder)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 10
    assert alive(str(breeder)) == []


@pytest.mark.usefixtures("each_mode")
async def test_more_cancels_in_mid_clean_up_change_nothing(bench: Bench, breeder: Path) -> None:
    task = await bench.grant(100_000)
    running = asyncio.create_task(
        bench.agent(cli=breeder).run(a_task(task), bench.folder, AgentChannel())
    )
    await asyncio.to_thread(wait_for_births, breeder)
    for _ in range(200):
        running.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert alive(str(breeder)) == []


@pytest.mark.usefixtures("each_mode")
async def test_a_wall_timeout_ends_every_descendant(bench: Bench, breeder: Path) -> None:
    run = await bench.run(agent=bench.agent(cli=breeder), wall_seconds=1.5)
    assert run.outcome.ending is Ending.timed_out
    assert run.seconds < 10
    assert len(Path(f"{breeder}.born").read_text()) == BORN
    assert alive(str(breeder)) == []


@pytest.mark.usefixtures("each_mode")
async def test_the_real_cli_ends_with_a_cancel_at_any_moment(
    bench: Bench, short_folder: Path
) -> None:
    bench.model.script = one_by_one(STALL)
    with killed_at_last(str(short_folder)):
        for pause in share((0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.4), 2):
            task = await bench.grant(300_000)
            running = asyncio.create_task(
                bench.agent().run(a_task(task), bench.folder, AgentChannel())
            )
            await asyncio.sleep(pause)
            running.cancel()
            await asyncio.sleep(pause / 2)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await bench.settle(task)
            assert alive(f"{short_folder}/tmp/cpg-") == []


async def test_a_cancel_in_mid_answer_takes_no_longer_than_its_parts(
    bench: Bench, short_folder: Path
) -> None:
    bench.model.script = one_by_one(STALL)
    task = await bench.grant(300_000)
    running = asyncio.create_task(bench.agent().run(a_task(task), bench.folder, AgentChannel()))
    while not bench.model.requests:
        await asyncio.sleep(0.02)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 5
    assert alive(f"{short_folder}/tmp/cpg-") == []


# the server dies


def start_server(folder: Path, upstream: str, cli: Path | None, mode: str) -> Forked:
    (folder / "served" / "tree").mkdir(parents=True)
    environment = ours.environment(CLAUDE_POOL_PROCESS_MODE=mode, ANTHROPIC_API_KEY=REAL_KEY)
    told = (str(folder / "served"), upstream, str(cli or ""))
    return Program(serve, told, environment, folder / "served" / "log", folder=ROOT).start()


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def test_a_killed_server_takes_every_descendant_with_it(
    each_mode: str, breeder: Path, short_folder: Path
) -> None:
    server = start_server(short_folder, "http://127.0.0.1:9", breeder, each_mode)
    try:
        wait_for_births(breeder)
        family = descendants(server.pid)
        assert len(family) >= 2
        server.kill()
        assert gone_within(str(breeder), PATIENCE)
        assert psutil.wait_procs(family, timeout=PATIENCE)[1] == []
    finally:
        server.kill()
        server.join()


async def test_a_killed_server_takes_the_real_cli_with_it(
    each_mode: str, model: ScriptedModel, short_folder: Path
) -> None:
    model.script = one_by_one(STALL)
    server = start_server(short_folder, model.url, None, each_mode)
    try:
        await until(lambda: model.requests)
        family = descendants(server.pid)
        assert any("_bundled/claude" in " ".join(member.cmdline()) for member in family)
        server.kill()
        assert (await asyncio.to_thread(psutil.wait_procs, family, PATIENCE))[1] == []
    finally:
        server.kill()
        server.join()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_killed_server_of_a_plain_user_takes_every_descendant_with_it(
    each_mode: str, breeder: Path, short_folder: Path
) -> None:
    """A user namespace changes credentials, and with them the kernel may forget the parent-death signal."""
    if "stubborn" in breeder.name:
        pytest.skip("one breeder will do")
    short_folder.chmod(0o777)
    nobody = 65534
    config = write_config(short_folder, breeder, each_mode)
    (short_folder / "launch").chmod(0o644)
    parent = (
        "import marshal, os, subprocess, sys, time; path = sys.argv[1]; config = marshal.load(open(path, 'rb'));"
        "config['parent'] = os.getpid(); marshal.dump(config, open(path + '.own', 'wb'));"
        "subprocess.Popen([sys.executable, '-IS', sys.argv[2], path + '.own']); time.sleep(240)"
    )
    python = readable_python()
    if python is None:
        pytest.skip("no Python that another user may run")
    server = subprocess.Popen(
        [python, "-IS", "-c", parent, str(config), str(copy_of_launcher(short_folder))],
        user=nobody,
        group=nobody,
    )
    try:
        wait_for_births(breeder)
        family = descendants(server.pid)
        assert {member.uids().real for member in family} == {nobody}
        server.kill()
        assert gone_within(str(breeder), PATIENCE)
        assert psutil.wait_procs(family, timeout=PATIENCE)[1] == []
    finally:
        server.kill()
        server.wait()


# the launcher by itself


def write_config(
    folder: Path, cli: Path, mode: str, environment: dict[str, str] | None = None
) -> Path:
    config = {
        "program": str(cli),
        "mode": mode,
        "parent": 0,
        "pid_file": str(folder / "pid"),
        "environment": environment or {"PATH": os.environ["PATH"]},
        "writable": None,
    }
    path = folder / "launch"
    path.write_bytes(marshal.dumps(config))
    return path


def readable_python() -> str | None:
    for candidate in (sys.executable, "/usr/bin/python3"):
        try:
            done = subprocess.run(
                [candidate, "-IS", "-c", ""], user=65534, group=65534, check=False
            )
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    return None


def copy_of_launcher(folder: Path) -> Path:
    copy = folder / "launcher.py"
    copy.write_text(Path(launcher.__file__).read_text())
    copy.chmod(0o644)
    return copy


def launch(config: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-IS", launcher.__file__, str(config), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def cli_file(folder: Path, text: str) -> Path:
    path = folder / "cli"
    path.write_text(f"#!{sys.executable} -IS\nimport os, signal, sys, time\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_launcher_passes_everything_through(each_mode: str, short_folder: Path) -> None:
    text = "print(sys.argv[1:], sys.stdin.read()); print('oh', file=sys.stderr); sys.exit(7)"
    config = write_config(short_folder, cli_file(short_folder, text), each_mode)
    child = launch(config, "-p", "a b", "--x=")
    out, err = child.communicate(b"in", timeout=PATIENCE)
    assert (child.returncode, out, err) == (7, b"['-p', 'a b', '--x='] in\n", b"oh\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_launcher_tells_how_the_cli_died(
    each_mode: str, short_folder: Path, number: int
) -> None:
    # In a namespace the CLI is process 1, which no signal of its own can end: its child dies for it.
    text = (
        f"pid = os.fork()\nif not pid: os.kill(os.getpid(), {number})\n"
        "status = os.waitpid(pid, 0)[1]\nos._exit(128 + os.WTERMSIG(status))"
    )
    child = launch(write_config(short_folder, cli_file(short_folder, text), each_mode))
    child.communicate(timeout=PATIENCE)
    assert child.returncode == 128 + number


def test_ctrl_c_in_a_terminal_is_not_for_the_cli(each_mode: str, short_folder: Path) -> None:
    """It is for the command, which may let the CLI go on, such as `serve` while it stops."""
    text = "print('there', flush=True); sys.stdin.read(); print('end', flush=True)"
    config = write_config(short_folder, cli_file(short_folder, text), each_mode)
    script = (
        "import os, signal, subprocess, sys\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        "child = subprocess.Popen(sys.argv[1:], stdin=-1, stdout=-1, text=True)\n"
        "assert child.stdout.readline() == 'there\\n'\n"
        "os.killpg(0, signal.SIGINT)\n"
        "print(child.communicate()[0], child.returncode)"
    )
    command = [sys.executable, "-IS", launcher.__file__, str(config)]
    done = subprocess.run(
        [sys.executable, "-IS", "-c", script, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        start_new_session=True,
    )
    assert (done.stdout, done.stderr) == ("end\n 0\n", "")


def test_a_command_that_cannot_be_started_is_127(each_mode: str, short_folder: Path) -> None:
    child = launch(write_config(short_folder, short_folder / "nothing", each_mode))
    _, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == 127
    assert b"No such file" in err


def test_the_end_of_the_cli_ends_what_it_left_behind(each_mode: str, short_folder: Path) -> None:
    text = (
        "for _ in range(3):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0:\n"
        "            signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "            os.close(0); os.close(1); os.close(2)\n"
        "            time.sleep(240)\n"
        "        os._exit(0)\n"
        "time.sleep(0.3)\n"
    )
    cli = cli_file(short_folder, text)
    with killed_at_last(str(cli)):
        child = launch(write_config(short_folder, cli, each_mode))
        child.communicate(timeout=PATIENCE)
        assert child.returncode == 0
        assert gone_within(str(cli), PATIENCE)


def test_a_fork_bomb_is_outrun(each_mode: str, short_folder: Path) -> None:
    """Generation after generation, each gone when it is looked for: as far as a process table lets it."""
    text = (
        "end = time.monotonic() + 240\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    os.closerange(0, 3)\n"
        "    while time.monotonic() < end:\n"
        "        with open(sys.argv[0] + '.beat', 'a') as file: file.write('x')\n"
        "        if os.fork():\n"
        "            os._exit(0)\n"
        "        time.sleep(0.001)\n"
        "time.sleep(0.3)\n"
    )
    cli = cli_file(short_folder, text)
    with killed_at_last(str(cli)):
        child = launch(write_config(short_folder, cli, each_mode))
        child.communicate(timeout=PATIENCE)
        assert child.returncode == 0
        beats = Path(f"{cli}.beat").stat().st_size
        time.sleep(0.2)
        assert beats == Path(f"{cli}.beat").stat().st_size > 10, "a list of processes would miss it"


def test_a_cli_that_ignores_the_end_is_killed_after_two_seconds(
    each_mode: str, short_folder: Path
) -> None:
    cli = cli_file(
        short_folder,
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(240)",
    )
    with killed_at_last(str(cli)):
        child = launch(write_config(short_folder, cli, each_mode))
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        began = time.monotonic()
        child.terminate()
        child.terminate()
        child.communicate(timeout=PATIENCE)
        assert time.monotonic() - began > 1.5
        assert child.returncode == 128 + signal.SIGKILL
        assert gone_within(str(cli), PATIENCE)


def test_a_cli_that_ends_gently_says_so(each_mode: str, short_folder: Path) -> None:
    # Short sleeps: a signal in the moment before one begins is noticed only after it.
    ready = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3)); print('up', flush=True)"
    text = f"{ready}\nwhile True: time.sleep(0.01)"
    child = launch(write_config(short_folder, cli_file(short_folder, text), each_mode))
    assert child.stdout is not None
    child.stdout.readline()
    child.terminate()
    child.communicate(timeout=PATIENCE)
    assert child.returncode == 3


def test_the_namespace_shows_no_process_of_the_host(
    each_mode: str, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if each_mode != "namespace":
        pytest.skip("a reaper hides nothing")
    monkeypatch.setenv("CANARY", "tweet")
    text = "print(os.getpid(), sorted(p for p in os.listdir('/proc') if p.isdigit()))"
    child = launch(write_config(short_folder, cli_file(short_folder, text), each_mode))
    out, _ = child.communicate(timeout=PATIENCE)
    assert out == b"1 ['1']\n"
    assert psutil.Process(os.getpid()).is_running(), "the host's own /proc is as it was"


def test_a_launcher_whose_parent_is_gone_starts_nothing(each_mode: str, short_folder: Path) -> None:
    cli = cli_file(short_folder, "open(sys.argv[0] + '.ran', 'w').close()")
    config = write_config(short_folder, cli, each_mode)
    config.write_bytes(marshal.dumps(marshal.loads(config.read_bytes()) | {"parent": 1}))
    child = launch(config)
    child.communicate(timeout=PATIENCE)
    assert child.returncode == 1
    assert not Path(f"{cli}.ran").exists()


# the environment


@pytest.mark.usefixtures("each_mode")
async def test_the_cli_sees_the_variables_of_a_list_and_no_other(
    bench: Bench, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        monkeypatch.setenv(f"SECRET_{number}_{os.urandom(3).hex()}", "canary")
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "CLAUDE_CODE_USE_BEDROCK",
        "ANTHROPIC_AUTH_TOKEN",
        "GITHUB_TOKEN",
    ):
        monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("LD_PRELOAD_X", "canary")
    report = short_folder / "report.json"
    text = f"import json\njson.dump([dict(os.environ), os.getcwd()], open({str(report)!r}, 'w'))"
    run = await bench.run(agent=bench.agent(cli=cli_file(short_folder, text)))
    assert run.outcome.ending is Ending.failed
    seen, folder = json.loads(report.read_text())
    passed_on = {name for name in ("PATH", "LANG", "TZ") if name in os.environ}
    own = {"HOME", "CLAUDE_CONFIG_DIR", "TMPDIR", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"}
    quiet = {
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "DISABLE_TELEMETRY",
        "DISABLE_ERROR_REPORTING",
        "DISABLE_AUTOUPDATER",
        "DISABLE_BUG_COMMAND",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS",
        "CLAUDE_CODE_MAX_RETRIES",
    }
    interpreters_own = {"LC_CTYPE"}  # Python sets it for itself
    assert set(seen) - interpreters_own == passed_on | own | quiet
    assert "canary" not in str(seen)
    assert REAL_KEY not in str(seen)
    assert folder == str(bench.folder)
    for name in ("HOME", "CLAUDE_CONFIG_DIR", "TMPDIR"):
        assert seen[name].startswith(f"{short_folder}/tmp/cpg-")


@pytest.mark.usefixtures("each_mode")
async def test_a_whole_run_works_and_leaves_nothing(bench: Bench, short_folder: Path) -> None:
    run = await bench.run(calls(("Read", {"file_path": "a.txt"}), ("Glob", {"pattern": "*"})))
    assert run.outcome.ending is Ending.completed
    assert alive(f"{short_folder}/tmp/cpg-") == []
    assert list((short_folder / "tmp").iterdir()) == []
    assert zombies() == []


async def test_a_number_that_went_to_another_process_is_left_alone(short_folder: Path) -> None:
    stranger = subprocess.Popen(["sleep", "100"])
    try:
        with process.prepare(short_folder / "cli", {}) as launched:
            (launched.folder / "pid").write_text(str(stranger.pid))
            await launched.end()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
