"""Agents in worktrees and clones of a repository on this machine: nobody's work gets into anybody's way."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from claude_pool_gh import (
    ChainOptions,
    ChainStep,
    Ending,
    Isolation,
    PermissionMode,
    PoolConfig,
    TaskOverrides,
)
from claude_pool_gh.pool.model.errors import NoWorkspace
from claude_pool_gh.pool.model.ports import CapturedChange, WorkspaceRequest
from claude_pool_gh.rehearsal.model import Answer, ModelRequest, Reply, ScriptedModel, say, use
from claude_pool_gh.worktrees.local import LocalRepository
from tests.local.house import House, git, in_turn, tree_of

pytestmark = pytest.mark.long  # a real CLI for each, and more of them than `make test` has time for

ISOLATED: Final = PoolConfig(worktree_isolation=True)
WRITER: Final[dict[str, Any]] = {
    "tools": ("Read", "Write", "Edit"),
    "permission_mode": PermissionMode.accept_edits,
}
BOTH: Final = [Isolation.worktree, Isolation.clone]


@pytest.fixture
def runtime(model: ScriptedModel, short_folder: Path) -> House:
    """A runtime whose folder is a repository with two commits, and with work of the user's own in it."""
    runtime = House(model, short_folder)
    git(runtime.folder, "init", "--quiet", "--initial-branch=main")
    commit(runtime.folder, "First")
    (runtime.folder / "b.txt").write_text("kept\n")
    commit(runtime.folder, "Second")
    git(runtime.folder, "branch", "other", "HEAD~")
    git(runtime.folder, "tag", "v1")
    (runtime.folder / "a.txt").write_text("the user's own\n")
    (runtime.folder / "untracked.txt").write_text("the user's own\n")
    return runtime


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def write(name: str, content: str, **more: Any) -> Answer:
    return use("Write", {"file_path": name, "content": content}, **more)


def read(name: str) -> Answer:
    return use("Read", {"file_path": name})


