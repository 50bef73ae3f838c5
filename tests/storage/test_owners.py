"""What a process leaves behind bears its mark, and is swept when that process is gone: never before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from claude_pool_gh.storage.owners import (
    GONE,
    hold,
    is_gone,
    is_mark_gone,
    new_owner,
    own_id,
    own_mark,
    sweep,
)

NOBODY = 999_999_999
"""A process id that no process has."""


def mark_of_a_dead_process() -> str:
    code = "from claude_pool_gh.storage.owners import own_mark; print(own_mark())"
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_only_what_bears_the_mark_of_a_dead_process_goes(tmp_path: Path) -> None:
    host, number, start = own_mark().split(".")
    began = int(psutil.Process().create_time())
    gone = [
        mark_of_a_dead_process(),
        f"{host}.{number}.s00",
        f"{host}.{number}.1",
        f"{host}.{NOBODY}.{began:x}",
        str(os.getpid()),
        str(NOBODY),
    ]
    kept = [
        own_mark(),
        f"{host}.{number}.{began:x}",  # of an earlier version that runs
        f"abcdef.{number}.1",
        f"abcdef.999999999.{start}",
        "1",
        "store-1.git",
        "a.b.c",
        f"{host}..1",
        "",
    ]
    for name in filter(None, [*gone, *kept]):
        (tmp_path / name / "run").mkdir(parents=True)
    sweep(tmp_path.glob("*"))
    assert {path.name for path in tmp_path.iterdir()} == set(filter(None, kept))


@pytest.mark.parametrize("mark", ["", "x", "-1", "1.2", "..", "a.b.c", "a.1.", "a.1.-f", "a.1.f.f"])
def test_what_is_no_mark_is_never_gone(mark: str) -> None:
    assert not is_mark_gone(mark)


UNREADABLE = ["9999999999", "9" * 200, "9" * 5_000, "\N{ARABIC-INDIC DIGIT ONE}"]


@pytest.mark.parametrize("number", UNREADABLE, ids=["large", "long", "too long", "of a script"])
def test_what_no_system_numbers_a_process_with_is_nobodys(number: str) -> None:
    """Anybody on this machine can make a folder of such a name where this process sweeps."""
    host, _, start = own_mark().split(".")
    assert not is_mark_gone(number)
    assert not is_mark_gone(f"{host}.{number}.{start}")
    assert not is_mark_gone(f"{host}.{number}.1")
    assert not is_gone("/".join([own_id().split("/")[0], number, "1"]))


@pytest.mark.parametrize("owner", ["", "x", "a/b", "a/b/c", "a//1"])
def test_what_is_no_owner_is_never_gone(owner: str) -> None:
    assert not is_gone(owner)


def test_what_cannot_be_removed_keeps_nothing_else(tmp_path: Path) -> None:
    """Its lock is a folder, as anybody may make it in a folder for temporary files."""
    first, second = mark_of_a_dead_process(), mark_of_a_dead_process()
    for mark in (first, second):
        (tmp_path / mark).mkdir()
    (tmp_path / f".{first}.lock").mkdir()
    sweep([tmp_path / first, tmp_path / second])
    assert {path.name for path in tmp_path.iterdir()} == {f".{first}.lock"}


def test_a_mark_is_one_part_of_a_name_and_short() -> None:
    assert "-" not in own_mark()
    assert "/" not in own_mark()
    assert set(own_mark().split(".")[2]) - set("0123456789abcdef"), "nobody's for versions before"
    assert len(own_mark()) <= 24, "a socket's path has room for some 100 characters in all"


def test_an_owner_is_gone_when_its_process_is_and_never_on_another_host_of_its_name() -> None:
    host, number, start = own_id().split("/")
    name, _, space = host.partition("@")
    assert not is_gone(own_id())
    assert not is_gone(new_owner())
    assert is_gone(f"{host}/{NOBODY}/{start}")
    assert is_gone(f"{host}/{number}/1"), "another process had this number before"
    assert is_gone(GONE)
    boot, _, numbers = space.partition(".")
    for elsewhere in (
        f"other@{space}",
        f"{name}@0000{boot[4:]}.{numbers}",  # another machine, or this one before it was started anew
        f"{name}@{boot}.1",  # another container on this machine
        name,  # as versions before this one wrote it
    ):
        assert not is_gone(f"{elsewhere}/{NOBODY}/{start}")


def test_a_fork_is_a_process_of_its_own(tmp_path: Path) -> None:
    """With its parent's name it would pass for dead when that ends, and its work would be done twice."""
    hold(tmp_path)
    told, tell = os.pipe()
    if not (child := os.fork()):
        try:
            hold(tmp_path)
            os.write(tell, f"{own_id()} {own_mark()}".encode())
        finally:
            os._exit(0)
    owner, mark = os.read(told, 1_000).decode().split()
    assert (owner.split("/")[1], mark.split(".")[1]) == (f"{child}", f"{child}")
    assert (is_gone(owner), is_mark_gone(mark)) == (False, False), "it is not reaped yet"
    os.waitpid(child, 0)
    assert (is_gone(owner), is_mark_gone(mark)) == (True, True)
    assert {file.name for file in tmp_path.iterdir()} == {
        f".{each}.lock" for each in (own_mark(), mark)
    }


def test_a_process_stays_the_same_one_when_the_clock_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A time of start is counted back from now: after the clock was set, it is another one for whoever starts later."""
    before, mark = own_id(), own_mark()
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: 1.0)
    own_id.cache_clear()
    own_mark.cache_clear()
    assert (own_id(), own_mark()) == (before, mark)
    assert not is_gone(before)
    assert not is_mark_gone(mark)


def test_a_process_that_hides_from_this_user_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    host, number, start = own_id().split("/")

    def hidden(path: Path) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", hidden)
    assert not is_gone(f"{host}/{number}/{start}")
    assert is_gone(f"{host}/{NOBODY}/{start}")


HOLDING = """
import sys
from pathlib import Path
from claude_pool_gh.storage import owners
owners.own_mark = lambda: sys.argv[2]
owners.hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_what_another_container_of_the_same_name_holds_is_kept_until_that_ends(
    tmp_path: Path,
) -> None:
    """Its process has a number there that nobody has here."""
    host, _, start = own_mark().split(".")
    elsewhere = f"{host}.999999999.{start}"
    (tmp_path / elsewhere / "run").mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path), elsewhere],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        sweep(tmp_path.glob("*"))
        assert (tmp_path / elsewhere / "run").is_dir()
        process.communicate("")
    sweep(tmp_path.glob("*"))
    assert list(tmp_path.iterdir()) == [], "nor does its lock stay"


def test_locks_of_the_dead_do_not_pile_up(tmp_path: Path) -> None:
    host, _, start = own_mark().split(".")
    old, fresh = (
        tmp_path / f".{host}.999999999.{start}.lock",
        tmp_path / f".{host}.999999998.1.lock",
    )
    for each in (old, fresh):
        each.touch()
    os.utime(old, (1, 1))
    hold(tmp_path)
    hold(tmp_path)
    assert set(tmp_path.iterdir()) == {fresh, tmp_path / f".{own_mark()}.lock"}


def test_a_lock_that_another_process_deletes_meanwhile_stops_no_start(tmp_path: Path) -> None:
    """A link to nothing: it stands in the folder, and is gone for whoever asks how old it is."""
    (tmp_path / ".a.1.f.lock").symlink_to(tmp_path / "gone")
    hold(tmp_path)
    assert (tmp_path / f".{own_mark()}.lock").is_file()
