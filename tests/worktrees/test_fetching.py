"""Fetching from the forge: what is asked for, what is refused, and where the token never stands."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from aiohttp import web

from claude_pool_gh.rehearsal.github import Fault, Installation, Reset, SimulatedGitHub, Stall
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import Credentials, git
from claude_pool_gh.worktrees.mirror import Mirror
from tests.patience import PATIENCE, until
from tests.worktrees.site import Site

INFO_REFS = "/{owner}/{repo}.git/info/refs"


def git_requests(github: SimulatedGitHub) -> int:
    return sum("git-upload-pack" in (request.route or "") for request in github.requests)


async def test_the_token_stands_nowhere_but_in_the_environment_of_one_command(
    site: Site, github: SimulatedGitHub
) -> None:
    basic = base64.b64encode(f"x-access-token:{site.token}".encode()).decode()
    secrets = (site.token, basic)
    command_lines: set[str] = set()
    leaders: dict[int, str] = {}
    with_token: set[int] = set()
    github.faults.add(Fault(Stall(0.7), times=3))

    async def watch() -> None:
        while True:
            for process in psutil.Process().children(recursive=True):
                try:
                    line = " ".join(process.cmdline())
                    command_lines.add(line)
                    session = os.getsid(process.pid)
                    if line and process.pid == session:
                        leaders[session] = line
                    if any(secret in str(process.environ()) for secret in secrets):
                        with_token.add(session)
                except (psutil.Error, ProcessLookupError):
                    continue
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    async with site.lease() as lease:
        (lease.folder / "README.md").write_text("bye\n")
        await lease.capture()
        watching.cancel()
        state = [
            path
            for path in site.worktrees.state.rglob("*")
            if path.is_file() and not path.is_symlink()
        ]
        leaks = [
            path
            for path in state
            if any(secret.encode() in path.read_bytes() for secret in secrets)
        ]
    assert leaks == []
    assert len(state) > 20
    assert any("fetch" in line for line in command_lines)
    assert with_token, "the watch would have seen it"
    # Each command has a session of its own, with whatever it starts in turn.
    # One that was looked at in the moment in which it began, or ended, has no words yet, or none any more.
    others = [
        line for line in map(leaders.get, with_token) if line and " fetch --quiet " not in line
    ]
    assert others == []
    assert [line for line in command_lines if any(secret in line for secret in secrets)] == []
    assert not [request for request in github.requests if site.token in str(request)]


async def test_the_token_goes_to_its_own_origin_only(site: Site) -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(str(request.headers))
        return web.Response(status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", elsewhere)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    other = f"http://127.0.0.1:{runner.addresses[0][1]}/octo/widgets.git"
    try:
        with pytest.raises(WorktreeError):
            await git(
                "ls-remote",
                "--end-of-options",
                other,
                environment=Credentials(site.token, site.widgets.clone_url).environment(),
            )
    finally:
        await runner.cleanup()
    assert seen
    assert "authorization" not in str(seen).lower()


async def test_a_warm_mirror_asks_nothing(site: Site, github: SimulatedGitHub) -> None:
    async with site.lease():
        pass
    asked = git_requests(github)
    assert asked > 0
    async with site.lease():
        pass
    assert git_requests(github) == asked


async def test_many_cold_leases_fetch_once(site: Site, github: SimulatedGitHub) -> None:
    async def one() -> None:
        async with site.lease():
            pass

    await asyncio.gather(*(one() for _ in range(12)))
    assert git_requests(github) <= 3, "one fetch has three requests"


async def test_a_commit_that_no_branch_holds_any_more_is_fetched_by_its_id(site: Site) -> None:
    old = site.widgets.commit("topic", {"topic.txt": "old\n"})
    site.widgets.commit("topic", {"topic.txt": "new\n"}, onto=site.widgets.head())
    async with site.lease(commit=old, refs=["refs/heads/topic"]) as lease:
        assert (lease.folder / "topic.txt").read_text() == "old\n"


async def test_a_branch_that_is_gone_hinders_nobody(site: Site) -> None:
    async with site.lease(refs=["refs/heads/gone", "refs/heads/main"]) as lease:
        assert (lease.folder / "README.md").exists()


async def test_a_rewritten_branch_is_followed(site: Site) -> None:
    base = site.widgets.head()
    for text in ("one\n", "two\n"):
        commit = site.widgets.commit("topic", {"topic.txt": text}, onto=base)
        async with site.lease(commit=commit, refs=["refs/heads/topic"]) as lease:
            assert (lease.folder / "topic.txt").read_text() == text


async def test_sins_of_old_histories_are_forgiven(site: Site) -> None:
    """Objects that `git fsck` complains of stand in many a repository's past."""
    git_at_origin = site.widgets.git
    tree = git_at_origin.text("rev-parse", "HEAD^{tree}")
    who = "A U Thor <a@example.org> 1316430318 +051800"
    raw = f"tree {tree}\nparent {site.widgets.head()}\nauthor {who}\ncommitter {who}\n\nOld\n"
    bad = git_at_origin.run(
        "hash-object", "-t", "commit", "-w", "--literally", "--stdin", data=raw.encode()
    )
    git_at_origin.set_ref("refs/heads/main", bad.decode().strip())
    async with site.lease(commit=bad.decode().strip()) as lease:
        assert (lease.folder / "README.md").exists()


