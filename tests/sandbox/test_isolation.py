"""What a hostile command tries inside the sandbox. Everything that it must not get, it does not get."""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_pool_gh.sandbox import filter as seccomp
from claude_pool_gh.sandbox.proof import judged
from claude_pool_gh.sandbox.sandbox import Sandbox
from tests.sandbox.proven import PYTHON, archive, needs_python, needs_walls

SYSTEM = {"bin", "dev", "etc", "lib", "lib32", "lib64", "proc", "sbin", "tmp", "usr"}


async def printed(sandbox: Sandbox, files: Path, command: str) -> str:
    ran = await sandbox.run(command, files, seconds=20)
    return ran.output


def in_python(code: str) -> str:
    """A command that runs some Python and prints what it raises."""
    lines = "\n".join(f"    {line}" for line in code.splitlines())
    caught = f"import ctypes, os, socket\ntry:\n{lines}\nexcept OSError as error:\n    print(error.strerror)\n"
    return f"{PYTHON} -c {shlex.quote(caught)}"


# ---- files


@needs_walls
async def test_it_sees_the_systems_programs_and_nothing_else(sandbox: Sandbox, files: Path) -> None:
    assert set((await printed(sandbox, files, "ls /")).split()) <= SYSTEM


@needs_walls
@pytest.mark.parametrize(
    "path",
    [
        "/etc/shadow",
        "/etc/ssh",
        "/etc/ssl/private",
        "/root",
        "/home",
        "/var",
        "/run",
        "/srv",
        "/mnt",
        "/sys",
    ],
)
async def test_what_may_hold_secrets_is_not_there(sandbox: Sandbox, files: Path, path: str) -> None:
    assert await printed(sandbox, files, f"[ -e {path} ] && echo seen; true") == ""


@needs_walls
async def test_the_servers_folder_is_not_there_and_no_link_leads_out(
    sandbox: Sandbox, private: Path, tmp_path: Path
) -> None:
    key = private / "key.pem"
    key.chmod(0o644)
    files = archive(tmp_path, {"link": f"-> {key}", "up": f"-> ../../../../../..{key}"})
    command = f"cat {key} link up /proc/1/root{key} /proc/self/cwd/../../..{key}; find / -name key.pem 2>/dev/null"
    assert "private key" not in await printed(sandbox, files, command)


@needs_walls
@pytest.mark.parametrize(
    "place", ["/usr/x", "/etc/x", "/x", "/dev/x", "/proc/sys/kernel/core_pattern", "/bin/x"]
)
async def test_it_writes_nowhere_but_in_its_own_place(
    sandbox: Sandbox, files: Path, place: str
) -> None:
    assert (
        await printed(sandbox, files, f"{{ echo x > {place}; }} 2>/dev/null && echo written; true")
        == ""
    )


@needs_walls
async def test_its_own_places_can_be_written(sandbox: Sandbox, files: Path) -> None:
    command = 'for each in . "$HOME" /tmp /dev/shm; do echo x > "$each/x" || echo no "$each"; done'
    assert await printed(sandbox, files, command) == ""


# ---- the server's process, its environment and its user


