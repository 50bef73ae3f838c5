"""The sealed list of a checkout: read back whole, quickly, or not at all."""

from __future__ import annotations

import marshal
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_pool_gh.worktrees.checkouts import sealed
from claude_pool_gh.worktrees.checkouts.listing import Listing
from claude_pool_gh.worktrees.checkouts.sealed import SealedRecord

RECORD = SealedRecord("c" * 40, (1, 2, 3, 4, 5, 6, 7), {b"": (1, 2, 3, 4, 5), b"a": (1,) * 7})


def test_it_is_read_back_and_its_commit_alone_too(tmp_path: Path) -> None:
    place = tmp_path / "sealed"
    assert (sealed.read(place), sealed.commit_of(place)) == (None, None)
    sealed.write(place, RECORD)
    assert (sealed.read(place), sealed.commit_of(place)) == (RECORD, "c" * 40)


@pytest.mark.parametrize("kept", [0, 3, 40, -1])
def test_one_that_is_cut_is_none(tmp_path: Path, kept: int) -> None:
    place = tmp_path / "sealed"
    sealed.write(place, RECORD)
    place.write_bytes(place.read_bytes()[:kept])
    assert sealed.read(place) is None


def test_nor_is_one_of_an_earlier_form(tmp_path: Path) -> None:
    place = tmp_path / "sealed"
    head = (1, sealed.boot_id(), RECORD.commit, RECORD.index)
    place.write_bytes(marshal.dumps(head) + marshal.dumps(RECORD.entries))
    tracemalloc.start()
    try:
        assert (sealed.read(place), sealed.commit_of(place)) == (None, None)
        assert tracemalloc.get_traced_memory()[1] < 2**20, "its first bytes are no length"
    finally:
        tracemalloc.stop()


def test_the_list_of_a_large_tree_is_read_at_once(tmp_path: Path) -> None:
    place = tmp_path / "sealed"
    entries: Listing = {
        f"d/{n}".encode(): (n, 0o100644, 0, 0, n << 32, n, 1) for n in range(20_000)
    }
    sealed.write(place, SealedRecord("c" * 40, RECORD.index, entries))
    plain = marshal.dumps(entries)
    ours, bare = fastest(lambda: sealed.read(place)), fastest(lambda: marshal.loads(plain))
    assert ours < 4 * bare, "a list that is read number by number takes ten times as long"


def fastest(act: Callable[[], object]) -> float:
    """Seconds of CPU of the quickest of some calls."""
    took = []
    for _ in range(7):
        began = time.thread_time()
        act()
        took.append(time.thread_time() - began)
    return min(took)
