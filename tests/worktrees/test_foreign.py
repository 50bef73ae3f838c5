"""A checkout whose `.git/config` is an attacker's: nothing that it names is run, and it is looked at all the same."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import click
import pytest

import claude_pool_gh
from claude_pool_gh.pool.model.config import Isolation
from claude_pool_gh.pool.model.ports import WorkspaceRequest
from claude_pool_gh.rehearsal.github import SimulatedGitHub
from claude_pool_gh.service.audit import local as audits
from claude_pool_gh.service.audit.refused import AuditRefused
from claude_pool_gh.service.rehearsals.rehearse_command import (
    LocalCommits,
    RehearsalOptions,
    staged,
)
from claude_pool_gh.worktrees import foreign
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.local import LocalRepository
from claude_pool_gh.worktrees.unsaved import uncommitted_files
from tests.service.auditing import commit, git, options


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """The folder in which each program that is named by a configuration leaves its name."""
    folder = tmp_path / "ran"
    folder.mkdir()
    return folder


def trapped(folder: Path, ran: Path) -> None:
    """Name a program wherever a git directory's configuration and hooks can."""
    for key in ("filter.x.clean", "filter.x.smudge", "filter.x.process"):
        git(folder, "config", key, f"touch {ran}/{key}; cat")
    for key in ("core.fsmonitor", "core.alternateRefsCommand", "core.askPass", "diff.external"):
        git(folder, "config", key, f"touch {ran}/{key}")
    hooks = folder / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}/{name}\n")
        (hooks / name).chmod(0o755)
    git(folder, "config", "core.hooksPath", str(hooks))


@pytest.fixture
def checkout(tmp_path: Path, ran: Path) -> Path:
    """A checkout with a submodule, both with traps, whose files all go through a filter and have changed."""
    folder = tmp_path / "evil"
    folder.mkdir()
    attributes = {".gitattributes": "* filter=x\n"}
    commit(folder / "sub", {"inner.py": "a\n"} | attributes)
    commit(folder, {"a.py": "a\n", "same.py": "s\n", ".gitignore": "*.log\n"} | attributes)
    for each in (folder, folder / "sub"):
        trapped(each, ran)
    for left in ran.iterdir():  # what git, as we use it here, has run
        left.unlink()
    (folder / "a.py").write_text("b\n")
    (folder / "sub" / "inner.py").write_text("b\n")
    return folder


async def test_looking_for_what_is_not_committed_runs_nothing(checkout: Path, ran: Path) -> None:
    (checkout / "new.py").write_text("n\n")
    (checkout / "ignored.log").write_text("n\n")
    (checkout / "own.txt").write_text("n\n")
    (checkout / ".git" / "info" / "exclude").write_text("own.txt\n/hooks\n")
    assert await uncommitted_files(checkout) == ["a.py", "new.py"]
    assert await uncommitted_files(checkout / "sub") == ["inner.py", "hooks/"]
    assert list(ran.iterdir()) == []


async def test_a_plan_of_an_audit_runs_nothing(checkout: Path, ran: Path, tmp_path: Path) -> None:
    assert await audits.audit(options(None, tmp_path, plan_only=True), checkout) == 0
    assert list(ran.iterdir()) == []
    git(checkout, "status")
    assert list(ran.iterdir()) != [], "whoever is careless is caught"


@pytest.mark.parametrize("isolation", [Isolation.worktree, Isolation.clone])
async def test_work_is_brought_into_the_repository_without_running_anything(
    checkout: Path, ran: Path, tmp_path: Path, isolation: Isolation
) -> None:
    alternate = tmp_path / "alternate"
    commit(alternate, {"x": "x"})  # of which a fetch lists the tips, by a program if one is named
    (checkout / ".git" / "objects" / "info" / "alternates").write_text(
        f"{alternate / '.git' / 'objects'}\n"
    )
    repository = LocalRepository(checkout, tmp_path / "trees")
    store = await repository.git_dir()
    git(checkout, "config", f"remote.{store}.uploadpack", f"touch {ran}/uploadpack; exit 1")
    spec = await repository.pinned(isolation)
    async with repository.lease(WorkspaceRequest(run_id="r.1", slot="s", spec=spec)) as lent:
        (lent.folder / "a.py").write_text("by an agent\n")
        work = await lent.capture()
    assert work is not None
    assert list(ran.iterdir()) == []
    assert git(checkout, "show", "refs/pool/snapshots/r.1:a.py") == "by an agent"