async def test_objects_that_could_do_harm_are_not(site: Site) -> None:
    git_at_origin = site.widgets.git
    blob = git_at_origin.run("hash-object", "-w", "--stdin", data=b"evil").decode().strip()
    entry = b"100644 config\0" + bytes.fromhex(blob)
    inner = git_at_origin.run(
        "hash-object", "-t", "tree", "-w", "--literally", "--stdin", data=entry
    )
    outer = b"40000 .git\0" + bytes.fromhex(inner.decode().strip())
    tree = git_at_origin.run(
        "hash-object", "-t", "tree", "-w", "--literally", "--stdin", data=outer
    )
    who = "A <a@example.org> 1316430318 +0000"
    raw = f"tree {tree.decode().strip()}\nauthor {who}\ncommitter {who}\n\nEvil\n"
    commit = (
        git_at_origin.run("hash-object", "-t", "commit", "-w", "--stdin", data=raw.encode())
        .decode()
        .strip()
    )
    git_at_origin.set_ref("refs/heads/evil", commit)
    with pytest.raises(WorktreeError):
        async with site.lease(commit=commit, refs=["refs/heads/evil"]):
            pytest.fail("a tree with a `.git` of its own was checked out")
    assert site.leftovers() == []


@pytest.mark.parametrize(
    "ref", ["--upload-pack=x", "-x", "main", "", "heads/main", "+refs/heads/main", ":refs/heads/x"]
)
async def test_only_a_full_ref_name_is_one(site: Site, ref: str) -> None:
    with pytest.raises(WorktreeError, match="not a full ref name"):
        async with site.lease(refs=[ref]):
            pytest.fail("it was taken for one")


@pytest.mark.parametrize(
    "ref", ["refs/heads/a:refs/heads/b", "refs/heads/a\nb", "refs/heads/a b", "refs/../x"]
)
async def test_a_strange_ref_name_moves_nothing_else(site: Site, ref: str) -> None:
    async with site.lease(refs=[ref]):
        pass
    found = await git("for-each-ref", "--format=%(refname)", git_dir=site.mirror)
    assert found.decode().split() == [f"refs/pool/commits/{site.widgets.head()}"]


async def test_no_protocol_but_those_of_a_forge(site: Site, tmp_path: Path) -> None:
    fired = tmp_path / "fired" / "ext"
    for number, url in enumerate(
        (
            f"ext::sh -c touch% {fired}",
            f"file://{site.widgets.git.path}",
            str(site.widgets.git.path),
        )
    ):
        with pytest.raises(WorktreeError):
            await Mirror(tmp_path / f"m{number}.git").fetch(
                Credentials("t", url), [site.widgets.head()], []
            )
    assert not fired.exists()


async def test_an_expired_token_is_an_error_without_the_token(
    site: Site, github: SimulatedGitHub, installation: Installation
) -> None:
    github.clock.advance(2 * 3600)
    with pytest.raises(WorktreeError) as caught:
        async with site.lease():
            pytest.fail("it was let in")
    assert site.token not in f"{caught.value} {caught.value.detail} {caught.value!r}"
    assert base64.b64encode(site.token.encode()).decode()[:12] not in str(caught.value)
    site.token = github.create_installation_token(installation)
    async with site.lease():
        pass


async def test_a_cut_connection_is_an_error_and_the_next_try_works(
    site: Site, github: SimulatedGitHub
) -> None:
    github.faults.add(Fault(Reset()))
    with pytest.raises(WorktreeError):
        async with site.lease():
            pytest.fail("it was cut")
    async with site.lease():
        pass
    assert site.leftovers() == []


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """A forge that never answers."""
    served = await asyncio.start_server(
        lambda _reader, _writer: asyncio.sleep(3600), "127.0.0.1", 0
    )
    yield f"http://127.0.0.1:{served.sockets[0].getsockname()[1]}/octo/widgets.git"
    served.close()


def with_url(url: str) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if url in " ".join(process.cmdline()) and process.pid != os.getpid():
                found.append(f"{process.pid} {process.name()}")
        except psutil.Error:
            continue
    return found


async def test_a_timeout_ends_git_and_its_children(site: Site, silent: str) -> None:
    del site
    asking = asyncio.create_task(git("ls-remote", "--end-of-options", silent, timeout=1.0))
    await asyncio.sleep(0.5)
    assert len(with_url(silent)) >= 2, "git and its helper"
    began = time.monotonic()
    with pytest.raises(WorktreeError, match="took more than 1 seconds"):
        await asking
    assert time.monotonic() - began < 5
    assert with_url(silent) == []


@pytest.mark.parametrize("cancels", [1, 2])
@pytest.mark.parametrize("turns", [1, 2, 3, 5, 8])
async def test_a_cancel_while_git_is_being_started_leaves_nothing(
    silent: str, turns: int, cancels: int
) -> None:
    asking = asyncio.create_task(git("ls-remote", "--end-of-options", silent))
    for _ in range(turns):
        await asyncio.sleep(0)
        time.sleep(0.05)  # git has its helper by now, and the loop has not heard of either
    for _ in range(cancels):
        asking.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(PATIENCE):
            await asking
    await until(lambda: not with_url(silent))
    assert with_url(silent) == []


async def test_a_cancel_ends_git_and_its_children_and_frees_the_mirror(
    site: Site, silent: str
) -> None:
    mirror = site.worktrees.mirror(site.widgets.id)
    asking = asyncio.create_task(
        mirror.fetch(Credentials("t", silent), [site.widgets.head()], ["refs/heads/main"])
    )
    await until(lambda: with_url(silent))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert with_url(silent) == []
    async with site.lease() as lease:
        assert (lease.folder / "README.md").exists()