def state_of(folder: Path) -> tuple[dict[str, str], str, list[str]]:
    """Everything of a user's repository that no agent may touch."""
    refs = git(folder, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    own = [ref for ref in refs if not ref.startswith("refs/pool/snapshots/")]
    return tree_of(folder), git(folder, "status", "--porcelain", "--branch"), own


def snapshots(folder: Path) -> dict[str, str]:
    """The commits that the pool has left in a repository, by the run that made them."""
    form = "--format=%(refname:lstrip=3) %(objectname)"
    found = git(folder, "for-each-ref", form, "refs/pool/snapshots/").splitlines()
    return dict(line.split(" ", 1) for line in found)


def working_folder(request: ModelRequest) -> Path:
    """Where the CLI said that it works."""
    return Path(request.text.partition("Primary working directory: ")[2].splitlines()[0])


# whole pools


async def test_a_task_works_in_a_worktree_of_its_own(runtime: House) -> None:
    before = state_of(runtime.folder)
    async with runtime.open(config=ISOLATED, state=runtime.place / "state") as pool:
        script = in_turn(
            read("a.txt"), read("untracked.txt"), write("new.txt", "new\n"), say("done")
        )
        first = await runtime.run_in(pool, script, **WRITER)
        second = await runtime.run_in(pool, in_turn(read("new.txt"), read("a.txt"), say("done")))
    assert first.result.success, first.result.reason
    folders = [working_folder(run.requests[0]) for run in (first, second)]
    assert len({runtime.folder, *folders}) == 3
    assert all(folder.is_relative_to(runtime.place / "state" / "worktrees") for folder in folders)
    assert not any(folder.exists() for folder in folders)
    assert "hello" in first.requests[1].last, "as it is committed"
    assert "does not exist" in first.requests[2].last
    assert "does not exist" in second.requests[1].last, "nothing of the task before is there"
    assert state_of(runtime.folder) == before

    assert first.result.commit is not None
    assert list(snapshots(runtime.folder).values()) == [first.result.commit]
    assert git(runtime.folder, "rev-parse", f"{first.result.commit}^") == git(
        runtime.folder, "rev-parse", "HEAD"
    )
    assert git(runtime.folder, "show", "--format=", "--name-only", first.result.commit) == "new.txt"
    assert git(runtime.folder, "show", f"{first.result.commit}:new.txt") == "new"
    assert second.result.commit is None, "it has changed nothing"


async def test_without_isolation_a_task_works_in_the_folder_itself(runtime: House) -> None:
    run = await runtime.run(in_turn(write("new.txt", "new\n"), say("done")), **WRITER)
    assert run.result.success, run.result.reason
    assert working_folder(run.requests[0]) == runtime.folder
    assert (runtime.folder / "new.txt").exists()
    assert (run.result.commit, snapshots(runtime.folder)) == (None, {})


@pytest.mark.parametrize("isolation", BOTH)
async def test_a_step_begins_with_the_work_of_the_one_before(
    runtime: House, isolation: Isolation
) -> None:
    def script(request: ModelRequest) -> Reply:
        first = [read("a.txt"), write("a.txt", "one\n"), write("one.txt", "1\n"), say("written")]
        second = [read("a.txt"), read("one.txt"), write("two.txt", "2\n"), say("written too")]
        return (second if "second" in request.text else first)[request.turn]

    runtime.model.script, before = script, state_of(runtime.folder)
    own = TaskOverrides(**WRITER)
    steps = [
        ChainStep(name="one", prompt="first", config=own),
        ChainStep(name="two", prompt="second", config=own),
    ]
    async with runtime.open() as pool:
        chain = await pool.submit_chain(steps, options=ChainOptions(isolation=isolation))
        result = await pool.wait_chain(chain)
        tasks = [task.result for task in await pool.tasks()]
    assert result is not None
    assert result.success, result.reason
    seen = [request.last for request in runtime.model.requests if "second" in request.text]
    assert ["one" in seen[1], "1" in seen[2]] == [True, True]
    assert state_of(runtime.folder) == before
    commits = [task.commit for task in tasks if task is not None and task.commit is not None]
    assert set(snapshots(runtime.folder).values()) == set(commits)
    assert len(commits) == 2
    changed = git(runtime.folder, "diff", "--name-only", "HEAD", commits[-1]).splitlines()
    assert changed == ["a.txt", "one.txt", "two.txt"]


async def test_tasks_beside_each_other_do_not_meet(runtime: House) -> None:
    def script(request: ModelRequest) -> Reply:
        number = request.text.partition("number ")[2][:1]
        return [write("mine.txt", f"{number}\n", delay=0.3), read("mine.txt"), say(number)][
            request.turn
        ]

    runtime.model.script, before = script, state_of(runtime.folder)
    async with runtime.open(config=ISOLATED, slots=2) as pool:
        results = await pool.fan_out(["number 1", "number 2"], config=TaskOverrides(**WRITER))
    assert [result.output for result in results] == ["1", "2"]
    shown = [git(runtime.folder, "show", f"{result.commit}:mine.txt") for result in results]
    assert shown == ["1", "2"]
    assert state_of(runtime.folder) == before


async def test_trees_are_made_where_the_settings_say(runtime: House) -> None:
    base = runtime.place / "elsewhere"
    pool = PoolConfig(worktree_isolation=True, worktree_base_dir=base)
    run = await runtime.run(in_turn(write("new.txt", "new\n"), say("done")), pool=pool, **WRITER)
    assert run.result.commit is not None
    assert working_folder(run.requests[0]).is_relative_to(base)
    left = [path.name for path in base.iterdir() if any(path.iterdir())]
    assert [name for name in left if not name.startswith("store-")] == []
    assert not list(base.rglob("new.txt"))


@pytest.mark.parametrize("repository", [False, True], ids=["no repository", "no commit"])
async def test_isolation_without_git_is_refused_and_runs_nothing(
    model: ScriptedModel, short_folder: Path, *, repository: bool
) -> None:
    runtime = House(model, short_folder)
    if repository:
        git(runtime.folder, "init", "--quiet")
    async with runtime.open(config=ISOLATED) as pool:
        with pytest.raises(
            NoWorkspace, match="isolation 'worktree' needs a git repository with a commit"
        ):
            await pool.submit("Go")
        with pytest.raises(NoWorkspace, match="isolation 'clone' needs"):
            await pool.submit_chain(
                [ChainStep(name="one", prompt="Go")],
                options=ChainOptions(isolation=Isolation.clone),
            )
        assert await pool.tasks() == []
        free = await pool.submit_chain(
            [ChainStep(name="one", prompt="Go")], options=ChainOptions(isolation=Isolation.none)
        )
        runtime.model.script = in_turn(say("done"))
        result = await pool.wait_chain(free)
    assert result is not None
    assert result.success
    assert len(model.requests) == 1


async def test_a_repository_that_goes_away_fails_the_run(runtime: House) -> None:
    async with runtime.open(config=ISOLATED) as pool:
        original = LocalRepository(runtime.folder, runtime.place / "x")
        spec = await original.pinned(Isolation.worktree)
        shutil.move(runtime.folder / ".git", runtime.place / "git")
        with pytest.raises(NoWorkspace):
            async with original.lease(WorkspaceRequest(run_id="r", slot="s", spec=spec)):
                pytest.fail("a folder was lent")
        with pytest.raises(NoWorkspace):
            await pool.submit("Go")
    assert runtime.model.requests == []


async def test_tricks_with_git_do_nothing_when_the_host_captures(
    runtime: House, trap: Path
) -> None:
    """The same as below, by an agent that may do what it likes."""
    commands = [
        f"git config core.fsmonitor {trap}",
        f"git config filter.trap.clean {trap}",
        f"ln -s {trap} $(git rev-parse --git-path hooks)",
        "echo '* filter=trap' > .gitattributes",
        "echo new > new.txt",
    ]
    run = await runtime.run(
        in_turn(use("Bash", {"command": " && ".join(commands)}), say("done")),
        agent=runtime.agent(trusted=True),
        pool=ISOLATED,
        tools=("Bash",),
        allowed_tools=("Bash",),
    )
    assert (run.result.ending, run.result.reason) == (Ending.completed, "")
    assert run.result.commit is not None
    assert git(runtime.folder, "show", f"{run.result.commit}:new.txt") == "new"
    assert not tripped(trap)


# the repository alone


@pytest.fixture
def trap(short_folder: Path) -> Path:
    path = short_folder / "trap"
    path.write_text(f"#!/bin/sh\necho tripped >> {path}.tripped\ncat\n")
    path.chmod(0o755)
    return path


def tripped(trap: Path) -> bool:
    return Path(f"{trap}.tripped").exists()


@pytest.fixture
def repository(runtime: House) -> Iterator[LocalRepository]:
    before = state_of(runtime.folder)
    yield LocalRepository(runtime.folder, runtime.place / "trees")
    assert state_of(runtime.folder) == before, "the user's own folder and branches were touched"


def lay_traps(tree: Path, trap: Path) -> None:
    """All that makes git run a program: in its configuration, as hooks, and by attributes."""
    for key in (
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "diff.external",
        "diff.trap.command",
        "diff.trap.textconv",
        "filter.trap.clean",
        "filter.trap.smudge",
        "merge.trap.driver",
        "uploadpack.packObjectsHook",
        "credential.helper",
    ):
        git(tree, "config", key, str(trap))
    hooks = tree / git(tree, "rev-parse", "--git-path", "hooks")
    hooks.mkdir(parents=True, exist_ok=True)
    for hook in (
        "pre-commit",
        "post-commit",
        "post-index-change",
        "reference-transaction",
        "post-checkout",
    ):
        shutil.copy(trap, hooks / hook)
    (tree / ".gitattributes").write_text("* filter=trap diff=trap merge=trap\n")


@pytest.mark.parametrize("isolation", BOTH)
async def test_no_trap_in_a_tree_goes_off(
    repository: LocalRepository, trap: Path, isolation: Isolation
) -> None:
    spec = await repository.pinned(isolation)
    async with repository.lease(WorkspaceRequest(run_id="r.1", slot="s", spec=spec)) as workspace:
        lay_traps(workspace.folder, trap)
        (workspace.folder / "new.txt").write_text("new\n")
        work = await workspace.capture()
        assert not tripped(trap)
        git(workspace.folder, "status")
        assert tripped(trap), "whoever is careless is caught"
        Path(f"{trap}.tripped").unlink()
    assert work is not None
    assert git(repository.folder, "show", f"{work.commit}:new.txt") == "new"
    async with repository.lease(
        WorkspaceRequest(run_id="r.2", slot="s", spec=spec, start=work)
    ) as workspace:
        assert (workspace.folder / "new.txt").read_text() == "new\n"
    assert not tripped(trap)


@pytest.mark.parametrize("what", ["a folder", "the user's", "gone"])
async def test_another_git_directory_in_a_tree_is_passed_over(
    repository: LocalRepository, trap: Path, what: str
) -> None:
    spec = await repository.pinned(Isolation.worktree)
    async with repository.lease(WorkspaceRequest(run_id="r.1", slot="s", spec=spec)) as workspace:
        dot_git = workspace.folder / ".git"
        dot_git.unlink()
        match what:
            case "a folder":
                git(workspace.folder, "init", "--quiet")
                lay_traps(workspace.folder, trap)
            case "the user's":
                dot_git.write_text(f"gitdir: {repository.folder / '.git'}\n")
            case _:
                pass
        (workspace.folder / "a.txt").write_text("changed\n")
        work = await workspace.capture()
    assert work is not None
    assert git(repository.folder, "show", f"{work.commit}:a.txt") == "changed"
    assert not tripped(trap)


@pytest.mark.parametrize("isolation", BOTH)
async def test_work_outlives_the_folder_that_it_was_captured_in(
    repository: LocalRepository, isolation: Isolation
) -> None:
    """The patch in the database is enough: here it makes the commit anew."""
    spec = await repository.pinned(isolation)
    picture = bytes(range(256)) * 20
    async with repository.lease(WorkspaceRequest(run_id="r.1", slot="s", spec=spec)) as workspace:
        (workspace.folder / "a.txt").write_text("changed\n")
        (workspace.folder / "b.txt").unlink()
        (workspace.folder / "picture").write_bytes(picture)
        (workspace.folder / "picture").chmod(0o755)
        (workspace.folder / "link").symlink_to("a.txt")
        work = await workspace.capture()
    assert work is not None
    forget(repository, work)
    async with repository.lease(
        WorkspaceRequest(run_id="r.2", slot="s", spec=spec, start=work)
    ) as workspace:
        tree = workspace.folder
        assert (tree / "a.txt").read_text() == (tree / "link").read_text() == "changed\n"
        assert not (tree / "b.txt").exists()
        assert (tree / "picture").read_bytes() == picture
        assert ((tree / "picture").stat().st_mode & 0o777, (tree / "link").is_symlink()) == (
            0o755,
            True,
        )
        again = await workspace.capture()
    assert again is not None, "a step that changes nothing passes on what it began with"
    assert again.commit == work.commit
    assert snapshots(repository.folder) == {"r.2": work.commit}


def forget(repository: LocalRepository, work: CapturedChange) -> None:
    """Remove captured work from everywhere but the database."""
    for store in repository.base_dir.glob("store-*"):
        shutil.rmtree(store)
    for run in snapshots(repository.folder):
        git(repository.folder, "update-ref", "-d", f"refs/pool/snapshots/{run}")
    git(repository.folder, "-c", "gc.auto=1", "gc", "--quiet", "--prune=now")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository.folder, "cat-file", "-e", work.commit)