def signed_for_a_trap(checkout: Path, ran: Path) -> None:
    """Let the last commit have a signature, which a log shows through a program."""
    head, _, message = git(checkout, "cat-file", "commit", "HEAD").partition("\n\n")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n AAAA\n -----END PGP SIGNATURE-----"
    (ran.parent / "commit").write_text(f"{head}\n{signature}\n\n{message}\n")
    made = git(checkout, "hash-object", "-t", "commit", "-w", str(ran.parent / "commit"))
    git(checkout, "update-ref", "HEAD", made)
    program = ran.parent / "gpg"
    program.write_text(f"#!/bin/sh\ntouch {ran}/gpg\nexit 1\n")
    program.chmod(0o755)
    git(checkout, "config", "log.showSignature", "true")
    git(checkout, "config", "gpg.program", str(program))


def promised_by_a_trap(checkout: Path, ran: Path, tmp_path: Path) -> None:
    """Let git take what is missing for something that a remote has, which is asked through a program."""
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(tmp_path / "nowhere"),
        "remote.origin.uploadpack": f"touch {ran}/uploadpack; exit 1",
    }.items():
        git(checkout, "config", key, value)


async def test_a_commit_that_is_not_there_is_fetched_by_nothing(
    checkout: Path, ran: Path, tmp_path: Path
) -> None:
    promised_by_a_trap(checkout, ran, tmp_path)
    (checkout / ".git" / "refs" / "heads" / "main").write_text(f"{'1' * 40}\n")
    with pytest.raises(AuditRefused, match="is in no git repository with a commit"):
        await audits.audit(options(None, tmp_path, plan_only=True), checkout)
    with pytest.raises(click.ClickException, match="has no commit"):
        await LocalCommits.read(
            RehearsalOptions(command="ask", folder=checkout, base="HEAD"), tmp_path / "scratch"
        )
    assert list(ran.iterdir()) == []


async def test_a_rehearsal_takes_the_commits_without_running_anything(
    checkout: Path, ran: Path, tmp_path: Path
) -> None:
    commit(checkout, {"b.py": "b\n"})
    signed_for_a_trap(checkout, ran)
    promised_by_a_trap(checkout, ran, tmp_path)
    for left in ran.iterdir():
        left.unlink()
    wanted = RehearsalOptions(command="/pool ask", folder=checkout, base="HEAD~1")
    local = await LocalCommits.read(wanted, tmp_path / "scratch")
    async with SimulatedGitHub.start(tmp_path / "github") as github:
        repository, _, _ = staged(github, local, "")
        assert repository.read(local.head, "b.py") == b"b\n"
        gone = git(checkout, "rev-parse", "HEAD:b.py")
        (checkout / ".git" / "objects" / gone[:2] / gone[2:]).unlink()
        with pytest.raises(click.ClickException, match="a clone that lacks some files"):
            staged(github, dataclasses.replace(local, name="partial"), "")
    assert list(ran.iterdir()) == []


@pytest.mark.parametrize("command", ["status", "fetch", "config --list", "diff-index", "show"])
async def test_other_commands_are_refused_with_another_s_configuration(
    checkout: Path, command: str
) -> None:
    with pytest.raises(WorktreeError, match="does not run with another repository's configuration"):
        await foreign.ask(*command.split(), folder=checkout)


def test_git_is_let_into_another_s_folder_in_one_place_only() -> None:
    source = Path(claude_pool_gh.__file__).parent
    found = [
        each for each in source.rglob("*.py") if re.search(r"safe\.directory", each.read_text())
    ]
    assert [each.name for each in found] == ["foreign.py"]
