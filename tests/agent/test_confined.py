"""Where the kernel has Landlock, a run changes nothing outside of its own folders, whatever it runs as."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from claude_pool_gh.agent import process
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.processes.launching import can_confine
from tests.agent.bench import Bench, calls

pytestmark = pytest.mark.skipif(not can_confine(), reason="this kernel has no Landlock (Linux 6.2)")

ACTS = {
    "write": "open(outside + '/kept', 'r+').write('x')",
    "make": "open(outside + '/new', 'w')",
    "truncate": "os.truncate(outside + '/kept', 0)",
    "unlink": "os.unlink(outside + '/kept')",
    "rename out": "os.rename(inside + '/own', outside + '/moved')",
    "rename away": "os.rename(outside + '/kept', inside + '/taken')",
    "link out": "os.link(inside + '/own', outside + '/linked')",
    "symlink": "os.symlink('/etc/passwd', outside + '/symlink')",
    "mkdir": "os.mkdir(outside + '/folder')",
    "mkfifo": "os.mkfifo(outside + '/pipe')",
    "by a child": "sys.exit(subprocess.call(['sh', '-c', f'echo x > {outside}/kept']))",
    "through /proc": "os.close(os.open(f'/proc/self/fd/{os.open(outside + \"/kept\", os.O_RDONLY)}', os.O_WRONLY))",
}


def act(folder: Path, what: str, changes: Sequence[Path] | None) -> int:
    """Do it as a program that the launcher started; its exit status."""
    outside, inside = folder / "outside", folder / "inside"
    for each in (outside, inside):
        each.mkdir(exist_ok=True)
    (outside / "kept").write_text("kept")
    (inside / "own").write_text("own")
    program = folder / "program"
    names = f"outside, inside = {str(outside)!r}, {str(inside)!r}"
    program.write_text(f"#!{sys.executable}\nimport os, subprocess, sys\n{names}\n{what}\n")
    program.chmod(0o755)
    with process.prepare(program, {}, changes) as launch:
        return subprocess.run(
            [launch.executable], check=False, capture_output=True, timeout=60
        ).returncode


@pytest.mark.usefixtures("each_mode")
@pytest.mark.parametrize("what", ACTS.values(), ids=ACTS.keys())
def test_nothing_outside_is_changed(short_folder: Path, what: str) -> None:
    assert act(short_folder, what, [short_folder / "inside"]) != 0
    assert [each.name for each in (short_folder / "outside").iterdir()] == ["kept"]
    assert (short_folder / "outside" / "kept").read_text() == "kept"


@pytest.mark.parametrize("what", ACTS.values(), ids=ACTS.keys())
def test_without_it_each_of_them_works(short_folder: Path, what: str) -> None:
    """The control."""
    assert act(short_folder, what, None) == 0


def test_its_own_folders_are_its_own(short_folder: Path) -> None:
    own = (
        "open(inside + '/new', 'w').write(open(inside + '/own').read()); os.unlink(inside + '/own')"
    )
    private = "open(os.environ['TMPDIR'] + '/x', 'w'); os.mkdir(os.environ['HOME'] + '/y')"
    assert (
        act(
            short_folder,
            f"{own}; {private}; open('/dev/null', 'w').write('x')",
            [short_folder / "inside"],
        )
        == 0
    )
    assert act(short_folder, private, ()) == 0
    assert act(short_folder, "open(inside + '/new', 'w')", ()) != 0


async def test_the_real_cli_works_like_that(bench: Bench) -> None:
    """It reads and answers where it may change nothing, and edits where it may."""
    run = await bench.run(calls(("Read", {"file_path": "a.txt"}), ("Grep", {"pattern": "."})))
    assert run.outcome.ending is Ending.completed
    run = await bench.run(
        calls(("Write", {"file_path": "new.txt", "content": "x"})), tools=("Read", "Write")
    )
    assert run.outcome.ending is Ending.completed
    assert (bench.folder / "new.txt").read_text() == "x"