async def test_what_a_later_step_undoes_stays_undone(repository: LocalRepository) -> None:
    spec, work = await repository.pinned(Isolation.worktree), None
    for run, text in (("r.1", "changed\n"), ("r.2", "hello\n"), ("r.3", "hello\n")):
        async with repository.lease(
            WorkspaceRequest(run_id=run, slot="s", spec=spec, start=work)
        ) as workspace:
            assert (workspace.folder / "a.txt").read_text() == (
                "changed\n" if run == "r.2" else "hello\n"
            )
            (workspace.folder / "a.txt").write_text(text)
            work = await workspace.capture()
        assert work is not None, "the next step begins with this, not with what was undone"


async def test_of_each_task_the_newest_work_is_kept(repository: LocalRepository) -> None:
    spec = await repository.pinned(Isolation.worktree)
    for run in ("t.a.0.1", "t.a.0.2", "t.a.0.3", "t.b.0.1", "t.a.0.4"):
        async with repository.lease(WorkspaceRequest(run_id=run, slot="s", spec=spec)) as workspace:
            if run != "t.a.0.4":  # it changes nothing
                (workspace.folder / "a.txt").write_text(run)
            assert (await workspace.capture() is None) == (run == "t.a.0.4")
    assert set(snapshots(repository.folder)) == {"t.a.0.3", "t.b.0.1"}
    assert {ref for ref in await refs_of_stores(repository) if "snapshots" in ref} == set(), (
        "ours needs none"
    )


