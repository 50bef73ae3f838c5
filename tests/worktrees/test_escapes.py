"""What an agent plants in its worktree and git directory runs nowhere on the host."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_pool_gh.pool.model.errors import NoWorkspace
from claude_pool_gh.worktrees.history import diff, list_paths, merge_base, read_files
from claude_pool_gh.worktrees.leases import Lease
from tests.worktrees.site import Site, naive_git

Plant = Callable[[Site, Lease], None]


def git_dir(lease: Lease) -> Path:
    """A git directory that the agent made for itself; the host has none in there."""
    made = lease.folder / ".git"
    if not made.exists():
        subprocess.run(["git", "init", "--quiet", str(lease.folder)], check=True)
    return made


def configure(lease: Lease, text: str) -> None:
    with (git_dir(lease) / "config").open("a") as config:
        config.write(text)


def script(site: Site, name: str) -> str:
    path = site.tmp / f"evil-{name}"
    path.write_text(f"#!/bin/sh\ntouch {site.fired}/{name}\ncat\n")
    path.chmod(0o755)
    return str(path)


def fsmonitor(site: Site, lease: Lease) -> None:
    configure(lease, f"[core]\n\tfsmonitor = {script(site, 'fsmonitor')}\n")


def hooks(site: Site, lease: Lease) -> None:
    names = (
        "pre-commit",
        "post-index-change",
        "post-checkout",
        "reference-transaction",
        "pre-auto-gc",
    )
    for folder in (git_dir(lease) / "hooks", lease.folder / "hooks"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).symlink_to(script(site, name))
    configure(lease, f"[core]\n\thooksPath = {lease.folder / 'hooks'}\n")


def replaced_git_file(site: Site, lease: Lease) -> None:
    evil = lease.folder / "evil.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(evil)], check=True)
    with (evil / "config").open("a") as config:
        config.write(f"[core]\n\tfsmonitor = {script(site, 'replaced')}\n\tbare = false\n")
    (lease.folder / ".git").write_text(f"gitdir: {evil}\n")


def git_folder(site: Site, lease: Lease) -> None:
    configure(lease, f"[core]\n\tfsmonitor = {script(site, 'folder')}\n")


def filters(site: Site, lease: Lease) -> None:
    clean, smudge = script(site, "clean"), script(site, "smudge")
    with (git_dir(lease) / "config").open("a") as config:
        config.write(
            f'[filter "evil"]\n\tclean = {clean}\n\tsmudge = {smudge}\n\tprocess = {clean}\n'
        )
        config.write("\trequired = true\n")
    (git_dir(lease) / "info").mkdir(exist_ok=True)
    (git_dir(lease) / "info" / "attributes").write_text("* filter=evil\n")
    (lease.folder / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    (lease.folder / "src" / "a.py").write_text("filtered\n")


def diffs(site: Site, lease: Lease) -> None:
    with (git_dir(lease) / "config").open("a") as config:
        config.write(f"[diff]\n\texternal = {script(site, 'external')}\n")
        config.write(
            f'[diff "evil"]\n\ttextconv = {script(site, "textconv")}\n\tcommand = {script(site, "command")}\n'
        )
    (lease.folder / ".gitattributes").write_text("* diff=evil\n")


def transport(site: Site, lease: Lease) -> None:
    command = script(site, "transport")
    with (git_dir(lease) / "config").open("a") as config:
        config.write(
            f"[core]\n\tsshCommand = {command}\n\tpager = {command}\n\teditor = {command}\n"
        )
        config.write(
            f"\tgitProxy = {command}\n\taskPass = {command}\n\talternateRefsCommand = {command}\n"
        )
        config.write(f"[credential]\n\thelper = !{command}\n[gpg]\n\tprogram = {command}\n")
        config.write(
            f"[commit]\n\tgpgSign = true\n[alias]\n\tadd = !{command}\n\tdiff = !{command}\n"
        )
        config.write(f'[url "ext::{command} "]\n\tinsteadOf = {site.widgets.world.site.url}\n')
        config.write(
            f"[uploadpack]\n\tpackObjectsHook = {command}\n[include]\n\tpath = {lease.folder}/more\n"
        )
    (lease.folder / "more").write_text(f"[core]\n\tfsmonitor = {command}\n")


def submodules(site: Site, lease: Lease) -> None:
    command = script(site, "submodule")
    url = f"ext::{command}"
    modules = f'[submodule "evil"]\n\tpath = evil\n\turl = {url}\n\tupdate = !{command}\n'
    (lease.folder / ".gitmodules").write_text(modules)
    (lease.folder / "evil").mkdir()
    (lease.folder / "evil" / "inside.txt").write_text("x\n")
    subprocess.run(["git", "init", "--quiet", str(lease.folder / "evil")], check=True)
    with (lease.folder / "evil" / ".git" / "config").open("a") as config:
        config.write(f"[core]\n\tfsmonitor = {command}\n")
    with (git_dir(lease) / "config").open("a") as config:
        config.write(modules + "[submodule]\n\trecurse = true\n[diff]\n\tsubmodule = log\n")


def alternates(site: Site, lease: Lease) -> None:
    other = site.tmp / "other.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(other)], check=True)
    (git_dir(lease) / "objects" / "info" / "alternates").write_text(f"{other}/objects\n")
    (git_dir(lease) / "commondir").write_text(f"{other}\n")


def planted_index(site: Site, lease: Lease) -> None:
    victim = site.tmp / "victim"
    victim.write_text("precious\n")
    (lease.folder.parent / "index").unlink()
    for name in (
        "host-index",
        "host-index.lock",
        "index",
        "sealed",
        "sealed.new",
        "about.new",
        "index.lock",
    ):
        (lease.folder.parent / name).symlink_to(victim)


PLANTS: list[Plant] = [
    fsmonitor,
    hooks,
    replaced_git_file,
    git_folder,
    filters,
    diffs,
    transport,
    submodules,
    alternates,
    planted_index,
]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
async def test_what_an_agent_plants_never_runs(site: Site, plant: Plant) -> None:
    base = site.widgets.head()
    async with site.lease() as lease:
        plant(site, lease)
        (lease.folder / "src" / "b.py").write_text("changed\n")
        snapshot = await lease.capture()
    assert snapshot is not None
    assert list(site.fired.iterdir()) == []
    files = site.at(snapshot.commit)
    assert files["src/b.py"] == ("100644", b"changed\n")
    assert "cat" not in files["src/a.py"][1].decode()
    # and nothing that is done afterwards with what was captured runs it either
    mirror = site.mirror
    await diff(mirror, base, snapshot.commit)
    await read_files(mirror, snapshot.commit, await list_paths(mirror, snapshot.commit))
    assert await merge_base(mirror, base, snapshot.commit) == base
    async with site.lease(commit=snapshot.commit) as again:
        assert (again.folder / "src" / "b.py").read_text() == "changed\n"
        assert await again.capture() is None
    new = site.widgets.commit("main", {"new.txt": "new\n"})
    async with site.lease(commit=new):
        pass
    assert list(site.fired.iterdir()) == []
    if plant is planted_index:
        assert (site.tmp / "victim").read_text() == "precious\n"


@pytest.mark.parametrize("plant", [fsmonitor, hooks, replaced_git_file, git_folder, filters])
async def test_the_same_plants_run_under_a_naive_host(site: Site, plant: Plant) -> None:
    """The control."""
    async with site.lease() as lease:
        plant(site, lease)
        naive_git("-C", str(lease.folder), "add", "--all", at=site.tmp)
        who = ("-c", "user.name=x", "-c", "user.email=x@x")
        naive_git("-C", str(lease.folder), *who, "commit", "-m", "x", at=site.tmp)
    assert list(site.fired.iterdir()) != []


async def test_a_diff_runs_under_a_naive_host(site: Site) -> None:
    """The control."""
    async with site.lease() as lease:
        git_dir(lease)
        who = ("-c", "user.name=x", "-c", "user.email=x@x")
        naive_git("-C", str(lease.folder), "add", "--all", at=site.tmp)
        naive_git("-C", str(lease.folder), *who, "commit", "-m", "x", at=site.tmp)
        diffs(site, lease)
        (lease.folder / "src" / "b.py").write_text("changed\n")
        naive_git("-C", str(lease.folder), "diff", at=site.tmp)
    assert (site.fired / "external").exists() or (site.fired / "command").exists()


async def test_configuration_of_the_users_and_of_the_server_counts_for_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = script(site, "environment")
    (Path(os.environ["HOME"]) / ".gitconfig").write_text(
        f"[core]\n\tfsmonitor = {evil}\n\thooksPath = {site.tmp}\n"
    )
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", evil)
    for name in (
        "GIT_EXTERNAL_DIFF",
        "GIT_SSH_COMMAND",
        "GIT_ASKPASS",
        "GIT_PAGER",
        "GIT_PROXY_COMMAND",
    ):
        monkeypatch.setenv(name, evil)
    monkeypatch.setenv("GIT_DIR", str(site.tmp / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(site.tmp / "nowhere"))
    async with site.lease() as lease:
        (lease.folder / "README.md").write_text("bye\n")
        assert await lease.capture() is not None
    assert list(site.fired.iterdir()) == []


async def test_a_worktree_that_became_a_link_is_not_followed(site: Site) -> None:
    secret = site.tmp / "secrets"
    secret.mkdir()
    (secret / "key.pem").write_text("CANARY\n")
    async with site.lease() as lease:
        lease.folder.rename(lease.folder.parent / "aside")
        lease.folder.symlink_to(secret)
        with pytest.raises(NoWorkspace, match="no folder"):
            await lease.capture()
    assert (secret / "key.pem").exists(), "nor when the lease ends"
    await site.until_nothing_is_left()
    assert (secret / "key.pem").exists(), "nor when it is thrown away"


async def test_links_and_devices_of_the_agent_give_nothing_away(site: Site) -> None:
    secret = site.tmp / "secret"
    secret.write_text("CANARY\n")
    (site.tmp / "folder").mkdir()
    (site.tmp / "folder" / "inside").write_text("CANARY\n")
    async with site.lease() as lease:
        tree = lease.folder
        (tree / "absolute").symlink_to(secret)
        (tree / "environ").symlink_to("/proc/self/environ")
        (tree / "folder").symlink_to(site.tmp / "folder")
        (tree / "README.md").unlink()
        (tree / "README.md").symlink_to(secret)
        (tree / "src" / "a.py").unlink()
        (tree / "src" / "b.py").unlink()
        (tree / "src").rmdir()
        (tree / "src").symlink_to(site.tmp / "folder")
        os.mkfifo(tree / "fifo")
        snapshot = await lease.capture()
    assert snapshot is not None
    assert b"CANARY" not in snapshot.patch
    files = site.at(snapshot.commit)
    assert files["absolute"] == files["README.md"] == ("120000", os.fsencode(secret))
    assert {"folder", "src", "environ"} <= files.keys()
    assert not {"src/a.py", "folder/inside", "fifo"} & files.keys()
    assert secret.read_text() == "CANARY\n"
    read = await read_files(
        site.mirror, snapshot.commit, ["README.md", "absolute", "src/inside", "../secret"]
    )
    assert read == {}
