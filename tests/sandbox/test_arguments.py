"""The view of a sandboxed command, as it is asked of bubblewrap: which arguments, and in which order."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest

from claude_pool_gh.sandbox.isolation import NOT_UNPACKED, SHARED_MEMORY, UNPACK, arguments
from tests.sandbox.proven import archive

FILTER = b"the filter"
TOOLS = (Path("/opt/node"), Path("/srv/tools"))


def made(command: str = "make", folders: tuple[Path, ...] = ()) -> list[str | bytes]:
    return arguments(command, folders=folders, disk=123, processes=45, seccomp=FILTER)


def after(found: list[str | bytes], *words: str | bytes) -> int:
    """Where these words stand beside each other, once."""
    places = [at for at in range(len(found)) if tuple(found[at : at + len(words)]) == words]
    assert len(places) == 1, (words, places)
    return places[0]


@pytest.mark.parametrize(
    "words",
    [
        ("--unshare-all",),
        ("--unshare-user",),
        ("--disable-userns",),
        ("--die-with-parent",),
        ("--new-session",),
        ("--uid", "1000", "--gid", "1000"),
        ("--cap-drop", "ALL"),
        ("--seccomp", FILTER),
        ("--size", "123", "--perms", "1777", "--tmpfs", "/tmp"),
        ("--size", str(SHARED_MEMORY), "--perms", "1777", "--tmpfs", "/dev/shm"),
        ("--proc", "/proc"),
        ("--dev", "/dev"),
        ("--clearenv",),
        ("--chdir", "/tmp/work"),
    ],
)
def test_every_wall_is_asked_for_once(words: tuple[str | bytes, ...]) -> None:
    after(made(), *words)


def test_nothing_of_the_host_can_be_written_and_only_public_files_of_etc_are_there() -> None:
    found = made(folders=TOOLS)
    assert not {"--bind", "--bind-try", "--dev-bind", "--dev-bind-try", "--share-net"} & set(found)
    shown = [
        found[at + 1] for at, each in enumerate(found) if each in ("--ro-bind", "--ro-bind-try")
    ]
    etc = {str(each) for each in shown if str(each).startswith("/etc")}
    assert "/etc" not in shown
    assert (
        not {"/etc/passwd", "/etc/shadow", "/etc/hosts", "/etc/ssl", "/etc/pki", "/etc/ssh"} & etc
    )
    assert "/etc/ssl/certs" in etc
    roots = {str(each) for each in shown} - etc - {str(each) for each in TOOLS}
    assert roots <= {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"}


def test_users_and_hosts_are_our_own() -> None:
    found = made()
    at = found.index("/etc/passwd")
    assert found[at - 2] == "--ro-bind-data"
    content = found[at - 1]
    assert isinstance(content, bytes)
    assert [line.split(b":")[0] for line in content.splitlines()] == [b"root", b"check"]
    hosts = found[found.index("/etc/hosts") - 1]
    assert isinstance(hosts, bytes)
    assert {line.split()[-1] for line in hosts.splitlines()} == {b"localhost"}


def test_a_link_of_the_system_is_a_link_here() -> None:
    found = made()
    for name in ("/bin", "/sbin", "/lib", "/lib64"):
        if Path(name).is_symlink():
            after(found, "--symlink", str(Path(name).readlink()), name)
            assert ("--ro-bind-try", name) not in itertools.pairwise(found)


def test_devices_and_the_root_are_closed_when_all_is_in_its_place() -> None:
    found = made(folders=TOOLS)
    last = after(found, "--remount-ro", "/")
    assert after(found, "--remount-ro", "/dev") < last
    mounts = ("--tmpfs", "--dir", "--ro-bind", "--ro-bind-try", "--proc", "--dev", "--symlink")
    late = [at for at, each in enumerate(found) if each in mounts and at > last]
    assert late == []
    assert after(found, "--tmpfs", "/tmp") < after(found, "--dir", "/tmp/work")
    assert after(found, "--dev", "/dev") < after(found, "--tmpfs", "/dev/shm")


def test_the_operator_s_programs_come_before_the_system_s() -> None:
    found = made(folders=TOOLS)
    for each in TOOLS:
        after(found, "--ro-bind", str(each), str(each))
    path = str(found[after(found, "--setenv", "PATH") + 2])
    assert path.startswith("/opt/node/bin:/srv/tools/bin:/usr/local/sbin:")
    assert path.endswith(":/usr/bin:/sbin:/bin")


def test_the_environment_is_made_of_nothing() -> None:
    found = made()
    names = [found[at + 1] for at, each in enumerate(found) if each == "--setenv"]
    assert names == ["PATH", "HOME", "LANG", "TERM", "CI"]
    assert found.index("--clearenv") < found.index("--setenv")


def test_a_command_is_one_argument_whatever_it_looks_like() -> None:
    odd = "--bind / / ; echo '{processes}'"
    found = made(odd)
    assert found[-5:-3] == ["--", "/bin/sh"]
    assert found[-3:] == ["-c", UNPACK.format(processes=45), odd]
    assert "{processes}" not in str(found[-2])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return archive(tmp_path, {"a.txt": "hello\n"})


def unpacked(files: Path, command: str, *, before: str = "", most: int = 200) -> tuple[int, str]:
    """The status and output of a command, after what the sandbox does before it; `before` that, more shell."""
    script = f"{before}exec /bin/sh -c '{UNPACK.format(processes=most)}' \"$0\""
    folder = files.with_name("here")
    folder.mkdir()
    told = ["/bin/sh", "-c", script, command]
    with files.open("rb") as stdin:
        done = subprocess.run(told, stdin=stdin, capture_output=True, cwd=folder, check=False)
    return done.returncode, done.stdout.decode()


def test_a_command_finds_its_files_and_nothing_is_left_on_its_input(files: Path) -> None:
    assert unpacked(files, "cat a.txt; cat; exit 3") == (3, "hello\n")


def test_files_that_cannot_be_laid_out_have_a_status_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "bad.tar").write_text("no archive")
    assert unpacked(tmp_path / "bad.tar", "echo ran") == (NOT_UNPACKED, "")


LIMIT = "ulimit -u 2>/dev/null || ulimit -p"
"""What a shell calls it: bash and busybox `-u`, dash `-p`."""


def test_its_processes_are_limited(files: Path) -> None:
    assert unpacked(files, LIMIT) == (0, "200\n")


def test_where_this_machine_allows_fewer_those_hold(files: Path) -> None:
    fewer = "ulimit -u 150 2>/dev/null || ulimit -p 150; "
    status, told = unpacked(files, LIMIT, before=fewer)
    assert status == 0
    assert told in ("150\n", "200\n"), "root may be allowed to raise it again"


def test_where_no_limit_can_be_set_nothing_runs(files: Path) -> None:
    script = "ulimit() { [ $# -gt 1 ] || echo unlimited; return 1; }; " + UNPACK.format(
        processes=200
    )
    told = ["/bin/sh", "-c", script, "echo ran"]
    with files.open("rb") as stdin:
        done = subprocess.run(told, stdin=stdin, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (NOT_UNPACKED, b"")
