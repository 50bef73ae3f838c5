"""The facts of a chain's plan, frozen when the command was accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.pool.model.plan import WorkspaceSpec
from claude_pool_gh.terms.ids import Actor, CommentRef, Term, Thread


class ThreadFacts(Term):
    """The facts of every chain of a thread; stored as the plan's context. Verbs add to it."""

    thread: Thread
    place: Literal["pull", "issue"]
    requester: Actor
    line: str
    """The command as it was written."""
    asked_in: CommentRef | None = None
    """The comment in which it stands; None where a label, a button or an event asked."""
    head: str
    """The commit that the agents see: the pull request's head, or the default branch's as it was then."""
    base: str = ""
    base_ref: str
    """The branch that a pull request goes into; of an issue, the default branch."""
    default_branch: str
    config_blob: str = ""
    """Changes when the repository's configuration does."""
    on_error: Literal["neutral", "failure"] = "neutral"
    notify: bool = True
    """Whether whoever gave the command is mentioned at its end."""

    @property
    def refs(self) -> list[str]:
        """The refs under which the commits are found; a fork's head too."""
        own = [f"refs/pull/{self.thread.number}/head"] if self.place == "pull" else []
        return [f"refs/heads/{self.base_ref}", *own]

    @property
    def key(self) -> str:
        """Names the thread in our rows."""
        return thread_key(self.thread)

    @property
    def workspace(self) -> WorkspaceSpec:
        """The facts for a lease of a worktree."""
        repository_id = self.thread.repository.id
        return WorkspaceSpec(repository_id=repository_id, commit=self.head, refs=tuple(self.refs))


def chain_id_of(request: CommandRequest) -> str:
    """The chain that a command starts: the same command, the same chain."""
    return request.digest[:10]


F = TypeVar("F", bound=ThreadFacts)


def facts_of(context: Mapping[str, Any], kind: type[F]) -> F:
    """The facts of one kind among a plan's context, which may hold other things beside them."""
    return kind.model_validate(
        {name: context[name] for name in kind.model_fields if name in context}
    )


def thread_key(thread: Thread) -> str:
    """Names a thread in our rows."""
    return f"{thread.repository.id}:{thread.number}"
