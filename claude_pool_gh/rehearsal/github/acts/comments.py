"""Comments in a conversation, and reactions on anything."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts.issues import check_body, touch
from claude_pool_gh.rehearsal.github.errors import RefusedError, invalid
from claude_pool_gh.rehearsal.github.shapes import issues as shapes
from claude_pool_gh.rehearsal.github.state.people import Actor
from claude_pool_gh.rehearsal.github.state.repository import Comment, Issue
from claude_pool_gh.rehearsal.github.state.site import Event, Site
from claude_pool_gh.rehearsal.github.state.texts import REACTIONS, Reaction, Written


def create(issue: Issue, actor: Actor, body: str, *, by_mail: bool = False) -> Comment:
    """Say something in a thread."""
    check_body(issue.repository, "IssueComment", body)
    if issue.locked and actor.app is not None:
        raise RefusedError(403, "Unable to create comment because issue is locked.")
    if issue.repository.archived:
        raise RefusedError(403, "Repository was archived so is read-only.")
    if not body.strip():
        raise invalid("IssueComment", "data", "unprocessable", "Body cannot be blank")
    site = issue.repository.site
    now = site.now()
    comment = Comment(
        site.ids.next(), actor.user, body, now, now, actor.app, issue=issue, by_mail=by_mail
    )
    issue.comments.append(comment)
    touch(issue)
    _tell(comment, actor, "created")
    return comment


def edit(comment: Comment, actor: Actor, body: str) -> None:
    """Replace the text of a comment."""
    check_body(comment.issue.repository, "IssueComment", body)
    before, comment.body = comment.body, body
    comment.updated_at = comment.issue.repository.site.now()
    _tell(comment, actor, "edited", changes={"body": {"from": before}})


def delete(comment: Comment, actor: Actor) -> None:
    """Take a comment away."""
    comment.issue.comments.remove(comment)
    _tell(comment, actor, "deleted")


def _tell(comment: Comment, actor: Actor, action: str, **more: object) -> None:
    repository = comment.issue.repository
    payload = {"issue": shapes.issue(comment.issue), "comment": shapes.comment(comment), **more}
    repository.site.emit(Event("issue_comment", action, actor, payload, repository.id))


def react(site: Site, written: Written, actor: Actor, content: str) -> tuple[Reaction, bool]:
    """Add a reaction and say whether it is new; the same one of the same user stands once."""
    if content not in REACTIONS:
        raise invalid("Reaction", "content")
    for reaction in written.reactions:
        if (reaction.user.id, reaction.content) == (actor.user.id, content):
            return reaction, False
    reaction = Reaction(site.ids.next(), actor.user, content, site.now())
    written.reactions.append(reaction)
    site.changed()
    return reaction, True
