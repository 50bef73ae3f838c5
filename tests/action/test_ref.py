"""A ref that is read and replaced: what a failed push means, and what is tried again."""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from claude_pool_gh.action.state import image
from claude_pool_gh.action.state import ref as refs
from claude_pool_gh.action.state.image import Header
from claude_pool_gh.action.state.keeper import Keeper, TakenOver
from claude_pool_gh.action.state.ref import Ref, Refused, Stale, Unavailable, meaning
from claude_pool_gh.rehearsal.github import Moment
from claude_pool_gh.rehearsal.github.web.faults import Fault, Reset, Respond
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import Credentials
from claude_pool_gh.worktrees.git import git as local_git
from tests.action.conftest import WRITE, Stage

URL = "https://github.com/octo/protected-shop.git"
NAME = "refs/claude-pool/threads/7"
AGAIN = f"error: failed to push some refs to '{URL}'"
GUARD = 60
WHO = ("-c", "user.name=x", "-c", "user.email=x@example.com")


def rejected(reason: str) -> WorktreeError:
    return WorktreeError(
        "git push failed", AGAIN, f"To {URL}\n!\tabc:{NAME}\t[remote rejected] ({reason})\nDone"
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (rejected(f"cannot lock ref '{NAME}': is at 1f but expected 2e"), Stale),
        (rejected("failed to update ref"), Stale),
        (rejected("reference already exists"), Stale),
        (WorktreeError("git push failed", AGAIN, "!\ta:b\t[rejected] (fetch first)"), Stale),
        (WorktreeError("git push failed", AGAIN, "!\ta:b\t[rejected] (stale info)"), Stale),
        (WorktreeError("git push failed", AGAIN, "!\ta:b\t[rejected] (non-fast-forward)"), Stale),
        (
            rejected(
                f"cannot lock ref '{NAME}': 'refs/claude-pool' exists; cannot create '{NAME}'"
            ),
            Refused,
        ),
        (rejected("protected branch hook declined"), Refused),
        (rejected("push declined due to repository rule violations"), Refused),
        (
            WorktreeError(
                "git push failed",
                f"fatal: unable to access '{URL}/': The requested URL returned error: 403",
            ),
            Refused,
        ),
        (
            WorktreeError(
                "git push failed",
                f"fatal: unable to access '{URL}/': The requested URL returned error: 502",
            ),
            Unavailable,
        ),
        (WorktreeError("git push failed", "error: RPC failed; HTTP 500 curl 22"), Unavailable),
        (rejected("internal server error"), Unavailable),
        (
            WorktreeError("git push failed", f"error: 4034034030 something nobody knows\n{AGAIN}"),
            Unavailable,
        ),
    ],
)
def test_what_a_failed_push_means(error: WorktreeError, kind: type[Exception]) -> None:
    assert type(meaning(error, URL)) is kind


async def opened(scene: Stage, folder: Path, **permissions: str) -> Ref:
    token = scene.github.create_token(
        scene.github.actions_bot, scene.repository, WRITE | permissions
    )
    ref = Ref(folder, Credentials(token, f"{scene.github.url}/octo/shop.git"), NAME)
    await ref.open()
    return ref


def once(scene: Stage, method: str, ending: str, act: Respond | Reset) -> None:
    """Let the next request of a kind fail, and only that one."""
    scene.github.faults.add(
        Fault(act, when=lambda m: m.method == method and m.path.endswith(ending))
    )


@pytest.mark.parametrize("act", [Respond(502, "Bad gateway"), Respond(503), Reset()])
@pytest.mark.parametrize(("method", "ending"), [("POST", "git-receive-pack"), ("GET", "info/refs")])
async def test_one_outage_of_a_push_is_no_refusal(
    scene: Stage, tmp_path: Path, act: Respond | Reset, method: str, ending: str
) -> None:
    ref = await opened(scene, tmp_path / "a", contents="write")
    once(scene, method, ending, act)
    await ref.write(b"one")
    assert await (await opened(scene, tmp_path / "b")).read() == b"one"


