"""The view of a sandboxed command, as arguments for bubblewrap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_ETC: Final = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
)
"""What programs want of /etc. All of it is public on every machine; the rest may not be."""
_OWN: Final = {
    "passwd": b"root:x:0:0:root:/:/bin/sh\ncheck:x:1000:1000:check:/tmp/home:/bin/sh\n",
    "group": b"root:x:0:\ncheck:x:1000:\n",
    "hosts": b"127.0.0.1 localhost\n::1 localhost\n",
}
_HOME, _WORK = "/tmp/home", "/tmp/work"  # noqa: S108 - in memory, of this one command
SHARED_MEMORY: Final = 64 << 20
"""Bytes of /dev/shm, as in containers."""
_PATH: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

NOT_UNPACKED: Final = 125
UNPACK: Final = (
    "ulimit -u {processes} 2>/dev/null || ulimit -p {processes} 2>/dev/null || "
    f'[ "$(ulimit -u 2>/dev/null || ulimit -p)" -le {{processes}} ] || exit {NOT_UNPACKED}; '
    f'tar -xf - || exit {NOT_UNPACKED}; exec /bin/sh -c "$0" </dev/null'
)
"""Lays the files of the commit out, inside the sandbox, and becomes the command.

The processes are limited in here because Linux counts them for each user namespace: outside, all sandboxes of a user
are counted together, and what one has started would be refused to another. Shells disagree on the letter. Where this
machine allows fewer, so that the limit cannot be set, those hold.
"""


def arguments(
    command: str, *, folders: Sequence[Path], disk: int, processes: int, seccomp: bytes
) -> list[str | bytes]:
    """The arguments; bytes stand for a file descriptor that holds them.

    `folders` can be read besides the system's programs, `disk` is how many bytes of files the command may have,
    `processes` how many processes and threads. Its files come as a tar archive on standard input.
    """
    return [
        "--unshare-all",
        "--unshare-user",
        "--disable-userns",
        "--die-with-parent",
        "--new-session",
        "--uid",
        "1000",
        "--gid",
        "1000",
        "--hostname",
        "check",
        "--cap-drop",
        "ALL",
        "--seccomp",
        seccomp,
        *_system(),
        "--size",
        str(disk),
        "--perms",
        "1777",
        "--tmpfs",
        "/tmp",  # noqa: S108
        "--dir",
        _WORK,
        "--dir",
        _HOME,
        *(part for folder in folders for part in ("--ro-bind", str(folder), str(folder))),
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--size",
        str(SHARED_MEMORY),
        "--perms",
        "1777",
        "--tmpfs",
        "/dev/shm",  # noqa: S108
        "--remount-ro",
        "/dev",
        "--remount-ro",
        "/",
        *_environment(folders),
        "--chdir",
        _WORK,
        "--",
        "/bin/sh",
        "-c",
        UNPACK.format(processes=processes),
        command,
    ]


def _system() -> Iterator[str | bytes]:
    for path in map(Path, _SYSTEM):
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        else:
            yield from ("--ro-bind-try", str(path), str(path))
    for name in _ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    for name, content in _OWN.items():
        yield from ("--ro-bind-data", content, f"/etc/{name}")


def _environment(folders: Sequence[Path]) -> Iterator[str]:
    own = [str(folder / "bin") for folder in folders]
    values = {
        "PATH": ":".join([*own, *_PATH]),
        "HOME": _HOME,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "CI": "true",
    }
    yield "--clearenv"
    for name, value in values.items():
        yield from ("--setenv", name, value)
