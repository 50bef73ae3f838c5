"""Real git against the simulated GitHub."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path

from claude_pool_gh.rehearsal.github import Fault, Installation, Repository, Reset, SimulatedGitHub
from tests.rehearsal.world import Hooks


async def git(*arguments: str, token: str | None = None, at: Path | None = None) -> tuple[int, str]:
    extra = {}
    if token is not None:
        credentials = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        extra = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {credentials}",
        }
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_TERMINAL_PROMPT": "0",
        **extra,
    }
    who = ("-c", "user.name=claude-pool[bot]", "-c", "user.email=bot@example.org")
    process = await asyncio.create_subprocess_exec(
        "git",
        *who,
        *arguments,
        cwd=at,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_a_push_moves_the_pull_request(
    github: SimulatedGitHub,
    widgets: Repository,
    installation: Installation,
    hooks: Hooks,
    tmp_path: Path,
) -> None:
    widgets.commit("feature", {"b.py": "b\n"})
    pull = widgets.open_pull("feature")
    token = github.create_installation_token(installation)
    work = tmp_path / "work"
    assert (
        await git(
            "clone", "--quiet", "--branch", "feature", widgets.clone_url, str(work), token=token
        )
    )[0] == 0
    (work / "b.py").write_text("fixed\n" * 100_000)
    assert (await git("commit", "--quiet", "--all", "-m", "Fix", at=work))[0] == 0
    code, output = await git("push", "--quiet", "origin", "HEAD:feature", token=token, at=work)
    assert code == 0, output
    await github.settle()
    assert widgets.head("feature") == pull.head_sha
    assert set(hooks.names()[-2:]) == {"push", "pull_request.synchronize"}
    assert hooks.events[-1].data["sender"]["login"] == "claude-pool[bot]"
    code, fetched = await git(
        "fetch", "--depth=1", "origin", "refs/pull/1/head", token=token, at=work
    )
    assert code == 0, fetched
    assert "git-receive-pack" in {(one.route or "").rpartition("/")[2] for one in github.requests}


async def test_git_is_let_in_as_the_token_says(
    github: SimulatedGitHub, widgets: Repository, installation: Installation, tmp_path: Path
) -> None:
    github.create_repository("octo/other")
    reader = github.create_installation_token(installation, {"contents": "read"})
    writer = github.create_installation_token(installation)
    code, output = await git("ls-remote", widgets.clone_url)
    assert code != 0
    assert "could not read Username" in output
    assert (await git("ls-remote", widgets.clone_url, token="wrong"))[0] != 0
    assert (await git("ls-remote", f"{github.url}/octo/other.git", token=reader))[0] != 0
    work = tmp_path / "work"
    assert (await git("clone", "--quiet", widgets.clone_url, str(work), token=reader))[0] == 0
    code, output = await git("push", "origin", "HEAD:refs/heads/new", token=reader, at=work)
    assert code != 0
    assert "403" in output
    code, output = await git("push", "origin", "HEAD:refs/pull/9/head", token=writer, at=work)
    assert code != 0
    assert "hidden ref" in output
    assert widgets.git.refs("refs/heads/") == {"refs/heads/main": widgets.head()}


async def test_a_workflow_file_needs_a_permission_of_its_own(
    github: SimulatedGitHub, widgets: Repository, installation: Installation, tmp_path: Path
) -> None:
    token = github.create_installation_token(installation)
    work = tmp_path / "work"
    await git("clone", "--quiet", widgets.clone_url, str(work), token=token)
    (work / ".github" / "workflows").mkdir(parents=True)
    (work / ".github" / "workflows" / "ci.yml").write_text("on: push\n")
    await git("add", "--all", at=work)
    await git("commit", "--quiet", "-m", "CI", at=work)
    code, output = await git("push", "origin", "HEAD:refs/heads/ci", token=token, at=work)
    assert code != 0
    assert "without `workflows` permission" in output
    assert widgets.git.resolve("ci") is None


async def test_a_push_can_be_cut_after_it_took_effect(
    github: SimulatedGitHub, widgets: Repository, installation: Installation, tmp_path: Path
) -> None:
    token = github.create_installation_token(installation)
    work = tmp_path / "work"
    await git("clone", "--quiet", widgets.clone_url, str(work), token=token)
    route = "/{owner}/{repo}.git/git-receive-pack"
    github.faults.add(Fault(Reset(), method="POST", route=route, after_effect=True))
    code, _ = await git("push", "origin", "HEAD:refs/heads/new", token=token, at=work)
    assert code != 0
    assert widgets.head("new") == widgets.head()


async def test_pushes_at_the_same_time_are_each_told_once(
    github: SimulatedGitHub,
    widgets: Repository,
    installation: Installation,
    hooks: Hooks,
    tmp_path: Path,
) -> None:
    token = github.create_installation_token(installation)
    work = tmp_path / "work"
    await git("clone", "--quiet", widgets.clone_url, str(work), token=token)
    pushes = [
        git("push", "origin", f"HEAD:refs/heads/b{n}", token=token, at=work) for n in range(4)
    ]
    results = await asyncio.gather(*pushes)
    widgets.commit("main", {"x": "y"})
    await github.settle()
    assert [code for code, _ in results] == [0] * 4
    told = sorted(one.data["ref"] for one in hooks.events if one.event == "push")
    assert told == [*(f"refs/heads/b{n}" for n in range(4)), "refs/heads/main"]
