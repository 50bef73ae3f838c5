"""Merging of pull requests."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts import pushes
from claude_pool_gh.rehearsal.github.acts.issues import tell, touch
from claude_pool_gh.rehearsal.github.errors import RefusedError
from claude_pool_gh.rehearsal.github.state.git import Signature
from claude_pool_gh.rehearsal.github.state.people import Actor, email
from claude_pool_gh.rehearsal.github.state.repository import Pull


def merge(pull: Pull, actor: Actor) -> str:
    """Make the merge commit on the base branch, then close."""
    repository = pull.repository
    base = repository.head(pull.base_ref)
    tree = repository.git.merge_tree(base, pull.head_sha)
    if pull.closed_at is not None or tree is None:
        raise RefusedError(405, "Pull Request is not mergeable")
    who = Signature(actor.user.login, email(actor.user), repository.site.now())
    source = f"{pull.head_repository.owner.login}/{pull.head_ref}"
    message = f"Merge pull request #{pull.number} from {source}\n\n{pull.title}"
    sha = repository.git.commit_tree(tree, parents=(base, pull.head_sha), message=message, who=who)
    pull.merged_at = pull.closed_at = repository.site.now()
    pull.merged_by = pull.closed_by = actor.user
    pull.merge_commit_sha = sha
    repository.git.set_ref(f"refs/heads/{pull.base_ref}", sha)
    touch(pull)
    pushes.moved(repository, actor)
    tell(pull, actor, "closed")
    return sha