@needs_walls
async def test_nothing_of_the_servers_environment_is_there(
    sandbox: Sandbox, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_POOL_PRIVATE_KEY", "canary-of-the-environment")
    told = await printed(sandbox, files, "env; cat /proc/*/environ /proc/*/cmdline")
    assert "HOME=/tmp/home" in told
    assert "canary-of-the-environment" not in told


@needs_walls
async def test_it_sees_its_own_processes_only(sandbox: Sandbox, files: Path) -> None:
    told = await printed(
        sandbox, files, "ls /proc | grep -c '^[0-9]'; kill -0 $PPID; cat /proc/1/comm"
    )
    assert int(told.split()[0]) < 8
    assert told.split()[-1] == "bwrap"


@needs_walls
async def test_it_is_nobody_and_has_no_rights(sandbox: Sandbox, files: Path) -> None:
    told = await printed(
        sandbox, files, "id -u; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status"
    )
    lines = [line.split() for line in told.splitlines()]
    assert lines[0] == ["1000"]
    status = {line[0].rstrip(":"): line[1] for line in lines[1:]}
    assert {status[name] for name in status if name.startswith("Cap")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


# ---- the network


@needs_walls
async def test_there_is_no_network_but_its_own_loopback(sandbox: Sandbox, files: Path) -> None:
    told = await printed(
        sandbox, files, "tail -n +3 /proc/net/dev | cut -d: -f1; tail -n +2 /proc/net/route"
    )
    assert told.split() == ["lo"]


@needs_walls
@needs_python
async def test_the_hosts_sockets_cannot_be_reached(sandbox: Sandbox, files: Path) -> None:
    heard: list[object] = []

    async def hear(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(writer.get_extra_info("sockname"))
        writer.close()

    hidden = f"\0cpg-test-{os.getpid()}"
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        named = f"{folder}/socket"
        async with (
            await asyncio.start_server(hear, "127.0.0.1", 0) as tcp,
            await asyncio.start_unix_server(hear, named),
            await asyncio.start_unix_server(hear, hidden),
        ):
            Path(named).chmod(0o777)
            port = tcp.sockets[0].getsockname()[1]
            code = f"socket.create_connection(('127.0.0.1', {port}), 2)"
            assert "refused" in await printed(sandbox, files, in_python(code))
            for name in (named, hidden):
                code = f"socket.socket(socket.AF_UNIX).connect({name!r})"
                told = await printed(sandbox, files, in_python(code.replace("\\x00", "\\0")))
                assert told.strip() in ("Connection refused", "No such file or directory")
    assert heard == []


@needs_walls
@needs_python
async def test_loopback_of_its_own_works_as_tests_want_it(sandbox: Sandbox, files: Path) -> None:
    code = (
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "client = socket.create_connection(server.getsockname())\n"
        "print(client.getpeername()[0])"
    )
    assert await printed(sandbox, files, in_python(code)) == "127.0.0.1\n"


# ---- the kernel's back doors

CALLS = {
    "x86_64": (250, 425, 321, 298, 323, 319, 68, 447),
    "aarch64": (219, 425, 280, 241, 282, 279, 186, 447),
}


@needs_walls
@needs_python
@pytest.mark.parametrize("number", CALLS.get(os.uname().machine, ()))
async def test_back_doors_are_shut(sandbox: Sandbox, files: Path, number: int) -> None:
    code = (
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        f"print(libc.syscall({number}, 0, 0, 0, 0, 0), ctypes.get_errno())"
    )
    assert await printed(sandbox, files, in_python(code)) == "-1 38\n"


@needs_walls
@needs_python
@pytest.mark.parametrize("family", ["AF_VSOCK", "AF_ALG", "AF_PACKET", "AF_CAN"])
async def test_sockets_of_other_families_are_refused(
    sandbox: Sandbox, files: Path, family: str
) -> None:
    number = int(getattr(socket, family))
    told = await printed(sandbox, files, in_python(f"socket.socket({number}, socket.SOCK_STREAM)"))
    assert told == "Address family not supported by protocol\n"


@needs_walls
@needs_python
async def test_no_new_namespaces_and_so_no_new_rights(sandbox: Sandbox, files: Path) -> None:
    code = (
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.unshare(0x10000000), libc.unshare(0x40000000), libc.mount(b'x', b'/tmp', b'tmpfs', 0, None))"
    )
    assert await printed(sandbox, files, in_python(code)) == "-1 -1 -1\n"


@needs_python
def test_these_back_doors_are_open_without_the_walls() -> None:
    """Else the tests above would show nothing."""
    opened = []
    for family in (socket.AF_VSOCK, socket.AF_ALG):
        try:
            socket.socket(
                family, socket.SOCK_SEQPACKET if family == socket.AF_ALG else socket.SOCK_STREAM
            ).close()
            opened.append(family)
        except OSError:
            continue
    if not opened:
        pytest.skip("this kernel has none of these families")
    assert opened


# ---- the filter and the proof


def test_the_filter_is_whole_instructions_for_each_machine() -> None:
    for machine in seccomp.MACHINES:
        program = seccomp.program(machine)
        assert len(program) % 8 == 0
        lines = [program[at : at + 8] for at in range(0, len(program), 8)]
        for at, line in enumerate(lines):
            if line[0] in (0x15, 0x35):
                assert all(at + 1 + jump < len(lines) for jump in line[2:4]), "it jumps out"
        assert lines[-1][0] == 0x06, "it ends by saying what is to be done"


OWN = {name: f"{name}:[1]" for name in ("user", "net", "pid", "mnt", "ipc", "uts", "cgroup")}
GOOD = (
    "".join(f"{name} {name}:[2]\n" for name in OWN)
    + f"CapEff:\t{'0' * 16}\nCapBnd:\t{'0' * 16}\nNoNewPrivs:\t1\nSeccomp:\t2\n"
)
Spoil = Callable[[str], str]


@pytest.mark.parametrize(
    ("spoiled", "fault"),
    [
        *[
            (
                lambda told, name=name: told.replace(f"{name}:[2]", f"{name}:[1]"),
                f"shares this server's {name} ",
            )
            for name in OWN
        ],
        (lambda told: told.replace("net net:[2]\n", ""), "shares this server's net namespace"),
        (lambda told: told.replace("CapEff:\t0", "CapEff:\t1"), "has rights of an administrator"),
        (lambda told: told.replace("CapBnd:\t0", "CapBnd:\t1"), "can be given rights"),
        (
            lambda told: told.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
            "new rights from a program",
        ),
        (lambda told: told.replace("Seccomp:\t2", "Seccomp:\t0"), "not filtered"),
        (lambda told: told + "CANARY seen\n", "see this server's own files"),
        (lambda told: told + "SYSTEM writable\n", "write where it should not"),
        (lambda _told: "", "namespace"),
    ],
)
def test_whatever_does_not_hold_is_no_proof(spoiled: Spoil, fault: str) -> None:
    assert judged(GOOD, OWN) == ""
    assert fault in judged(spoiled(GOOD), OWN)
