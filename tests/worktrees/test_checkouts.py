"""Checkouts: readers share, writers leave nothing, and what cannot be shown clean is not used again."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from claude_pool_gh.pool.model.errors import SpoiledWorkspace
from claude_pool_gh.worktrees.checkouts import lock, traits
from claude_pool_gh.worktrees.checkouts.checkouts import Checkouts
from claude_pool_gh.worktrees.checkouts.listing import Listing, listed
from tests.patience import PATIENCE
from tests.worktrees.acts import ACTS, Act, attribute, hard_link_out, same_size_and_time
from tests.worktrees.site import Site
from tests.worktrees.truth import Truth, truth_of

WALK = "claude_pool_gh.worktrees.checkouts.checkout.listed"


def kept(site: Site) -> list[Path]:
    """The checkouts that lie there for the next run."""
    return [
        path
        for path in (site.worktrees.state / "checkouts").glob("*/*")
        if not path.name.startswith(".")
    ]


async def clean(site: Site, commit: str | None = None) -> Truth:
    """What a commit's files are where nobody has ever been."""
    fresh = Checkouts(site.tmp / f"fresh-{commit}", site.mirror)
    async with fresh.reading(commit or site.widgets.head()) as tree:
        return truth_of(tree)


async def test_two_hundred_readers_share_one_checkout(site: Site) -> None:
    async with site.lease(writes=False):
        pass
    together = asyncio.Barrier(200)

    async def one(number: int) -> Path:
        async with site.worktrees.lease(site.wanted(f"run.{number}", writes=False)) as lease:
            await together.wait()
            return lease.folder

    assert len(set(await asyncio.gather(*map(one, range(200))))) == 1
    assert len(kept(site)) == 1


async def test_readers_of_another_commit_and_a_writer_have_their_own(site: Site) -> None:
    first = site.widgets.head()
    async with site.lease(writes=False) as one:
        second = site.widgets.commit("main", {"new.txt": "x"})
        async with (
            site.lease(writes=False, commit=second) as two,
            site.lease(commit=first) as three,
        ):
            assert len({one.folder, two.folder, three.folder}) == 3
            assert not (one.folder / "new.txt").exists()
            assert (two.folder / "new.txt").exists()
            (three.folder / "README.md").write_text("mine\n")
            assert (one.folder / "README.md").read_text() == "hi\n"


async def test_the_next_commit_is_a_move_of_what_is_there(site: Site) -> None:
    async with site.lease() as lease:
        folder, untouched = lease.folder, (lease.folder / "src" / "a.py").stat().st_ino
    second = site.widgets.commit(
        "main", {"new/deep.txt": "x", "README.md": None, "run.sh": "plain\n"}
    )
    async with site.lease(commit=second) as lease:
        assert lease.folder == folder
        assert (lease.folder / "src" / "a.py").stat().st_ino == untouched
        assert truth_of(lease.folder) == await clean(site, second)
    third = site.widgets.commit("main", {"new/deep.txt": None, "README.md": "back\n"})
    async with site.lease(writes=False, commit=third) as lease:
        assert lease.folder == folder
        assert truth_of(lease.folder) == await clean(site, third)


@pytest.mark.parametrize(
    "believed",
    [
        pytest.param(True, id="by times"),
        pytest.param(False, id="by contents", marks=pytest.mark.rotating(4)),
    ],
)
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
async def test_nothing_of_one_run_is_there_for_the_next(
    site: Site, act: Act, believed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traits, "are_times_believed", lambda _: believed)
    outside = site.tmp / "outside"
    outside.mkdir()
    async with site.lease() as lease:
        act(lease.folder, outside)
    for planted in outside.rglob("*"):
        if planted.is_file() and not planted.is_symlink():
            planted.write_text("written later, through a link that was kept\n")
    async with site.lease() as lease:
        assert truth_of(lease.folder) == await clean(site)
    new = site.widgets.commit("main", {"src/a.py": "print('new')\n", "src/more/x.py": "x\n"})
    async with site.lease(commit=new) as lease:
        assert truth_of(lease.folder) == await clean(site, new)


