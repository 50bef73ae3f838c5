"""The GraphQL API, as far as the bot needs it: eight documents, known by their operation's name.

The documents and the answers are held to GitHub's own schema in the tests; nothing here reads the language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from claude_pool_gh.rehearsal.github.errors import RefusedError
from claude_pool_gh.rehearsal.github.routes import overview
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.state.ids import node_id
from claude_pool_gh.rehearsal.github.state.repository import (
    Comment,
    Pull,
    Repository,
    Review,
    ReviewComment,
)

Json = Mapping[str, Any]
KIND = "PullRequestReviewThread"


def answer(call: Call) -> Answer:
    """Run the operation that the document names; what is refused is said under status 200."""
    document, variables = str(call.body.get("query")), call.body.get("variables") or {}
    named = re.search(r"\b(?:query|mutation)\s+(\w+)", document)
    operation = OPERATIONS.get(named[1]) if named else None
    if operation is None:
        raise RefusedError(400, "This operation is not simulated")
    try:
        return Answer(json={"data": operation(call, variables)})
    except QueryError as refused:
        return Answer(
            json={"data": None, "errors": [{"type": refused.kind, "message": str(refused)}]}
        )


class QueryError(Exception):
    """An error in GraphQL's own form."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def review_threads(call: Call, given: Json) -> Json:
    """The threads of a pull request, a hundred at a time, each with the comment that began it."""
    pull = _pull(call, f"{given['owner']}/{given['name']}", int(given["number"]))
    firsts = [one for one in pull.review_comments if one.in_reply_to is None]
    begin = int(given.get("after") or 0)
    page = firsts[begin : begin + 100]
    more = begin + len(page) < len(firsts)
    threads = {
        "nodes": [_thread(one) for one in page],
        "pageInfo": {"hasNextPage": more, "endCursor": str(begin + len(page)) if page else None},
    }
    return {"repository": {"pullRequest": {"reviewThreads": threads}}}


def _pull(call: Call, full_name: str, number: int) -> Pull:
    pull = _repository(call, full_name).threads.get(number)
    if not isinstance(pull, Pull):
        raise QueryError(
            "NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}."
        )
    if not call.bearer.may("pull_requests", "read"):
        raise QueryError("FORBIDDEN", "Resource not accessible by integration")
    return pull


def _repository(call: Call, full_name: str) -> Repository:
    repository = call.world.repository(full_name)
    if repository is None or not call.bearer.sees(repository):
        raise QueryError(
            "NOT_FOUND", f"Could not resolve to a Repository with the name '{full_name}'."
        )
    return repository


def _thread(first: ReviewComment) -> Json:
    return {
        "id": node_id(KIND, first.id),
        "isResolved": first.resolved_by is not None,
        "comments": {"nodes": [{"fullDatabaseId": str(first.id)}]},
    }


def resolve_thread(call: Call, given: Json) -> Json:
    """Resolve a thread: an App needs the right to push for it."""
    _decide(call, given).resolved_by = call.actor.user
    return {"resolveReviewThread": {"thread": {"isResolved": True}}}


def unresolve_thread(call: Call, given: Json) -> Json:
    """Open a thread again, with the same right."""
    _decide(call, given).resolved_by = None
    return {"unresolveReviewThread": {"thread": {"isResolved": False}}}


def _decide(call: Call, given: Json) -> ReviewComment:
    """The comment that began a thread on which somebody with the right to it decides."""
    every = [
        comment
        for repository in call.world.repositories.values()
        if call.bearer.sees(repository)
        for pull in repository.pulls
        for comment in pull.review_comments
    ]
    first = next((one for one in every if node_id(KIND, one.id) == given["thread"]), None)
    if first is None:
        raise QueryError(
            "NOT_FOUND", f"Could not resolve to a node with the global id of '{given['thread']}'"
        )
    if not (call.bearer.may("contents", "write") and call.bearer.may("pull_requests", "write")):
        raise QueryError("FORBIDDEN", "Resource not accessible by integration")
    call.site.changed()
    return first


def hidden(call: Call, given: Json) -> Json:
    """The comments and reviews among some that a maintainer has hidden."""
    found = {name: (kind, one) for name, kind, one in _written(call)}
    missing = [each for each in given["ids"] if each not in found]
    if missing:
        raise _unknown(missing[0])
    named = {
        name: {"__typename": kind, "id": name, "isMinimized": one.minimized}
        for name, (kind, one) in found.items()
    }
    return {"nodes": [named[each] for each in given["ids"]]}


def created_via_email(call: Call, given: Json) -> Json:
    """The mark of a comment or review that was sent by mail."""
    for name, kind, one in _written(call):
        if name == given["id"]:
            return {"node": {"__typename": kind, "id": name, "createdViaEmail": one.by_mail}}
    raise _unknown(given["id"])


def viewer(call: Call, _given: Json) -> Json:
    """The owner of the token: a person, an App's bot, or the bot of GitHub Actions."""
    user = call.actor.user
    return {"viewer": {"login": user.login, "databaseId": user.id}}


def _written(call: Call) -> Iterator[tuple[str, str, Comment | Review | ReviewComment]]:
    """Every comment and review that may be seen, with its name and kind."""
    for repository in call.world.repositories.values():
        if not call.bearer.sees(repository):
            continue
        for thread in repository.threads.values():
            for comment in thread.comments:
                yield node_id("IssueComment", comment.id), "IssueComment", comment
            if isinstance(thread, Pull):
                for review in thread.reviews:
                    yield node_id("PullRequestReview", review.id), "PullRequestReview", review
                for line in thread.review_comments:
                    yield (
                        node_id("PullRequestReviewComment", line.id),
                        "PullRequestReviewComment",
                        line,
                    )


def _unknown(name: str) -> QueryError:
    return QueryError("NOT_FOUND", f"Could not resolve to a node with the global id of '{name}'")


def command_overview(call: Call, given: Json) -> Json:
    """The facts that a command needs of its repository and its thread."""
    repository = _repository(call, f"{given['owner']}/{given['name']}")
    thread = repository.threads.get(int(given["number"]))
    if thread is None:
        raise QueryError(
            "NOT_FOUND",
            f"Could not resolve to an issue or pull request with the number of {given['number']}.",
        )
    needed = ("contents", "pull_requests" if isinstance(thread, Pull) else "issues")
    if not all(call.bearer.may(permission, "read") for permission in needed):
        raise QueryError("FORBIDDEN", "Resource not accessible by integration")
    return {"repository": overview.shown(repository, given, thread)}


def trusted_folder(call: Call, given: Json) -> Json:
    """A folder of a commit, with the text of its files."""
    repository = _repository(call, f"{given['owner']}/{given['name']}")
    if not call.bearer.may("contents", "read"):
        raise QueryError("FORBIDDEN", "Resource not accessible by integration")
    return {"repository": overview.folder(repository, given)}


OPERATIONS = {
    "CommandOverview": command_overview,
    "CreatedViaEmail": created_via_email,
    "Hidden": hidden,
    "ResolveThread": resolve_thread,
    "UnresolveThread": unresolve_thread,
    "ReviewThreads": review_threads,
    "TrustedFolder": trusted_folder,
    "Viewer": viewer,
}
PATH = "/api/graphql"

ROUTES = (Route("POST", PATH, answer),)
