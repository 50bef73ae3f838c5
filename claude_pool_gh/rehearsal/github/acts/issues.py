"""Opening, closing and labelling of threads."""

from __future__ import annotations

from collections.abc import Sequence

from claude_pool_gh.rehearsal.github.errors import invalid
from claude_pool_gh.rehearsal.github.shapes import issues as shapes
from claude_pool_gh.rehearsal.github.shapes import pulls as pull_shapes
from claude_pool_gh.rehearsal.github.shapes import repositories
from claude_pool_gh.rehearsal.github.state.people import Actor
from claude_pool_gh.rehearsal.github.state.repository import Issue, Pull, Repository
from claude_pool_gh.rehearsal.github.state.site import Event
from claude_pool_gh.rehearsal.github.state.texts import Label


def check_body(repository: Repository, resource: str, body: str) -> None:
    """Refuse what GitHub finds too long."""
    limit = repository.site.limits.body_characters
    if len(body) > limit:
        raise invalid(
            resource, "body", "custom", f"body is too long (maximum is {limit} characters)"
        )


def next_number(repository: Repository) -> int:
    """Issues and pull requests share one row of numbers."""
    taken = (*repository.threads, *repository.deleted_issues, *repository.moved_issues)
    return max(taken, default=0) + 1


def tell(issue: Issue, actor: Actor, action: str, **more: object) -> None:
    """Send the event of an issue or of a pull request, whichever it is."""
    repository = issue.repository
    if isinstance(issue, Pull):
        payload = {"number": issue.number, "pull_request": pull_shapes.pull(issue), **more}
        event = Event("pull_request", action, actor, payload, repository.id)
    else:
        event = Event(
            "issues", action, actor, {"issue": shapes.issue(issue), **more}, repository.id
        )
    repository.site.emit(event)


def open_issue(
    repository: Repository, actor: Actor, title: str, body: str, labels: Sequence[str] = ()
) -> Issue:
    """Open an issue."""
    check_body(repository, "Issue", body)
    now = repository.site.now()
    issue = Issue(
        repository.site.ids.next(),
        actor.user,
        body,
        now,
        now,
        actor.app,
        repository=repository,
        number=next_number(repository),
        title=title,
        labels=[label_of(repository, name) for name in labels],
    )
    repository.threads[issue.number] = issue
    tell(issue, actor, "opened")
    return issue


def touch(issue: Issue) -> None:
    """Note that the thread changed now."""
    issue.updated_at = issue.repository.site.now()


def edit(issue: Issue, actor: Actor, *, title: str | None = None, body: str | None = None) -> None:
    """Change title or body."""
    changes = {}
    if title is not None and title != issue.title:
        changes["title"] = {"from": issue.title}
        issue.title = title
    if body is not None and body != issue.body:
        check_body(issue.repository, "Issue", body)
        changes["body"] = {"from": issue.body}
        issue.body = body
    if changes:
        touch(issue)
        tell(issue, actor, "edited", changes=changes)


def close(issue: Issue, actor: Actor) -> None:
    """Close it."""
    if issue.closed_at is None:
        issue.closed_at, issue.closed_by = issue.repository.site.now(), actor.user
        touch(issue)
        tell(issue, actor, "closed")


def lock(issue: Issue, actor: Actor) -> None:
    """Let nobody without write access comment. An App's token may not either, whatever it may do elsewhere."""
    issue.locked = True
    touch(issue)
    tell(issue, actor, "locked")


def delete(issue: Issue, actor: Actor) -> None:
    """Delete an issue; its number is not given again."""
    tell(issue, actor, "deleted")
    issue.repository.deleted_issues.add(issue.number)
    del issue.repository.threads[issue.number]


def transfer(issue: Issue, actor: Actor, target: Repository) -> None:
    """Move an issue to another repository, under a number there; the old one leads to it."""
    source, number, before = issue.repository, issue.number, shapes.issue(issue)
    del source.threads[number]
    issue.repository, issue.number = target, next_number(target)
    target.threads[issue.number] = issue
    source.moved_issues[number] = issue
    changes = {"new_issue": shapes.issue(issue), "new_repository": repositories.repository(target)}
    payload = {"issue": before, "changes": changes}
    source.site.emit(Event("issues", "transferred", actor, payload, source.id))


def reopen(issue: Issue, actor: Actor) -> None:
    """Open it again."""
    if isinstance(issue, Pull) and issue.merged_at is not None:
        raise invalid(
            "PullRequest", "state", "custom", "state cannot be changed. The pull request is merged."
        )
    if issue.closed_at is not None:
        issue.closed_at = issue.closed_by = None
        touch(issue)
        tell(issue, actor, "reopened")


def label_of(repository: Repository, name: str) -> Label:
    """The label of that name, made when the repository has none."""
    found = next((one for one in repository.labels if one.name.lower() == name.lower()), None)
    if found is None:
        found = Label(repository.site.ids.next(), name)
        repository.labels.append(found)
    return found


def add_labels(issue: Issue, actor: Actor, names: Sequence[str]) -> None:
    """Put labels on; one that is there already changes nothing."""
    for name in names:
        label = label_of(issue.repository, name)
        if label not in issue.labels:
            issue.labels.append(label)
            touch(issue)
            tell(issue, actor, "labeled", label=shapes.label(issue.repository, label))


def remove_label(issue: Issue, actor: Actor, label: Label) -> None:
    """Take a label off."""
    issue.labels.remove(label)
    touch(issue)
    tell(issue, actor, "unlabeled", label=shapes.label(issue.repository, label))