@pytest.mark.parametrize("what", ["commit", "blob", "tree", "folder", "link"])
async def test_what_somebody_else_has_put_there_is_replaced_and_its_history_stays_there(
    scene: Stage, tmp_path: Path, what: str
) -> None:
    """A push without a secret, which would stop each job until somebody deletes the ref by hand."""
    git = scene.repository.git
    main = git.resolve("main")
    assert main is not None
    tree = f"{main}^{{tree}}"
    entry = {
        "folder": f"040000 tree {git.text('rev-parse', tree)}",
        "link": f"160000 commit {main}",
    }
    if what in entry:
        made = git.run("mktree", data=f"{entry[what]}\tstate\n".encode()).decode().strip()
        main = git.run(*WHO, "commit-tree", made, "-p", main, data=b"x").decode().strip()
    git.run("update-ref", NAME, {"blob": f"{main}:README.md", "tree": tree}.get(what, main))
    ref = await opened(scene, tmp_path / "a", contents="write")
    assert await ref.read() == b""
    fetched = await local_git("rev-list", "--all", "--count", git_dir=ref.folder)
    assert int(fetched) <= 1
    await ref.write(b"one")
    assert await (await opened(scene, tmp_path / "b")).read() == b"one"


async def test_what_is_larger_than_any_state_is_not_fetched_and_keeps_no_job_waiting(
    scene: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = 100_000
    monkeypatch.setattr(refs, "LARGEST", largest)
    planted = await opened(scene, tmp_path / "p", contents="write")
    await planted.write(random.Random(1).randbytes(20 * largest))  # noqa: S311 - no secret
    ref = await opened(scene, tmp_path / "a", contents="write")
    assert await ref.read() == b""
    assert sum(each.stat().st_size for each in ref.folder.rglob("*") if each.is_file()) < largest
    await ref.write(b"one")
    assert await (await opened(scene, tmp_path / "b")).read() == b"one"
    fits = random.Random(1).randbytes(largest // 2)  # noqa: S311 - no secret
    await ref.write(fits)
    assert await (await opened(scene, tmp_path / "c")).read() == fits, "the control"


@pytest.mark.parametrize(
    ("other", "before"),
    [
        (f"refs/heads/{NAME}", None),
        (f"refs/tags/{NAME}", b"zero"),
        (f"refs/{NAME}", b"zero"),
        (f"{NAME}/x", None),
        ("refs/claude-pool/threads", None),
    ],
)
async def test_no_other_ref_keeps_a_state_from_being_read_or_replaced(
    scene: Stage, tmp_path: Path, other: str, before: bytes | None
) -> None:
    """A file in the place of its folder, or what git takes for it: a push without a secret, as above."""
    git, ref = scene.repository.git, await opened(scene, tmp_path / "a", contents="write")
    if before is not None:
        await ref.write(before)
    git.set_ref(other, git.resolve("main"))
    assert await ref.read() == before
    for content in (b"one", b"two"):
        await ref.write(content)
        assert await (await opened(scene, tmp_path / content.decode())).read() == content
    assert other not in git.refs()


async def test_a_ref_of_others_that_only_ends_in_the_name_is_left_alone(
    scene: Stage, tmp_path: Path
) -> None:
    git, others = scene.repository.git, f"refs/x/{NAME}"
    git.set_ref(others, git.resolve("main"))
    ref = await opened(scene, tmp_path / "a", contents="write")
    assert await ref.read() is None
    await ref.write(b"one")
    assert await ref.read() == b"one"
    assert others in git.refs("refs/x/")


async def test_one_outage_of_a_read_is_not_the_end(scene: Stage, tmp_path: Path) -> None:
    ref = await opened(scene, tmp_path / "a", contents="write")
    await ref.write(b"one")
    other = await opened(scene, tmp_path / "b")
    once(scene, "GET", "info/refs", Respond(502))
    assert await other.read() == b"one"


async def test_a_token_that_may_not_is_refused_at_once(scene: Stage, tmp_path: Path) -> None:
    ref = await opened(scene, tmp_path / "a")
    with pytest.raises(Refused, match="403"):
        await ref.write(b"one")


async def test_whoever_loses_the_race_is_told_that_he_lost_it(scene: Stage, tmp_path: Path) -> None:
    """The other's push comes in the moment between the server's advertisement and ours."""
    first, second = [await opened(scene, tmp_path / name, contents="write") for name in ("a", "b")]
    winning: list[Ref] = [first]

    async def win(moment: Moment) -> None:
        if moment.phase == "before" and moment.method == "POST" and winning:
            await winning.pop().write(b"the other's")

    assert await second.read() is None
    scene.github.on_request(win)
    with pytest.raises(Stale):
        await second.write(b"mine")
    assert await second.read() == b"the other's"


async def kept(scene: Stage, tmp_path: Path) -> Keeper:
    (tmp_path / "k").mkdir()
    with closing(sqlite3.connect(tmp_path / "k/pool.sqlite")) as rows:
        tables = (
            "tasks (transcript, prompt, asked)",
            "reservations (id, settled, reserved, level, created_ms)",
            "chains (id, state, owner, caps)",
            "effects (wanted, attempted, due_ms, state)",
            "commands (owner, due_ms, state)",
            "patches (run_id, patch, chain_id)",
            "alembic_version (version_num)",
            "slots (a)",
            "workers (a)",
            "leases (a)",
            "deliveries (a)",
        )
        for table in tables:
            rows.execute(f"CREATE TABLE {table}")
        rows.execute("INSERT INTO alembic_version VALUES ('0001')")
        rows.commit()
    ref = await opened(scene, tmp_path / "k/ref", contents="write")
    keeper = Keeper(
        ref, ref, tmp_path / "k/pool.sqlite", 1, 7, "r", renew_seconds=0.05, wait_seconds=0.01
    )
    await keeper.take(lambda: False)
    assert keeper.keeps
    return keeper


async def test_an_error_in_the_renewal_is_logged_and_tried_again(
    scene: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    keeper = await kept(scene, tmp_path)
    away = keeper.database.rename(tmp_path / "away.sqlite")
    renewing = asyncio.create_task(keeper.save_for_ever())
    async with asyncio.timeout(GUARD):
        while "tried again" not in caplog.text:
            await asyncio.sleep(0.02)
        before = keeper.ref.commit
        keeper.database.unlink(missing_ok=True)  # sqlite has made an empty one
        away.rename(keeper.database)
        while keeper.ref.commit == before:
            assert not renewing.done()
            await asyncio.sleep(0.02)
    renewing.cancel()


async def test_without_the_thread_the_renewal_ends(scene: Stage, tmp_path: Path) -> None:
    """The control: not every failure is tried again."""
    keeper = await kept(scene, tmp_path)
    other = await opened(scene, tmp_path / "b", contents="write")
    await other.read()
    await other.write(b"mine")
    async with asyncio.timeout(GUARD):
        with pytest.raises(TakenOver):
            await keeper.save_for_ever()


async def test_the_database_is_in_place_only_when_the_thread_is_held(
    scene: Stage, tmp_path: Path
) -> None:
    """Two jobs begin at once: whoever loses has nothing of the thread, and waits."""
    keeper = await kept(scene, tmp_path)
    await keeper.save(ended=True)
    theirs = await keeper.ref.read()
    assert theirs is not None
    winner = await opened(scene, tmp_path / "w", contents="write")
    await winner.read()
    living = Header(1, 7, "the winner", int(time.time() * 1000) + 80_000)
    lost: list[Ref] = [winner]

    async def win(moment: Moment) -> None:
        if moment.phase == "before" and moment.method == "POST" and lost:
            await lost.pop().write(image.with_header(living, theirs.partition(b"\n")[2]))

    scene.github.on_request(win)
    late = Keeper(
        await opened(scene, tmp_path / "l", contents="write"),
        keeper.books,
        tmp_path / "late.sqlite",
        1,
        7,
        "late",
        wait_seconds=0.01,
    )
    looked: list[bool] = []

    def twice() -> bool:
        looked.append(late.database.exists())
        return len(looked) > 2

    await late.take(twice)
    assert not lost
    assert (late.keeps, looked) == (False, [False] * 3)
    await winner.read()
    await winner.write(image.with_header(Header(1, 7, "the winner", 0), theirs.partition(b"\n")[2]))
    await late.take(lambda: False)
    assert (late.keeps, late.database.exists()) == (True, True), "the control"


async def test_who_may_not_push_does_not_go_on_with_what_others_began(
    scene: Stage, tmp_path: Path
) -> None:
    keeper = await kept(scene, tmp_path)
    await keeper.save(ended=True)
    alone = Keeper(
        await opened(scene, tmp_path / "l"), keeper.books, tmp_path / "alone.sqlite", 1, 7, "alone"
    )
    await alone.take(lambda: False)
    assert (alone.keeps, alone.why_not, alone.database.exists()) == (
        False,
        "its token may not push: GitHub answered 403",
        False,
    )


@pytest.mark.parametrize(
    "content", [b"rubbish", b'{"repository": 2, "thread": 9, "run": "", "until_ms": 9}\nx']
)
async def test_what_is_no_state_of_this_thread_is_begun_anew(
    scene: Stage, tmp_path: Path, content: bytes
) -> None:
    ref = await opened(scene, tmp_path / "a", contents="write")
    await ref.write(content)
    keeper = Keeper(ref, ref, tmp_path / "k.sqlite", 1, 7, "r")
    await keeper.take(lambda: False)
    assert (keeper.keeps, keeper.unclean, keeper.database.exists()) == (True, True, False)


async def test_a_newer_state_is_left_as_it_stands(scene: Stage, tmp_path: Path) -> None:
    ref = await opened(scene, tmp_path / "a", contents="write")
    await ref.write(b'{"format": 99}\n')
    keeper = Keeper(ref, ref, tmp_path / "k.sqlite", 1, 7, "r")
    await keeper.take(lambda: False)
    assert not keeper.keeps
    assert "newer" in keeper.why_not
    assert await ref.read() == b'{"format": 99}\n'


def test_nobody_is_taken_to_be_alive_for_longer_than_he_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = Ref(tmp_path, Credentials("", URL), NAME, commit="1f")
    keeper = Keeper(ref, ref, tmp_path / "k.sqlite", 1, 7, "r")
    forged, now = Header(1, 7, "x", 9 * 10**14), time.time()
    assert keeper._lives(forged)
    monkeypatch.setattr(time, "time", lambda: now + 95)
    assert not keeper._lives(forged)
    ref.commit = "2e"
    assert keeper._lives(forged), "the control: it was renewed"


@pytest.mark.parametrize(("touched", "unclean"), [(False, False), (True, True)])
async def test_what_is_given_back_says_whether_github_may_know_more(
    scene: Stage, tmp_path: Path, *, touched: bool, unclean: bool
) -> None:
    keeper = await kept(scene, tmp_path)
    keeper.is_touched = touched
    await keeper.release()
    following = Keeper(keeper.ref, keeper.ref, tmp_path / "f.sqlite", 1, 7, "f")
    await following.take(lambda: False)
    assert (following.keeps, following.unclean) == (True, unclean)
    if unclean:
        await following.release()
        third = Keeper(keeper.ref, keeper.ref, tmp_path / "t.sqlite", 1, 7, "t")
        await third.take(lambda: False)
        assert third.unclean, "a job that has done nothing has looked for nothing either"
