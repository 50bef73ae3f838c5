"""Commits, comparisons, refs and branches."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.errors import RefusedError, missing
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.paging import number, paged
from claude_pool_gh.rehearsal.github.routes.pulls import diff_answer
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import commits as shapes
from claude_pool_gh.rehearsal.github.shapes.repositories import api, page
from claude_pool_gh.rehearsal.github.state.ids import node_id

READ = "contents:read"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def list_commits(call: Call) -> Answer:
    """History of a branch, newest first."""
    start = call.repository.git.resolve(call.query.get("sha") or call.repository.default_branch)
    if start is None:
        raise missing()
    path = call.query.get("path")
    found = shapes.log(call.repository, start, *(["--", path] if path else []))
    return paged(call, found, lambda one: one)


def get_commit(call: Call) -> Answer:
    """One commit with its changes."""
    repository, sha = call.repository, call.commit()
    if call.accepts("sha"):
        return Answer(raw=sha.encode(), content_type="application/vnd.github.sha; charset=utf-8")
    shape = shapes.commit(repository, sha)
    parents = [parent["sha"] for parent in shape["parents"]]
    found = repository.diff(parents[0] if parents else EMPTY_TREE, sha)
    if call.accepts("diff"):
        return diff_answer(call, found, "Commit")
    added, deleted = (
        sum(one.additions for one in found.files),
        sum(one.deletions for one in found.files),
    )
    files = found.files[: call.site.limits.compare_files]
    return Answer(
        json={
            **shape,
            "stats": {"additions": added, "deletions": deleted, "total": added + deleted},
            "files": [shapes.file(repository, one, sha) for one in files],
        }
    )


def _ends(call: Call) -> tuple[str, str]:
    base, _, head = call.params["basehead"].partition("...")
    return _end(call, base), _end(call, head)


def _end(call: Call, name: str) -> str:
    """A commit by name; `login:branch` names one of a fork."""
    owner, colon, branch = name.rpartition(":")
    repository = call.repository
    family = [repository, *repository.forks]
    source = next(
        (one for one in family if colon and one.owner.login.lower() == owner.lower()), repository
    )
    sha = source.git.resolve(branch)
    if sha is None or (
        colon and source is repository and owner.lower() != repository.owner.login.lower()
    ):
        raise missing()
    if source is not repository:
        repository.git.run("fetch", "--quiet", "--no-tags", str(source.git.path), sha)
    return sha


def compare(call: Call) -> Answer:
    """Compare two commits, from their merge base on."""
    repository, limits = call.repository, call.site.limits
    base, head = _ends(call)
    shared = repository.git.merge_base(base, head)
    if shared is None:
        raise RefusedError(404, f"No common ancestor between {base} and {head}.")
    found = repository.diff(shared, head)
    if call.accepts("diff"):
        return diff_answer(call, found, "Comparison")
    ahead = int(repository.git.text("rev-list", "--count", f"{base}..{head}"))
    behind = int(repository.git.text("rev-list", "--count", f"{head}..{base}"))
    states = {
        (False, False): "identical",
        (True, False): "ahead",
        (False, True): "behind",
        (True, True): "diverged",
    }
    first = number(call, "page", 1, 1_000_000)
    size = (
        number(call, "per_page", limits.compare_commits, 100)
        if "per_page" in call.query
        else limits.compare_commits
    )
    span = (f"--max-count={ahead - (first - 1) * size}", "--reverse", f"{base}..{head}")
    url, web = (
        f"{api(repository)}/compare/{base}...{head}",
        f"{page(repository)}/compare/{base}...{head}",
    )
    return Answer(
        json={
            "url": url,
            "html_url": web,
            "permalink_url": web,
            "diff_url": f"{web}.diff",
            "patch_url": f"{web}.patch",
            "base_commit": shapes.commit(repository, base),
            "merge_base_commit": shapes.commit(repository, shared),
            "status": states[bool(ahead), bool(behind)],
            "ahead_by": ahead,
            "behind_by": behind,
            "total_commits": ahead,
            "commits": (shapes.log(repository, *span) if ahead > (first - 1) * size else [])[:size],
            "files": [
                shapes.file(repository, one, head) for one in found.files[: limits.compare_files]
            ],
        }
    )


def get_ref(call: Call) -> Answer:
    """The object that a ref points to."""
    repository, name = call.repository, f"refs/{call.params['ref']}"
    sha = repository.git.refs(name).get(name)
    if sha is None:
        raise missing()
    kind = repository.git.text("cat-file", "-t", sha)
    target = {"sha": sha, "type": kind, "url": f"{api(repository)}/git/{kind}s/{sha}"}
    shape = {
        "ref": name,
        "node_id": node_id("Ref", int(sha[:12], 16)),
        "url": f"{api(repository)}/git/{name}",
    }
    return Answer(json={**shape, "object": target})


def list_branches(call: Call) -> Answer:
    """Every branch."""
    heads = call.repository.git.refs("refs/heads/").items()
    pairs = [(name.removeprefix("refs/heads/"), sha) for name, sha in heads]
    return paged(call, pairs, lambda pair: shapes.branch(call.repository, *pair))


def get_branch(call: Call) -> Answer:
    """One branch."""
    name = call.params["branch"]
    sha = call.repository.git.refs("refs/heads/").get(f"refs/heads/{name}")
    if sha is None:
        raise missing()
    return Answer(json=shapes.full_branch(call.repository, name, sha))


ROUTES = (
    Route("GET", "/repos/{owner}/{repo}/commits", list_commits, READ),
    Route("GET", "/repos/{owner}/{repo}/commits/{ref}", get_commit, READ),
    Route("GET", "/repos/{owner}/{repo}/compare/{basehead}", compare, READ),
    Route("GET", "/repos/{owner}/{repo}/git/ref/{ref}", get_ref, READ),
    Route("GET", "/repos/{owner}/{repo}/branches", list_branches, READ),
    Route("GET", "/repos/{owner}/{repo}/branches/{branch}", get_branch, READ),
)
