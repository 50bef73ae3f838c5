"""How one command is started, watched and ended; in bubblewrap's place stands a program that only runs it."""

from __future__ import annotations

import asyncio
import marshal
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.sandbox import process
from claude_pool_gh.sandbox.isolation import NOT_UNPACKED
from claude_pool_gh.sandbox.process import Bounds, RunEnd, RunResult, watched
from tests.patience import until
from tests.sandbox.proven import alive, sleeping

WELL = 'echo \'{"child-pid": 7}\' >&"$2"; /bin/sh -c "$3"; status=$?; '
TELLS = WELL + 'echo "{\\"exit-code\\": $status}" >&"$2"'
Run = Callable[..., Any]


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command in what `program` makes of it; its own status goes to the descriptor that is told it."""

    async def run(
        command: str, program: str = TELLS, *, seconds: float = 20, **bounds: Any
    ) -> RunResult:
        folder = tmp_path / "run"
        folder.mkdir()
        own, files = tmp_path / "bwrap", tmp_path / "files"
        # The shell knows no descriptors above 9 by number alone: it goes through /proc.
        own.write_text("#!/bin/sh\n" + program.replace('>&"$2"', '>"/proc/self/fd/$2"') + "\n")
        own.chmod(0o755)
        files.write_text("the files")
        config = {"user": 0, "program": str(own), "limits": {}, "arguments": [command]}
        (folder / "config").write_bytes(marshal.dumps(config))
        return await watched(folder, files, Bounds(**bounds), seconds)

    return run


@pytest.mark.parametrize("status", [0, 1, 3, 124, 126, 255])
async def test_the_status_is_the_one_that_bubblewrap_tells(run: Run, status: int) -> None:
    ran = await run(f"exit {status}")
    assert (ran.end, ran.status, ran.well) == (RunEnd.exited, status, status == 0)
    await until(lambda: len(asyncio.all_tasks()) == 1)
    assert asyncio.all_tasks() == {asyncio.current_task()}, "nobody looks at its memory any more"


async def test_what_it_prints_and_reads_is_its_own(run: Run) -> None:
    ran = await run("cat; echo out; echo err >&2; env | grep -v -e PWD -e SHLVL -e '^_='")
    assert ran.output == "the filesout\nerr\n", "and nothing of this process's environment"
    assert 0 < ran.seconds < 20


@pytest.mark.parametrize(
    "program",
    [
        "exit 0",
        "echo bwrap: no permission; exit 1",
        'echo \'{"child-pid": 7}\' >&"$2"',
        'echo \'no json\' >&"$2"; echo \'{"exit-code"\' >&"$2"',
    ],
)
async def test_a_program_that_never_tells_a_status_has_not_started_the_command(
    run: Run, program: str
) -> None:
    ran = await run("true", program)
    assert (ran.end, ran.status, ran.well) == (RunEnd.not_started, None, False)
    if "permission" in program:
        assert ran.output == "bwrap: no permission\n"


async def test_files_that_were_not_laid_out_are_no_status_of_the_command_s(run: Run) -> None:
    ran = await run(f"exit {NOT_UNPACKED}")
    assert (ran.end, ran.status) == (RunEnd.not_started, None)


async def test_a_line_that_is_no_json_hides_no_status(run: Run) -> None:
    ran = await run("exit 4", 'echo oops >&"$2"; ' + TELLS)
    assert (ran.end, ran.status) == (RunEnd.exited, 4)


async def test_only_the_end_of_what_it_prints_is_kept_and_text_that_is_none_is_shown(
    run: Run,
) -> None:
    ran = await run("head -c 20000 /dev/zero | tr '\\0' a; printf '\\377end'")
    assert len(ran.output) == 16_000
    assert ran.output.endswith("a\ufffdend")


@pytest.mark.parametrize(("most", "end"), [(1_000, RunEnd.exited), (999, RunEnd.flooded)])
async def test_it_may_print_so_much_and_no_more(run: Run, most: int, end: RunEnd) -> None:
    ran = await run("head -c 1000 /dev/zero", output=most)
    assert ran.end is end
    assert (ran.status is None) is (end is RunEnd.flooded)


async def test_a_flood_is_ended_at_once_with_all_that_it_started(run: Run) -> None:
    nap = sleeping()
    began = time.monotonic()
    ran = await run(f"{nap} & while :; do echo flood; done", output=10_000)
    assert (ran.end, ran.well) == (RunEnd.flooded, False)
    assert time.monotonic() - began < 15
    assert alive(nap) == []


async def test_its_time_has_an_end(run: Run) -> None:
    nap = sleeping()
    ran = await run(f"echo begun; {nap}", seconds=4)
    assert (ran.end, ran.status, ran.output) == (RunEnd.timed_out, None, "begun\n")
    assert alive(nap) == []


async def test_memory_of_all_its_processes_together_has_an_end(run: Run) -> None:
    hold = f"{sys.executable} -c \"import time; held = b'x' * (60 << 20); time.sleep(60)\""
    ran = await run(f"{hold} & {hold} & wait", memory=100 << 20)
    assert (ran.end, ran.status) == (RunEnd.out_of_memory, None)


async def test_whoever_stops_waiting_for_it_leaves_nothing(run: Run) -> None:
    nap = sleeping()
    files = descriptors()
    running = asyncio.create_task(run(nap))
    await until(lambda: [each for each in alive(nap) if each.name() == "sleep"])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    assert alive(nap) == []
    await until(lambda: descriptors() <= files)
    assert descriptors() <= files


async def test_it_is_the_first_to_go_where_memory_runs_out_and_has_no_terminal(
    run: Run,
) -> None:
    ran = await run("cat /proc/self/oom_score_adj; cut -d' ' -f6 /proc/self/stat")
    score, session = ran.output.split()
    assert score == "1000"
    assert int(session) != os.getsid(0), "a terminal's Ctrl-C does not reach it"


def test_a_limit_is_never_above_the_one_that_holds_already(tmp_path: Path) -> None:
    """`enter.py`, started as the launcher does: the lower of the two counts."""
    own = tmp_path / "bwrap"
    own.write_text('#!/bin/sh\necho "$@"; ulimit -Hn; ulimit -Hc; cat /proc/self/fd/"$4"\n')
    own.chmod(0o755)
    config = {
        "user": 0,
        "program": str(own),
        "limits": {"RLIMIT_NOFILE": 4096, "RLIMIT_CORE": 0},
        "arguments": ["--seccomp", b"the filter"],
    }
    (tmp_path / "config").write_bytes(marshal.dumps(config))
    told = f'ulimit -n 256; exec "{sys.executable}" -IS "{process._ENTER}" "{tmp_path}/config" 9'
    done = subprocess.run(["/bin/sh", "-c", told], capture_output=True, text=True, check=True)
    first, *rest = done.stdout.splitlines()
    words = first.split()
    assert words[:3] == ["--json-status-fd", "9", "--seccomp"]
    assert rest == ["256", "0", "the filter"]
