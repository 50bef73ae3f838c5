"""The changes that GitHub's events bring: heads move, threads close, repositories are renamed, installations end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from claude_pool_gh.conversation.caps import CONVERSATION, REPOSITORY
from claude_pool_gh.conversation.facts import thread_key
from claude_pool_gh.conversation.tracking.merge_groups import group_check
from claude_pool_gh.findings import tables as findings
from claude_pool_gh.github import repository_events, thread_rows
from claude_pool_gh.github.check_key import CheckKey
from claude_pool_gh.github.effects import lookups, rows
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.inbox import remember_repository
from claude_pool_gh.github.repository_events import RepositoryEvent
from claude_pool_gh.pool.model.ports import Clock, Observer
from claude_pool_gh.pool.store import chains, lookup
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import CommentRef, Thread

_ENDED: Final = 10
"""Chains of a thread that have ended and are shown again when its head moves."""


@dataclass(frozen=True, slots=True)
class EventHandler:
    """Takes each of the news in, in the transaction that stores its delivery. Hearing it twice does no harm."""

    clock: Clock
    observer: Observer

    def take(self, tx: Transaction, told: RepositoryEvent) -> None:  # noqa: C901 - one straight table
        """Note what is new, end what cannot go on, and show it."""
        match told:
            case repository_events.HeadMoved(thread, head, base):
                remember_repository(tx, thread.repository)
                thread_rows.note(tx, thread_key(thread), head=head, base=base)
                self._show(tx, thread)
                self._show_ended(tx, thread)
            case repository_events.BaseChanged(thread, base):
                thread_rows.note(tx, thread_key(thread), base=base, is_open=None)
                self._show(tx, thread)
                self._show_ended(tx, thread)
            case repository_events.ThreadClosed(thread):
                thread_rows.note(tx, thread_key(thread), is_open=False)
                findings.ignore_open(tx, thread_key(thread), self.clock.now_ms())
                self._show(tx, thread)
                self._show_ended(tx, thread)
            case repository_events.ThreadReopened(thread, head, base):
                thread_rows.note(tx, thread_key(thread), head=head or "", base=base)
                findings.reopen_ignored(tx, thread_key(thread))
                self._show(tx, thread)
                self._show_ended(tx, thread)
            case repository_events.GroupQueued(thread, head):
                self._answer_group(tx, thread, head)
            case repository_events.CommentDeleted(_, comment):
                self._forget(tx, comment)
            case repository_events.InstallationChanged():
                self._installation(tx, told)
            case repository_events.RepositoriesRemoved(_, ids):
                thread_rows.mark_removed(tx, ids)
                self._end(tx, ids)
            case repository_events.RepositoryChanged(repository, state):
                remember_repository(tx, repository, state)
                if state != "active":
                    self._end(tx, (repository.id,))

    def _forget(self, tx: Transaction, comment: CommentRef) -> None:
        """Forget a comment: what a person deletes stays deleted, and no later edit brings it back.

        One in a review is never edited.
        """
        if comment.kind == "issue_comment":
            rows.comment_deleted(tx, comment.id)

    def _answer_group(self, tx: Transaction, thread: Thread, commit: str) -> None:
        """Repeat at a merge queue's commit what the review's check says of the pull request that it was made for.

        Without a review of it there is nothing to repeat, and no required check that would have let it into the queue.
        """
        remember_repository(tx, thread.repository)
        told = thread_rows.known(tx, thread_key(thread))
        own = lookups.wanted_below(tx, CheckKey.of(thread, "review", commit).prefix(), "check")
        if not own:
            return
        checks = (each for each in own if isinstance(each, CheckRun))
        there = next((each for each in checks if told is not None and each.head == told.head), None)
        check = group_check(there, thread.number, commit)
        want(
            tx,
            f"group:{thread_key(thread)}:{commit}",
            thread.repository,
            check,
            self.clock.now_ms(),
        )

    def _installation(self, tx: Transaction, told: repository_events.InstallationChanged) -> None:
        for repository in told.repositories if told.state == "active" else ():
            remember_repository(tx, repository)
        thread_rows.mark_installation(tx, told.id, told.state)
        if told.state != "active":
            self._end(tx, thread_rows.of_installation(tx, told.id))

    def _show(self, tx: Transaction, thread: Thread) -> None:
        """Show anew what waits or runs in a thread: it may be about something else than its head now."""
        for chain_id in lookup.open_of(tx, CONVERSATION, [thread_key(thread)]):
            self.observer.changed(tx, chain_id)

    def _show_ended(self, tx: Transaction, thread: Thread) -> None:
        """Keep what was said of an earlier head or base, and let it say that the head or the base is another now.

        The newest review is among it whatever has ended since: its check is what lets a pull request be merged.
        """
        key = thread_key(thread)
        newest = lookup.ended_of(tx, CONVERSATION, key, limit=_ENDED)
        reviews = lookup.ended_of(tx, CONVERSATION, key, limit=1, verb="review")
        for chain_id in dict.fromkeys((*newest, *reviews)):
            self.observer.changed(tx, chain_id)

    def _end(self, tx: Transaction, repository_ids: tuple[int, ...]) -> None:
        """Nothing more is spent for repositories that nobody here may speak to, and nothing more is written there.

        What stands there, comments and checks, is brought up to date if they can ever be reached again; what was to
        happen once does not happen late.
        """
        for chain_id in lookup.open_of(tx, REPOSITORY, [str(each) for each in repository_ids]):
            chains.request_cancel(tx, chain_id, self.clock.now_ms())
            self.observer.changed(tx, chain_id)
        rows.give_up(tx, repository_ids, "the repository is out of reach")
