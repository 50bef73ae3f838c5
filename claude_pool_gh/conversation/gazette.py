"""What GitHub's own events change: heads move, threads close, repositories are renamed, installations end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.conversation.facts import thread_key
from claude_pool_gh.conversation.groups import group_check
from claude_pool_gh.findings import tables as findings
from claude_pool_gh.github import news
from claude_pool_gh.github.check_key import CheckKey
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.registry import kinds
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.inbox import remember_repository
from claude_pool_gh.github.news import News
from claude_pool_gh.github.tables import effects, repositories, threads
from claude_pool_gh.pool.model.ports import Clock, Observer
from claude_pool_gh.pool.model.states import OPEN, ChainState
from claude_pool_gh.pool.store import chains
from claude_pool_gh.pool.store.tables import chains as chain_rows
from claude_pool_gh.storage import Transaction, insert_once
from claude_pool_gh.terms.ids import CommentRef, Thread

_ENDED: Final = 10
"""Chains of a thread that have ended and are shown again when its head moves."""


@dataclass(frozen=True, slots=True)
class Gazette:
    """Takes each of the news in, in the transaction that stores its delivery. Hearing it twice does no harm."""

    clock: Clock
    observer: Observer

    def take(self, tx: Transaction, told: News) -> None:  # noqa: C901 - one straight table
        """Note what is new, end what cannot go on, and show it."""
        match told:
            case news.HeadMoved(thread, head):
                remember_repository(tx, thread.repository)
                self._note(tx, thread, head=head)
                self._show(tx, thread)
                self._show_ended(tx, thread)
            case news.BaseChanged(thread, head, base_ref):
                self._doubt_review(tx, thread, head, base_ref)
            case news.ThreadClosed(thread):
                self._note(tx, thread, open=False)
                findings.ignore_open(tx, thread_key(thread), self.clock.now_ms())
                self._show(tx, thread)
            case news.ThreadReopened(thread, head):
                self._note(tx, thread, **({"head": head} if head else {}))
                findings.reopen_ignored(tx, thread_key(thread))
                self._show(tx, thread)
            case news.GroupQueued(thread, head):
                self._answer_group(tx, thread, head)
            case news.CommentDeleted(_, comment):
                self._forget(tx, comment)
            case news.InstallationChanged():
                self._installation(tx, told)
            case news.RepositoriesRemoved(_, ids):
                tx.execute(repositories.update().where(repositories.c.id.in_(ids)).values(state="removed"))
                self._end(tx, ids)
            case news.RepositoryChanged(repository, state):
                remember_repository(tx, repository, state)
                if state != "active":
                    self._end(tx, (repository.id,))

    def _forget(self, tx: Transaction, comment: CommentRef) -> None:
        """What a person deletes stays deleted: no later edit brings it back. One in a review is never edited."""
        if comment.kind == "issue_comment":
            gone = sa.and_(effects.c.remote_id == comment.id, effects.c.kind == "comment")
            tx.execute(effects.update().where(gone).values(state="gone"))

    def _doubt_review(self, tx: Transaction, thread: Thread, head: str, base_ref: str) -> None:
        """A check speaks of the base that was read. Against another one nobody has read the change."""
        key = CheckKey.of(thread, "review", head).format()
        row = tx.execute(sa.select(effects.c.wanted).where(effects.c.key == key)).scalar_one_or_none()
        check = None if row is None else CheckRun.model_validate(row)
        if check is not None and check.status == "completed":
            title = f"NOT REVIEWED: it goes into {base_ref} now, which is not what was read"[:200]
            summary = (
                "The base of this pull request was changed after its review. To review it again: /pool review"
            )
            doubted = check.model_copy(
                update={"conclusion": "neutral", "title": title, "summary": summary, "buttons": ()}
            )
            want(tx, key, thread.repository, doubted, self.clock.now_ms())

    def _answer_group(self, tx: Transaction, thread: Thread, commit: str) -> None:
        """Repeat at a merge queue's commit what the review's check says of the pull request that it was made for.

        Without a review of it there is nothing to repeat, and no required check that would have let it into the queue.
        """
        remember_repository(tx, thread.repository)
        like = CheckKey.of(thread, "review", commit).prefix()
        own = sa.and_(effects.c.key.startswith(like, autoescape=True), effects.c.kind == "check")
        known = tx.execute(sa.select(threads.c.head).where(threads.c.key == thread_key(thread))).scalar()
        newest = tx.execute(sa.select(effects).where(own).order_by(effects.c.due_ms.desc())).all()
        rows = [CheckRun.model_validate(row.wanted) for row in newest]
        if not rows:
            return
        there = next((each for each in rows if each.head == known), None)
        check = group_check(there, thread.number, commit)
        want(tx, f"group:{thread_key(thread)}:{commit}", thread.repository, check, self.clock.now_ms())

    def _installation(self, tx: Transaction, told: news.InstallationChanged) -> None:
        for repository in told.repositories if told.state == "active" else ():
            remember_repository(tx, repository)
        own = repositories.c.installation_id == told.id
        if told.state == "active":  # of the others, only those come back that were suspended with it
            own = sa.and_(own, repositories.c.state == "suspended")
        tx.execute(repositories.update().where(own).values(state=told.state))
        if told.state != "active":
            self._end(tx, self._of_installation(tx, told.id))

    def _note(self, tx: Transaction, thread: Thread, **known: object) -> None:
        key = thread_key(thread)
        if not insert_once(tx, threads, {"key": key, "open": True, **known}):
            tx.execute(threads.update().where(threads.c.key == key).values(**{"open": True, **known}))

    def _show(self, tx: Transaction, thread: Thread) -> None:
        """What waits or runs in a thread may be about something else than its head now."""
        own = sa.and_(chain_rows.c.account_thread == thread_key(thread), chain_rows.c.state.in_(OPEN))
        for chain_id in tx.execute(sa.select(chain_rows.c.id).where(own)).scalars().all():
            self.observer.changed(tx, chain_id)

    def _show_ended(self, tx: Transaction, thread: Thread) -> None:
        """What was said of an earlier head stays, and says that the head has moved."""
        own = sa.and_(
            chain_rows.c.account_thread == thread_key(thread), chain_rows.c.state == ChainState.done
        )
        newest = sa.select(chain_rows.c.id).where(own).order_by(chain_rows.c.created_ms.desc()).limit(_ENDED)
        for chain_id in tx.execute(newest).scalars().all():
            self.observer.changed(tx, chain_id)

    def _of_installation(self, tx: Transaction, installation_id: int) -> tuple[int, ...]:
        own = sa.select(repositories.c.id).where(repositories.c.installation_id == installation_id)
        return tuple(tx.execute(own).scalars())

    def _end(self, tx: Transaction, repository_ids: tuple[int, ...]) -> None:
        """Nothing more is spent for repositories that nobody here may speak to, and nothing more is written there.

        What stands there, comments and checks, is brought up to date if they can ever be reached again; what was to
        happen once does not happen late.
        """
        wanted = [str(each) for each in repository_ids]
        own = sa.and_(chain_rows.c.account_repository.in_(wanted), chain_rows.c.state.in_(OPEN))
        for chain_id in tx.execute(sa.select(chain_rows.c.id).where(own)).scalars().all():
            chains.request_cancel(tx, chain_id, self.clock.now_ms())
            self.observer.changed(tx, chain_id)
        gone = sa.and_(
            effects.c.repository_id.in_(repository_ids),
            effects.c.state == "wanted",
            effects.c.kind.not_in([name for name, kind in kinds().items() if kind.lasting]),
        )
        tx.execute(
            effects.update().where(gone).values(state="refused", error="the repository is out of reach")
        )