@pytest.mark.parametrize("act", [same_size_and_time, attribute, hard_link_out])
async def test_without_the_proof_it_would_be_there(
    site: Site, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr("claude_pool_gh.worktrees.checkouts.checkout.differing", lambda *_: set())
    (site.tmp / "outside").mkdir()
    async with site.lease() as lease:
        act(lease.folder, site.tmp / "outside")
    async with site.lease() as lease:
        assert truth_of(lease.folder) != await clean(site)


async def test_what_a_reader_was_shown_counts_only_if_nobody_changed_it(site: Site) -> None:
    async with site.lease(writes=False):
        pass
    together, ends = asyncio.Barrier(3), []

    async def one(*, spoils: bool) -> None:
        try:
            async with site.lease(writes=False) as lease:
                await together.wait()
                if spoils:
                    (lease.folder / "README.md").write_text("ho\n")
        except SpoiledWorkspace:
            ends.append("spoiled")

    await asyncio.gather(one(spoils=True), one(spoils=False), one(spoils=False))
    assert ends == ["spoiled"] * 3
    async with site.lease(writes=False) as lease:
        assert (lease.folder / "README.md").read_text() == "hi\n"


async def test_one_proof_serves_all_who_ended_before_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks, together = [], asyncio.Barrier(50)
    walk = Checkouts._walk

    async def counted(*arguments: object) -> None:
        walks.append(1)
        await walk(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Checkouts, "_walk", counted)

    async def one(number: int) -> None:
        async with site.worktrees.lease(site.wanted(f"run.{number}", writes=False)):
            await together.wait()

    await asyncio.gather(*map(one, range(50)))
    assert len(walks) <= 5


async def test_a_checkout_whose_user_was_killed_is_not_used_again(site: Site) -> None:
    async with site.lease() as lease:
        used = lease.folder.parent
    (used / "sealed").unlink()  # as it is while somebody writes
    (used / "tree" / "planted").write_text("x")
    async with site.lease() as lease:
        assert lease.folder.parent != used
        assert not (lease.folder / "planted").exists()
    assert not used.exists()


async def test_another_start_of_the_machine_believes_no_list(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.lease() as lease:
        used = lease.folder
    monkeypatch.setattr("claude_pool_gh.worktrees.checkouts.sealed.boot_id", lambda: "another")
    async with site.lease() as lease:
        assert lease.folder != used


@pytest.mark.parametrize("confined", [False, True])
async def test_where_agents_cannot_be_confined_a_checkout_is_proved_before_it_is_lent(
    site: Site, confined: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they can be, nobody was there: the control shows that else it would be lent."""
    monkeypatch.setattr(
        "claude_pool_gh.worktrees.checkouts.checkouts.can_confine", lambda: confined
    )
    async with site.lease() as lease:
        used = lease.folder
    (used / "planted.txt").write_text("by a run that escaped its tools\n")
    async with site.lease() as lease:
        assert (lease.folder / "planted.txt").exists() is confined


async def test_a_run_that_broke_leaves_no_checkout(site: Site) -> None:
    with pytest.raises(RuntimeError):
        async with site.lease() as lease:
            raise RuntimeError
    assert not lease.folder.exists()
    assert kept(site) == []


def test_a_lock_is_open_as_soon_as_it_is_released(tmp_path: Path) -> None:
    """Although a process that was forked meanwhile, and does not run anything yet, has a copy of it."""
    held = lock.make(tmp_path)
    copied, told = os.pipe()
    if not (child := os.fork()):
        os.close(told)
        os.read(copied, 1)
        os._exit(0)
    os.close(copied)
    try:
        held.release()
        again = lock.take(tmp_path, exclusive=True)
        assert again is not None
        again.release()
    finally:
        os.close(told)
        os.waitpid(child, 0)


async def test_no_more_are_kept_than_the_bound(site: Site) -> None:
    checkouts = Checkouts(site.tmp / "checkouts", site.mirror, most=2)
    async with site.lease():
        pass
    together = asyncio.Barrier(5)

    async def one() -> None:
        async with checkouts.writing(site.widgets.head()):
            await together.wait()

    await asyncio.gather(*(one() for _ in range(5)))
    assert len([each for each in checkouts.folder.iterdir() if not each.name.startswith(".")]) == 2


async def test_nor_more_bytes(site: Site) -> None:
    checkouts = Checkouts(site.tmp / "checkouts", site.mirror, most_bytes=1)
    async with site.lease():
        pass
    async with checkouts.reading(site.widgets.head()):
        pass
    assert [each for each in checkouts.folder.iterdir() if not each.name.startswith(".")] == []


async def test_a_checkout_in_use_is_never_evicted(site: Site) -> None:
    checkouts = Checkouts(site.tmp / "checkouts", site.mirror, most=0)
    async with site.lease():
        pass
    async with checkouts.reading(site.widgets.head()) as tree:
        async with checkouts.writing(site.widgets.head()):
            pass
        assert (tree / "README.md").read_text() == "hi\n"


async def test_the_kernel_opens_a_dead_holders_lock(site: Site) -> None:
    async with site.lease() as lease:
        place = lease.folder.parent
        assert lock.take(place, exclusive=True) is None, "the control: it is held"
    child = os.fork()
    if not child:
        held = lock.take(place, exclusive=True)
        os.kill(os.getpid(), 9 if held is not None else 15)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    held = lock.take(place, exclusive=True)
    assert held is not None
    held.release()


async def test_the_start_removes_what_was_being_made_or_thrown_away(site: Site) -> None:
    async with site.lease():
        pass
    folder = site.worktrees.state / "checkouts" / str(site.widgets.id)
    for name in (".new-1", ".trash-2"):
        (folder / name / "tree").mkdir(parents=True)
    site.worktrees.sweep()
    assert site.leftovers() == []
    assert len(kept(site)) == 1


def test_a_file_system_in_memory_is_not_believed() -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or traits.file_system_of(memory) != "tmpfs":
        pytest.skip("there is no file system in memory at /dev/shm")
    assert not traits.are_times_believed(memory)
    assert traits._can_change_unseen(memory), "the control: it can be changed unseen"


async def test_a_reader_that_is_cancelled_while_its_files_are_proved_spoils_nobody_elses(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = site.widgets.head(), site.widgets.commit("main", {"new.txt": "x"})
    began, goes_on = threading.Event(), threading.Event()

    def slow(top: bytes) -> Listing:
        began.set()
        assert goes_on.wait(PATIENCE)
        return listed(top)

    async def one() -> None:
        async with site.lease(writes=False, commit=first):
            monkeypatch.setattr(WALK, slow)

    reading = asyncio.create_task(one())
    assert await asyncio.to_thread(began.wait, PATIENCE)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    monkeypatch.setattr(WALK, listed)
    async with site.lease(writes=False, commit=second) as lease:
        goes_on.set()
        await asyncio.sleep(0.2)
        assert (lease.folder / "new.txt").exists()