async def refs_of_stores(repository: LocalRepository) -> list[str]:
    stores = list(repository.base_dir.glob("store-*"))
    assert stores
    return [
        ref
        for store in stores
        for ref in git(store, "for-each-ref", "--format=%(refname)").splitlines()
    ]


async def test_work_that_does_not_fit_its_patch_is_refused(repository: LocalRepository) -> None:
    spec = await repository.pinned(Isolation.worktree)
    async with repository.lease(WorkspaceRequest(run_id="r.1", slot="s", spec=spec)) as workspace:
        (workspace.folder / "a.txt").write_text("changed\n")
        work = await workspace.capture()
    assert work is not None
    forget(repository, work)
    other = CapturedChange(base=work.base, commit="0" * 40, patch=work.patch, digest=work.digest)
    with pytest.raises(NoWorkspace, match="the kept patch gives"):
        async with repository.lease(
            WorkspaceRequest(run_id="r.2", slot="s", spec=spec, start=other)
        ):
            pytest.fail("a folder was lent")


@pytest.mark.parametrize("isolation", BOTH)
async def test_a_chain_starts_from_the_commit_of_its_making(
    runtime: House, isolation: Isolation
) -> None:
    repository = LocalRepository(runtime.folder, runtime.place / "trees")
    spec = await repository.pinned(isolation)
    git(runtime.folder, "checkout", "--quiet", "--", "a.txt")
    (runtime.folder / "a.txt").write_text("later\n")
    commit(runtime.folder, "Later")
    async with repository.lease(WorkspaceRequest(run_id="r.1", slot="s", spec=spec)) as workspace:
        assert (workspace.folder / "a.txt").read_text() == "hello\n"


