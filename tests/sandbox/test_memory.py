"""Memory that is out of sight: which mappings hide some, and when a command is taken to have too much."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from claude_pool_gh.sandbox import memory
from claude_pool_gh.sandbox.isolation import SHARED_MEMORY
from claude_pool_gh.sandbox.memory import MemoryUse, held, hides, on_this_machine

MB = 1 << 20
OWN = "import sys; held = bytearray(b'x') * (40 << 20)"
SHARED = "import mmap; held = mmap.mmap(-1, 40 << 20); held.write(b'x' * (40 << 20))"
NOTHING = "pass"


@contextmanager
def holding(program: str) -> Iterator[psutil.Process]:
    """A process that holds what a program has made, until the block ends."""
    told = f"{program}\nprint('ready', flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-IS", "-c", told], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as started:
        assert started.stdout is not None
        assert started.stdin is not None
        started.stdout.readline()
        try:
            yield psutil.Process(started.pid)
        finally:
            started.stdin.write(b"\n")
            started.stdin.close()


def gone() -> psutil.Process:
    with holding(NOTHING) as process:
        return process


def test_memory_of_a_process_s_own_is_shown_and_hides_nothing() -> None:
    with holding(OWN) as process, holding(NOTHING) as other:
        shown, own = held([process])
        assert shown > 40 * MB
        assert 40 * MB < own <= shown
        assert not hides(process)
        both = held([process, other])
        assert both[0] > shown
        assert both[1] > own


def test_memory_that_can_be_put_out_of_sight_is_seen_as_such() -> None:
    added: list[int] = []
    while len(added) < 5 and (not added or added[-1] < 20 * MB):  # others come and go meanwhile
        before = on_this_machine()
        with holding(SHARED) as process:
            assert hides(process)
            shown, own = held([process])
            assert shown - own >= 40 * MB, "it is shown as shared"
            added.append(on_this_machine() - before)
    assert added[-1] >= 20 * MB


def test_a_process_that_is_gone_holds_and_hides_nothing() -> None:
    dead = gone()
    assert held([dead]) == (0, 0)
    assert not hides(dead)
    assert not MemoryUse(1, before=0).is_passed([dead])


def test_what_processes_show_together_is_bounded() -> None:
    with holding(OWN) as one, holding(OWN) as two:
        together = held([one, two])[0]
        assert not MemoryUse(together + 8 * MB).is_passed([one, two])
        assert MemoryUse(together - 8 * MB).is_passed([one, two])
        assert not MemoryUse(together - 8 * MB).is_passed([one])


@pytest.mark.parametrize(("program", "passed"), [(SHARED, True), (OWN, False)])
def test_what_was_added_to_the_machine_counts_only_where_somebody_could_hide_it(
    program: str, passed: bool
) -> None:
    with holding(program) as process:
        shown, own = held([process])
        most = shown + 8 * MB
        added = 2 * most + SHARED_MEMORY - own
        well = MemoryUse(most, before=on_this_machine() - added + 64 * MB)
        much = MemoryUse(most, before=on_this_machine() - added - 64 * MB)
        assert not well.is_passed([process])
        assert much.is_passed([process]) is passed


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("7f00-7f01 rw-s 00000000 00:01 1024 /dev/zero (deleted)", True),
        ("7f00-7f01 rw-s 00000000 00:01 1024 /memfd:a name (deleted)", True),
        ("7f00-7f01 rw-s 00000000 00:01 1024 /SYSV00000000 (deleted)", True),
        ("7f00-7f01 rw-p 00000000 00:01 1024 /dev/zero (deleted)", False),
        ("7f00-7f01 rw-s 00000000 00:01 1024 /tmp/work/file", False),
        ("7f00-7f01 rw-p 00000000 00:00 0", False),
        ("7f00-7f01 rw-s 00000000 00:00 0", False),
        ("", False),
    ],
)
def test_a_mapping_hides_memory_that_is_no_file_s_and_can_be_shared(
    line: str, hidden: bool
) -> None:
    assert memory._is_hidden(line.split(maxsplit=5)) is hidden


def test_this_process_is_one_that_hides_while_it_has_such_a_mapping() -> None:
    own = psutil.Process(os.getpid())
    with mmap.mmap(-1, 4096):
        assert hides(own)
