"""The filter of system calls, run on a machine of the test's own: for both architectures, without a sandbox."""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass
from functools import cache
from typing import Final

import pytest

from claude_pool_gh.sandbox.filter import MACHINES, SEGMENT, program

ALLOW, KILL = 0x7FFF0000, 0x80000000
X86, ARM, FOREIGN = 0xC000003E, 0xC00000B7, 0x40000003
SOCKET: Final = {"x86_64": 41, "aarch64": 198}
SHMGET: Final = {"x86_64": 29, "aarch64": 194}
AUDIT: Final = {"x86_64": X86, "aarch64": ARM}
# As the kernel's own tables have them: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h.
REFUSED: Final = {
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "memfd_create": (319, 279),
    "msgget": (68, 186),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "memfd_secret": (447, 447),
}
ALLOWED: Final = {
    "read": (0, 63),
    "execve": (59, 221),
    "mmap": (9, 222),
    "clone": (56, 220),
    "connect": (42, 203),
    "shmat": (30, 196),
    "semget": (64, 190),
    "futex": (202, 98),
    "close_range": (436, 436),
}
ARCHITECTURES: Final = ("x86_64", "aarch64")


def failed(number: int) -> int:
    return 0x00050000 | number


@dataclass(frozen=True)
class Call:
    """A system call, as the kernel shows it to a filter."""

    number: int
    arguments: tuple[int, ...] = ()
    audit: int = X86

    @property
    def data(self) -> bytes:
        six = (*self.arguments, 0, 0, 0, 0, 0, 0)[:6]
        return struct.pack(
            "<iIQ6Q",
            self.number & 0xFFFFFFFF if self.number < 2**31 else self.number - 2**32,
            self.audit,
            0,
            *six,
        )


@cache
def lines(machine: str) -> list[tuple[int, ...]]:
    return list(struct.iter_unpack("=HBBI", program(machine)))


def answer(machine: str, call: Call) -> int:
    """What the filter says to a call, as classic BPF is defined: the few instructions that it is made of."""
    code = lines(machine)
    at = held = 0
    for _ in range(len(code)):
        kind, then, other, value = code[at]
        at += 1
        match kind:
            case 0x20:
                (held,) = struct.unpack_from("<I", call.data, value)
            case 0x15:
                at += then if held == value else other
            case 0x35:
                at += then if held >= value else other
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(kind)
    raise AssertionError("it does not end")


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_back_door_is_no_call_of_this_kernel(machine: str, name: str) -> None:
    number = REFUSED[name][ARCHITECTURES.index(machine)]
    call = Call(number, audit=AUDIT[machine])
    assert answer(machine, call) == failed(errno.ENOSYS)


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_what_programs_need_is_allowed_whatever_its_arguments_are(machine: str, name: str) -> None:
    number = ALLOWED[name][ARCHITECTURES.index(machine)]
    for first in (0, 40, 2**32 + 40):
        assert answer(machine, Call(number, (first, 2**40), AUDIT[machine])) == ALLOW


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_nothing_else_is_refused(machine: str) -> None:
    of_this = ARCHITECTURES.index(machine)
    ends = {number: answer(machine, Call(number, (1,), AUDIT[machine])) for number in range(470)}
    refused = {number for number, end in ends.items() if end != ALLOW}
    assert refused == {numbers[of_this] for numbers in REFUSED.values()}


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize(
    ("family", "end"),
    [
        (1, ALLOW),
        (2, ALLOW),
        (10, ALLOW),
        (16, ALLOW),
        (0, failed(errno.EAFNOSUPPORT)),
        (3, failed(errno.EAFNOSUPPORT)),
        (17, failed(errno.EAFNOSUPPORT)),
        (29, failed(errno.EAFNOSUPPORT)),
        (38, failed(errno.EAFNOSUPPORT)),
        (40, failed(errno.EAFNOSUPPORT)),
        (2**32 - 1, failed(errno.EAFNOSUPPORT)),
    ],
)
def test_sockets_are_of_four_families(machine: str, family: int, end: int) -> None:
    assert answer(machine, Call(SOCKET[machine], (family, 1), AUDIT[machine])) == end


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize(
    ("size", "allowed"),
    [
        (0, True),
        (SEGMENT, True),
        (SEGMENT + 1, False),
        (2**32, False),
        (2**32 + 1, False),
        (2**63, False),
    ],
)
def test_a_segment_of_shared_memory_is_small_in_both_halves_of_its_size(
    machine: str, size: int, allowed: bool
) -> None:
    end = answer(machine, Call(SHMGET[machine], (0, size), AUDIT[machine]))
    assert end == (ALLOW if allowed else failed(errno.ENOMEM))


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_call_of_another_architecture_ends_the_process(machine: str) -> None:
    for audit in {X86, ARM, FOREIGN} - {AUDIT[machine]}:
        for number in (0, 41, 425):
            assert answer(machine, Call(number, (2,), audit)) == KILL


@pytest.mark.parametrize("number", [0x40000000, 0x40000000 + 41, 0x40000000 + 425, 2**32 - 1])
def test_the_32_bit_form_of_a_call_is_refused_with_all_its_other_numbers(number: int) -> None:
    assert answer("x86_64", Call(number, (2,))) == failed(errno.ENOSYS)
    assert answer("x86_64", Call(0x3FFFFFFF)) == ALLOW


def test_these_are_all_machines() -> None:
    assert frozenset(ARCHITECTURES) == MACHINES
    with pytest.raises(KeyError):
        program("riscv64")