@pytest.mark.parametrize("isolation", BOTH)
@pytest.mark.parametrize("kind", ["shallow", "linked", "below", "pruning"])
async def test_any_repository_will_do(runtime: House, isolation: Isolation, kind: str) -> None:
    """One with a cut-off history, a worktree of another, a folder in it, one that prunes what it fetches."""
    folder = runtime.folder
    match kind:
        case "shallow":
            folder = runtime.place / "shallow"
            url = f"file://{runtime.folder}"
            git(runtime.place, "clone", "--quiet", "--depth=1", url, str(folder))
            assert git(folder, "rev-parse", "--is-shallow-repository") == "true"
        case "linked":
            folder = runtime.place / "linked"
            git(runtime.folder, "worktree", "add", "--quiet", str(folder), "main~")
        case "below":
            folder = runtime.folder / "below"
            folder.mkdir()
        case _:
            git(folder, "config", "fetch.prune", "true")
            git(folder, "config", "fetch.pruneTags", "true")
    before = state_of(folder)
    repository = LocalRepository(folder, runtime.place / "trees")
    spec = await repository.pinned(isolation)
    async with repository.lease(WorkspaceRequest(run_id="r.1", slot="s", spec=spec)) as workspace:
        (workspace.folder / "a.txt").write_text("changed\n")
        work = await workspace.capture()
    assert work is not None
    async with repository.lease(
        WorkspaceRequest(run_id="r.2", slot="s", spec=spec, start=work)
    ) as workspace:
        assert (workspace.folder / "a.txt").read_text() == "changed\n"
        assert (workspace.folder / "b.txt").exists() is (kind != "linked")
    assert git(folder, "rev-parse", f"{work.commit}^") == git(folder, "rev-parse", "HEAD")
    assert git(folder, "show", f"{work.commit}:a.txt") == "changed"
    assert state_of(folder) == before


async def test_a_clone_shares_nothing_with_the_repository(runtime: House) -> None:
    git(runtime.folder, "remote", "add", "origin", "https://example.org/shop.git")
    repository = LocalRepository(runtime.folder, runtime.place / "trees")
    spec = await repository.pinned(Isolation.clone)
    async with repository.lease(WorkspaceRequest(run_id="r.1", slot="s", spec=spec)) as workspace:
        tree = workspace.folder
        assert (tree / ".git").is_dir()
        assert not (tree / ".git" / "objects" / "info" / "alternates").exists()
        assert git(tree, "remote", "get-url", "origin") == "https://example.org/shop.git"
        assert git(tree, "log", "--format=%s").splitlines() == ["Second", "First"]
        assert git(tree, "status", "--porcelain") == ""
