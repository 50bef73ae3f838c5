"""Pull requests: opened, moved, made ready."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts.issues import check_body, next_number, tell, touch
from claude_pool_gh.rehearsal.github.acts.outdating import outdate
from claude_pool_gh.rehearsal.github.errors import RefusedError, invalid
from claude_pool_gh.rehearsal.github.state.people import Actor
from claude_pool_gh.rehearsal.github.state.repository import Pull, Repository


def source_of(
    repository: Repository, head: str, given: Repository | None = None
) -> tuple[Repository, str]:
    """The repository and branch that a head names; `login:branch` means that account's fork."""
    owner, colon, branch = head.rpartition(":")
    if given is not None or not colon or owner.lower() == repository.owner.login.lower():
        return given or repository, branch
    for fork in repository.forks:
        if fork.owner.login.lower() == owner.lower():
            return fork, branch
    raise invalid("PullRequest", "head")


def open_pull(
    repository: Repository,
    actor: Actor,
    *,
    source: Repository,
    head: str,
    base: str,
    title: str,
    body: str,
    draft: bool = False,
) -> Pull:
    """Open a pull request."""
    check_body(repository, "PullRequest", body)
    head_sha, base_sha = source.git.resolve(head), repository.git.resolve(base)
    if head_sha is None:
        raise invalid("PullRequest", "head")
    if base_sha is None:
        raise invalid("PullRequest", "base")
    _refuse_twin(repository, source, head, base)
    site, now = repository.site, repository.site.now()
    pull = Pull(
        site.ids.next(),
        actor.user,
        body,
        now,
        now,
        actor.app,
        repository=repository,
        number=next_number(repository),
        title=title,
        issue_id=site.ids.next(),
        head_repository=source,
        head_ref=head,
        head_sha=head_sha,
        base_ref=base,
        base_sha=base_sha,
        draft=draft,
    )
    _take(pull)
    if repository.git.merge_base(base_sha, head_sha) == head_sha:
        repository.git.set_ref(f"refs/pull/{pull.number}/head", None)
        nothing = f"No commits between {base} and {head}"
        raise RefusedError(
            422,
            "Validation Failed",
            errors=[{"resource": "PullRequest", "code": "custom", "message": nothing}],
        )
    repository.threads[pull.number] = pull
    tell(pull, actor, "opened")
    return pull


def _refuse_twin(repository: Repository, source: Repository, head: str, base: str) -> None:
    for other in repository.pulls:
        same = (other.head_repository, other.head_ref, other.base_ref) == (source, head, base)
        if same and other.closed_at is None:
            message = f"A pull request already exists for {source.owner.login}:{head}."
            raise RefusedError(
                422,
                "Validation Failed",
                errors=[{"resource": "PullRequest", "code": "custom", "message": message}],
            )


def _take(pull: Pull) -> None:
    """Bring the head's commits into the base repository and name them."""
    git, ref = pull.repository.git, f"refs/pull/{pull.number}/head"
    if pull.head_repository is not pull.repository:
        git.run(
            "fetch",
            "--quiet",
            "--no-tags",
            str(pull.head_repository.git.path),
            f"+{pull.head_sha}:{ref}",
        )
    git.set_ref(ref, pull.head_sha)


def synchronize(pull: Pull, sha: str, actor: Actor) -> None:
    """Let a pull request follow its head branch."""
    before, pull.head_sha = pull.head_sha, sha
    _take(pull)
    pull.base_sha = pull.repository.git.resolve(pull.base_ref) or pull.base_sha
    outdate(pull)
    touch(pull)
    tell(pull, actor, "synchronize", before=before, after=sha)


def retarget(pull: Pull, base: str, actor: Actor) -> None:
    """Let a pull request go into another branch."""
    sha = pull.repository.git.resolve(base)
    if sha is None:
        raise invalid("PullRequest", "base")
    if base != pull.base_ref:
        changes = {"base": {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base_sha}}}
        pull.base_ref, pull.base_sha = base, sha
        outdate(pull)
        touch(pull)
        tell(pull, actor, "edited", changes=changes)


def ready(pull: Pull, actor: Actor) -> None:
    """Take it out of draft."""
    if pull.draft:
        pull.draft = False
        touch(pull)
        tell(pull, actor, "ready_for_review")
