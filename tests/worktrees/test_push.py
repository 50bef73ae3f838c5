"""Pushing: a final no is told in GitHub's words, a fault that passes is none, and nothing is ever forced."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from claude_pool_gh.rehearsal.github import Fault, Moment, Reset, Respond, SimulatedGitHub, Stall
from claude_pool_gh.rehearsal.github.web.faults import Kind
from claude_pool_gh.terms.branches import why_no_branch
from claude_pool_gh.worktrees import push as pushing
from claude_pool_gh.worktrees.answers import GitOutcome, meaning_of, meaning_of_push, reason_of
from claude_pool_gh.worktrees.errors import OriginUnavailable, WorktreeError
from claude_pool_gh.worktrees.git import Credentials, git
from claude_pool_gh.worktrees.mirror import Mirror
from claude_pool_gh.worktrees.push import PushRefused, push
from tests.worktrees.site import Site

MAIN = "refs/heads/main"
RECEIVE = "/{owner}/{repo}.git/git-receive-pack"
RULES = "error: GH013: Repository rule violations found for refs/heads/main."
PROTECTED = "error: GH006: Protected branch update failed for refs/heads/main."
HOOKS = {
    "unsigned": (
        f"{RULES}\n\n- Commits must have verified signatures.\n  Found 1 violation:\n\n  0a1b2c3\n",
        "GH013: Repository rule violations found for refs/heads/main. - Commits must have verified signatures.",
    ),
    "ruleset": (
        f"{RULES}\n\n- Changes must be made through a pull request.\n",
        "made through a pull request.",
    ),
    "protected": (
        f'{PROTECTED}\nerror: Required status check "ci" is expected.\n',
        'status check "ci" is expected',
    ),
    "secret": (
        "error: GH009: Secrets detected! This push failed.\n\n   GITHUB PUSH PROTECTION\n  ——————\n    Resolve it.\n",
        "GH009: Secrets detected! This push failed. GITHUB PUSH PROTECTION Resolve it.",
    ),
    "large": (
        "error: File m.bin is 120 MB; this exceeds GitHub's file size limit of 100 MB\nerror: GH001: Large files\n",
        "exceeds GitHub's file size limit of 100 MB GH001: Large files",
    ),
    "workflows": (
        "refusing to allow a GitHub App to create or update workflow `.github/a.yml` without `workflows` permission\n",
        "without `workflows` permission",
    ),
    "own hook": (
        "POLICY: commit message must name a ticket\n",
        "POLICY: commit message must name a ticket",
    ),
    "silent": ("", "pre-receive hook declined"),
    "control characters": ("no \x1b[31mred\x1b[0m\a text\n", "no [31mred [0m text"),
}


async def made(site: Site, message: str = "x") -> tuple[Mirror, Credentials, str, str]:
    """A commit on top of `main` in a mirror, and what it takes to push it."""
    head = site.widgets.head()
    mirror, login = (
        site.worktrees.mirror(site.widgets.id),
        Credentials(site.token, site.widgets.clone_url),
    )
    await mirror.fetch(login, [head], [MAIN])
    tree = (await git("rev-parse", f"{head}^{{tree}}", git_dir=mirror.path)).decode().strip()
    new = await git("commit-tree", tree, "-p", head, "-m", message, git_dir=mirror.path)
    return mirror, login, new.decode().strip(), head


def hook(site: Site, text: str, status: int = 1) -> None:
    file = site.widgets.git.path / "hooks" / "pre-receive"
    file.write_text(f"#!/bin/sh\nprintf '%s' {shlex.quote(text)} >&2\nexit {status}\n")


async def test_a_commit_is_put_on_a_branch_that_is_where_it_was_seen(site: Site) -> None:
    mirror, login, new, head = await made(site)
    await push(mirror.path, login, new, MAIN, head)
    assert site.widgets.head() == new
    await push(mirror.path, login, new, "refs/heads/テスト/#12-fix", None)
    assert site.widgets.git.resolve("refs/heads/テスト/#12-fix") == new


@pytest.mark.parametrize("case", HOOKS)
async def test_a_refusal_is_final_and_in_githubs_own_words(site: Site, case: str) -> None:
    text, told = HOOKS[case]
    mirror, login, new, head = await made(site)
    hook(site, text)
    with pytest.raises(PushRefused) as refused:
        await push(mirror.path, login, new, MAIN, head)
    assert told in refused.value.what
    assert "\n" not in refused.value.what
    assert "127.0.0.1" not in refused.value.what
    assert site.widgets.head() == head


async def test_a_branch_that_moved_or_exists_is_a_refusal(site: Site) -> None:
    mirror, login, new, head = await made(site)
    moved = site.widgets.commit("main", {"late.py": "z = 3\n"})
    with pytest.raises(PushRefused, match="the branch has moved since"):
        await push(mirror.path, login, new, MAIN, head)
    with pytest.raises(PushRefused, match="a branch of this name exists already"):
        await push(mirror.path, login, new, MAIN, None)
    with pytest.raises(PushRefused, match="exists; cannot create"):
        await push(mirror.path, login, new, f"{MAIN}/below", None)
    assert site.widgets.head() == moved


async def test_a_race_for_the_ref_passes(site: Site, github: SimulatedGitHub) -> None:
    """Whoever is first wins; the next try sees where the branch is."""
    mirror, login, new, head = await made(site)
    (site.widgets.git.path / f"{MAIN}.lock").touch()
    with pytest.raises(OriginUnavailable):
        await push(mirror.path, login, new, MAIN, head)
    (site.widgets.git.path / f"{MAIN}.lock").unlink()

    async def overtake(moment: Moment) -> None:
        if moment.phase == "before" and moment.route == RECEIVE and moment.method == "POST":
            site.widgets.commit("main", {"late.py": "z = 3\n"})

    github.on_request(overtake)
    with pytest.raises(OriginUnavailable):
        await push(mirror.path, login, new, MAIN, head)
    assert site.widgets.head() not in (new, head)


async def test_a_pack_that_is_too_large_is_a_refusal(site: Site) -> None:
    site.widgets.git.run("config", "receive.maxInputSize", "10")
    mirror, login, new, head = await made(site)
    with pytest.raises(PushRefused, match="pack exceeds maximum allowed size"):
        await push(mirror.path, login, new, MAIN, head)


PASSING: dict[str, Kind] = {
    "cut": Reset(),
    "500": Respond(500),
    "502": Respond(502, "Bad gateway"),
    "503": Respond(503, "Unavailable"),
    "429": Respond(429, "Too many requests"),
    "401": Respond(401, "Bad credentials"),
    "secondary": Respond(
        403, "You have exceeded a secondary rate limit. Please wait a few minutes."
    ),
}
FINAL: dict[str, tuple[Kind, str]] = {
    "denied": (
        Respond(403, "Permission to octo/widgets.git denied to x."),
        "Permission to octo/widgets",
    ),
    "archived": (
        Respond(403, "This repository was archived so it is read-only."),
        "archived so it is read-only",
    ),
    "gone": (Respond(404, "Repository not found."), "Repository not found"),
    "too large": (Respond(413), "413"),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("case", PASSING)
async def test_an_outage_is_no_refusal(
    site: Site, github: SimulatedGitHub, case: str, method: str
) -> None:
    mirror, login, new, head = await made(site)
    fault = github.faults.add(Fault(PASSING[case], method=method, route=RECEIVE, times=3))
    with pytest.raises(OriginUnavailable):
        await push(mirror.path, login, new, MAIN, head)
    assert fault.hits
    github.faults.clear()
    await push(mirror.path, login, new, MAIN, head)
    assert site.widgets.head() == new


@pytest.mark.parametrize("case", FINAL)
async def test_a_refusal_by_status_is_one(site: Site, github: SimulatedGitHub, case: str) -> None:
    mirror, login, new, head = await made(site)
    kind, told = FINAL[case]
    github.faults.add(Fault(kind, method="POST" if case == "too large" else "GET", route=RECEIVE))
    with pytest.raises(PushRefused) as refused:
        await push(mirror.path, login, new, MAIN, head)
    assert told in refused.value.what
    assert "127.0.0.1" not in refused.value.what


async def test_nobody_there_is_no_refusal(site: Site) -> None:
    mirror, login, new, head = await made(site)
    nobody = Credentials(login.token, "http://127.0.0.1:9/octo/widgets.git")
    with pytest.raises(OriginUnavailable):
        await push(mirror.path, nobody, new, MAIN, head)


# ---- texts of GitHub's that no local server gives

REPORT = "To http://h/o/r.git\n!\tabc:refs/heads/x\t[remote {}]{}\nDone"
TEXTS = [
    (
        "rejected",
        " (push declined due to repository rule violations)",
        "remote: error: GH013: x",
        GitOutcome.refused,
    ),
    (
        "rejected",
        " (protected branch hook declined)",
        "remote: error: GH006: x",
        GitOutcome.refused,
    ),
    (
        "rejected",
        " (push declined due to email privacy restrictions)",
        "remote: error: GH007: x",
        GitOutcome.refused,
    ),
    (
        "rejected",
        " (refusing to allow a GitHub App to create or update workflow `a` without `workflows` permission)",
        "",
        GitOutcome.refused,
    ),
    ("rejected", " (shallow update not allowed)", "", GitOutcome.refused),
    (
        "rejected",
        " (cannot lock ref 'refs/heads/x': is at aaa but expected bbb)",
        "",
        GitOutcome.passing,
    ),
    (
        "rejected",
        " (failed to update ref)",
        "remote: error: cannot lock ref 'refs/heads/x'",
        GitOutcome.passing,
    ),
    (
        "rejected",
        " (failed to update ref)",
        "remote: error: cannot lock ref 'refs/heads/x/y': 'refs/heads/x' exists; cannot create 'refs/heads/x/y'",
        GitOutcome.refused,
    ),
    ("rejected", " (Internal Server Error)", "remote: Internal Server Error", GitOutcome.passing),
    ("rejected", " (failure)", "remote: fatal error in commit_refs", GitOutcome.passing),
    (
        "rejected",
        " (unpacker error)",
        "remote: error: object aaa: badTree\nremote: fatal: fsck error in packed object",
        GitOutcome.refused,
    ),
    (
        "rejected",
        " (unpacker error)",
        "error: remote unpack failed: unable to create temporary object directory",
        GitOutcome.passing,
    ),
    ("failure", " (remote failed to report status)", "", GitOutcome.passing),
]


@pytest.mark.parametrize(("kind", "reason", "err", "meaning"), TEXTS)
def test_what_a_report_means(kind: str, reason: str, err: str, meaning: GitOutcome) -> None:
    out = REPORT.format(kind, reason)
    assert meaning_of_push(out, err) is meaning
    if meaning is GitOutcome.refused:
        assert reason_of(out, err)


@pytest.mark.parametrize(
    ("err", "meaning"),
    [
        ("fatal: unable to access 'http://h/': Could not resolve host: h", GitOutcome.passing),
        ("error: RPC failed; curl 56 Recv failure: Connection reset by peer", GitOutcome.passing),
        ("fatal: early EOF\nfatal: fetch-pack: invalid index-pack output", GitOutcome.passing),
        ("fatal: unable to access 'https://h/': gnutls_handshake() failed", GitOutcome.passing),
        ("error: file write error: No space left on device", GitOutcome.no_room),
        (
            "remote: No space left on device\nfatal: the remote end hung up unexpectedly",
            GitOutcome.passing,
        ),
        (
            "remote: aborting due to possible repository corruption on the remote side.",
            GitOutcome.refused,
        ),
        (
            "error: object aaaaaaaaaa: hasDotgit: x\nfatal: fetch-pack: invalid index-pack output",
            GitOutcome.other,
        ),
        ("fatal: bad object aaa", GitOutcome.other),
    ],
)
def test_what_messages_mean(err: str, meaning: GitOutcome) -> None:
    assert meaning_of(err) is meaning


# ---- names

GOOD = [
    "#12-fix",
    "_wip/x",
    "@me",
    "(x)",
    "テスト",
    "é",
    "a/b",
    "1.0",
    "x.y",
    "a@b",
    "$x",
    "a{b}",
    "'q'",
    '"',
    "a;b",
    "+x",
    "x-",
]
BAD = [
    "",
    "-x",
    "--force",
    "a..b",
    "a b",
    "a\tb",
    "a~b",
    "a^",
    "a:b",
    "a?",
    "a*",
    "a[b",
    "a\\b",
    "@",
    "a@{b",
    "a.",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a/.b",
    "a.lock",
    "a.lock/b",
    "x\x7f",
    "x\n",
    "é" * 130,
]


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_branches_are_named_as_git_allows(name: str) -> None:
    assert (why_no_branch(name) == "") is (name in GOOD)
    if not name.startswith("-") and len(name.encode()) < 250:
        command = ["git", "check-ref-format", f"refs/heads/{name}"]
        known = subprocess.run(command, check=False).returncode == 0
        assert (why_no_branch(name) == "") is (known and name != "@")


@pytest.mark.parametrize(
    "ref", ["refs/tags/v1", "refs/pull/1/head", "HEAD", "+refs/heads/main", "refs/heads/-x"]
)
async def test_only_a_branch_is_pushed_to(site: Site, ref: str) -> None:
    mirror, login, new, _ = await made(site)
    with pytest.raises(PushRefused, match="is no branch that can be pushed to"):
        await push(mirror.path, login, new, ref, None)


async def test_a_push_that_hangs_is_ended_and_its_outcome_is_not_known(
    site: Site, github: SimulatedGitHub
) -> None:
    mirror, login, new, head = await made(site)
    github.faults.add(Fault(Stall(5), method="POST", route=RECEIVE))
    with pytest.raises(OriginUnavailable, match="within 1 seconds"):
        await pushing.push(mirror.path, login, new, MAIN, head, seconds=1.0)
    assert isinstance(OriginUnavailable("x"), WorktreeError)
