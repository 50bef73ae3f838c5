"""The checkouts of all repositories together stay below a bound: those used longest ago go."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from claude_pool_gh.worktrees.checkouts import disk_bound as kept
from claude_pool_gh.worktrees.checkouts import lock
from claude_pool_gh.worktrees.checkouts.disk_bound import keep_below
from tests.patience import PATIENCE
from tests.worktrees.site import Site


def made(folder: Path, name: str, size: int, used: int) -> Path:
    """A checkout of this many bytes, used last at a time."""
    place = folder / name
    place.mkdir(parents=True)
    (place / "about").write_text(f"{'a' * 40} {size}")
    os.close(lock.make(place).file)
    os.utime(place / lock.LOCK, (used, used))
    return place


def test_those_used_longest_ago_go_whichever_repository_they_are_of(tmp_path: Path) -> None:
    old, young, older = (
        made(tmp_path, name, 10, used) for name, used in (("1/a", 20), ("1/b", 30), ("2/c", 10))
    )
    making = made(tmp_path, "2/.new-d", 99, 1)
    assert keep_below(tmp_path, 30) == 0
    assert keep_below(tmp_path, 20) == 1
    assert (older.exists(), old.exists(), young.exists()) == (False, True, True)
    held = lock.take(old, exclusive=False)
    assert held is not None
    assert keep_below(tmp_path, 0) == 1, "one that is lent stays"
    assert (old.exists(), young.exists(), making.exists()) == (True, False, True)
    held.release()
    assert not list(tmp_path.glob(f"*/{kept.TRASH}*"))


async def test_a_new_checkout_makes_room_for_itself(site: Site) -> None:
    checkouts = site.worktrees._checkouts_of(site.widgets.id)
    other = made(site.worktrees.state / "checkouts", "99/a", 10, 10)
    head = site.widgets.head()
    await site.worktrees.fetch(site.widgets.id, [head], ["refs/heads/main"])
    small = type(checkouts)(checkouts.folder, checkouts.mirror, most_bytes_of_all=0)
    async with small.reading(head) as tree:
        assert any(tree.iterdir())
        assert not other.exists()


async def test_whoever_is_cancelled_while_room_is_made_leaves_the_checkout_to_the_next(
    site: Site,
) -> None:
    checkouts = site.worktrees._checkouts_of(site.widgets.id)
    head = site.widgets.head()
    await site.worktrees.fetch(site.widgets.id, [head], ["refs/heads/main"])
    slow = site.worktrees.state / "checkouts" / "99" / "a"
    slow.mkdir(parents=True)
    os.mkfifo(slow / "about")  # read only when somebody writes: until then no room is made

    async def use() -> None:
        async with checkouts.reading(head):
            pass

    def whole() -> list[Path]:
        return [each for each in checkouts.folder.glob("*") if not each.name.startswith(".")]

    using = asyncio.create_task(use())
    try:
        async with asyncio.timeout(PATIENCE):
            while not whole():
                await asyncio.sleep(0.01)
        using.cancel()
        with pytest.raises(asyncio.CancelledError):
            await using
    finally:
        os.close(os.open(slow / "about", os.O_RDWR))  # else its reader waits for ever
    (place,) = whole()
    held = lock.take(place, exclusive=True)
    assert held is not None
    held.release()
