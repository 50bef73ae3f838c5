"""The system calls that a sandboxed command is refused, as a seccomp program.

Namespaces alone are not enough: sockets to the hypervisor belong to no network namespace, io_uring opens sockets past
any filter, and the kernel's keyrings are the server's own. Others keep memory that belongs to no process, where nobody
can count it: files without a name in memory, segments and messages of System V. Everything else is the namespaces'
business.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass
from typing import Final

_LOAD, _EQUALS, _AT_LEAST, _RETURN = (
    0x20,
    0x15,
    0x35,
    0x06,
)  # of linux/bpf_common.h, on 32-bit words
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = (
    0,
    4,
    16,
    24,
)  # offsets in struct seccomp_data, little endian
_X32: Final = 0x40000000
"""From here on system calls of x86-64 are those of its 32-bit form, under other numbers."""

_FAMILIES: Final = (1, 2, 10, 16)
"""UNIX, IPv4, IPv6 and netlink: all of these end at the network namespace or the files."""


@dataclass(frozen=True, slots=True)
class _Machine:
    audit: int
    socket: int
    shmget: int
    refused: tuple[int, ...]


_IO_URING: Final = (425, 426, 427)
_MEMFD_SECRET: Final = 447
SEGMENT: Final = 4096
"""Bytes that one System V segment may have: enough for what databases mark their folder with, and the kernel allows
no more than 4096 segments."""
_MACHINES: Final = {
    "x86_64": _Machine(
        0xC000003E,
        socket=41,
        shmget=29,
        # add_key, request_key, keyctl, perf_event_open, bpf, userfaultfd, memfd_create, msgget
        refused=(248, 249, 250, 298, 321, 323, 319, 68, *_IO_URING, _MEMFD_SECRET),
    ),
    "aarch64": _Machine(
        0xC00000B7,
        socket=198,
        shmget=194,
        refused=(217, 218, 219, 241, 280, 282, 279, 186, *_IO_URING, _MEMFD_SECRET),
    ),
}
MACHINES: Final = frozenset(_MACHINES)
"""What `platform.machine()` may say where commands can be sandboxed."""


def program(machine: str) -> bytes:
    """The filter for a machine, as bubblewrap takes it. Raises KeyError for another than those of `MACHINES`."""
    known = _MACHINES[machine]
    refuse = _FAIL | errno.ENOSYS
    lines = [
        _line(_LOAD, _ARCHITECTURE),
        _line(_EQUALS, known.audit, 1, 0),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER),
        _line(_AT_LEAST, _X32, 0, 1),
        _line(_RETURN, refuse),
    ]
    for number in known.refused:
        lines += [_line(_EQUALS, number, 0, 1), _line(_RETURN, refuse)]
    lines += [
        _line(_EQUALS, known.shmget, 0, 6),
        _line(_LOAD, _SECOND_ARGUMENT + 4),  # the size's upper half
        _line(_EQUALS, 0, 0, 2),
        _line(_LOAD, _SECOND_ARGUMENT),
        _line(_AT_LEAST, SEGMENT + 1, 0, 1),
        _line(_RETURN, _FAIL | errno.ENOMEM),
        _line(_RETURN, _ALLOW),
    ]
    lines += [
        _line(_EQUALS, known.socket, 1, 0),
        _line(_RETURN, _ALLOW),
        _line(_LOAD, _FIRST_ARGUMENT),
    ]
    for family in _FAMILIES:
        lines += [_line(_EQUALS, family, 0, 1), _line(_RETURN, _ALLOW)]
    return b"".join([*lines, _line(_RETURN, _FAIL | errno.EAFNOSUPPORT)])


def _line(code: int, value: int, then: int = 0, other: int = 0) -> bytes:
    """One instruction: what to do, with what, and how many lines to skip where it holds and where it does not."""
    return struct.pack("=HBBI", code, then, other, value)
