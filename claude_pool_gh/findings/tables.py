"""The findings of each thread and their standing, so that nothing is said twice and recipes can be judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.findings.identity import fingerprint, with_title_digest
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.states import FINDING, FindingEvent, Standing
from claude_pool_gh.pool.store.moves import after
from claude_pool_gh.storage import DeflatedJSON, Transaction, insert_once, metadata

__all__ = [
    "KnownFinding",
    "ReviewBasis",
    "Standing",
    "carry",
    "dismissed_in",
    "every",
    "findings",
    "ignore_open",
    "known",
    "last_reviewed",
    "mark_of",
    "of_audits",
    "remember",
    "reopen",
    "reopen_ignored",
    "reviewed",
    "set_reviewed",
    "settle",
    "shares",
]

findings: Final = sa.Table(
    "findings",
    metadata,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("thread", sa.String(128), nullable=False),
    sa.Column("fingerprint", sa.String(20), nullable=False),
    sa.Column("chain_id", sa.String(64), nullable=False),
    sa.Column("recipe", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("settled_by", sa.String(100)),
    sa.Column("stated", DeflatedJSON, nullable=False),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("settled_ms", sa.BigInteger),
    sa.Column("head", sa.String(64), nullable=False, server_default=""),
    sa.Index("ix_findings_thread", "thread"),
)

reviewed: Final = sa.Table(
    "reviewed",
    metadata,
    sa.Column("thread", sa.String(128), primary_key=True),
    sa.Column("head", sa.String(64), nullable=False),
    sa.Column("chain_id", sa.String(64), nullable=False),
    sa.Column("merge_base", sa.String(64), nullable=False, server_default=""),
    sa.Column("digest", sa.String(64), nullable=False, server_default=""),
)

_F: Final = findings.c
_E: Final = FindingEvent
_SETTLES: Final = {
    Standing.fixed: _E.fix,
    Standing.dismissed: _E.dismiss,
    Standing.ignored: _E.close_thread,
}
"""By what an open finding becomes that."""


@dataclass(frozen=True, slots=True)
class KnownFinding:
    """A finding that was posted, with the name it keeps and what became of it."""

    mark: str
    finding: Finding
    state: Standing
    reason: str = ""
    by: str = ""
    head: str = ""
    """The commit at which its lines are what they are; "" where it is not known, as in older rows."""
    created_ms: int = 0
    settled_ms: int = 0
    """When it was fixed, dismissed or ignored; 0: it is open."""
    thread: str = ""
    """The key of its thread, or of its audit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewBasis:
    """All that a review is held against. A later one may read less only where nothing of it but the head differs."""

    head: str
    merge_base: str
    digest: str
    """Of configuration, recipe, skills, guidance and model."""


def mark_of(thread: str, mark: str) -> str:
    """The mark that is hidden in a finding's inline comment, so that it can be found again."""
    return f"finding:{thread}:{mark}"


def known(tx: Transaction, thread: str, state: Standing | str) -> list[Finding]:
    """The findings of a thread that are in a state, oldest first."""
    return [each.finding for each in every(tx, thread) if each.state == state]


def every(tx: Transaction, thread: str) -> list[KnownFinding]:
    """All findings of a thread, oldest first."""
    rows = tx.execute(sa.select(findings).where(_F.thread == thread).order_by(_F.created_ms, _F.id))
    return [_known(row) for row in rows]


def of_audits(tx: Transaction, repository_id: int, state: Standing) -> list[KnownFinding]:
    """The findings of all audits of a repository that are in a state, oldest first."""
    begin = f"{repository_id}:audit:"
    own = sa.and_(_F.thread.startswith(begin, autoescape=True), _F.state == state)
    rows = tx.execute(sa.select(findings).where(own).order_by(_F.created_ms, _F.id))
    return [_known(row) for row in rows]


def dismissed_in(tx: Transaction, repository_id: int, *, last: int) -> list[KnownFinding]:
    """The newest dismissals of a repository, newest first."""
    own = sa.and_(_F.thread.startswith(f"{repository_id}:"), _F.state == Standing.dismissed)
    rows = tx.execute(
        sa.select(findings).where(own).order_by(_F.settled_ms.desc(), _F.id).limit(last)
    )
    return [_known(row) for row in rows]


def remember(
    tx: Transaction,
    thread: str,
    chain_id: str,
    recipe: str,
    new: Iterable[Finding],
    now_ms: int,
    *,
    head: str = "",
) -> list[Finding]:
    """Store the findings that were not known yet as open. One that was fixed or ignored and came back is open again."""
    added = []
    for finding in new:
        mark = fingerprint(finding)
        stated = with_title_digest(finding).model_dump(mode="json")
        values = {
            "id": f"{thread}.{mark}",
            "thread": thread,
            "fingerprint": mark,
            "chain_id": chain_id,
            "recipe": recipe,
            "state": FINDING.first,
            "stated": stated,
            "created_ms": now_ms,
            "head": head,
        }
        back = sa.and_(_F.id == values["id"], _F.state.in_(FINDING.before(_E.find_again)))
        again: dict[str, Any] = {
            "state": after(FINDING, _F.state, _E.find_again),
            "settled_ms": None,
            "chain_id": chain_id,
            "stated": stated,
            "head": head,
        }
        if (
            insert_once(tx, findings, values)
            or tx.execute(findings.update().where(back).values(**again)).rowcount
        ):
            added.append(finding)
    return added


def carry(tx: Transaction, thread: str, finding: Finding, head: str) -> None:
    """Note where an open finding stands at a newer commit. Its name stays."""
    own = sa.and_(
        _F.thread == thread, _F.fingerprint == fingerprint(finding), _F.state == Standing.open
    )
    tx.execute(
        findings.update()
        .where(own)
        .values(stated=with_title_digest(finding).model_dump(mode="json"), head=head)
    )


def settle(
    tx: Transaction,
    thread: str,
    mark: str,
    state: Standing,
    now_ms: int,
    *,
    reason: str = "",
    by: str = "",
) -> bool:
    """Note what became of an open finding. False when it was not open."""
    own = sa.and_(_F.thread == thread, _F.fingerprint == mark, _F.state == Standing.open)
    event = _SETTLES[state]
    values = {
        "state": after(FINDING, _F.state, event),
        "reason": reason,
        "settled_by": by,
        "settled_ms": now_ms,
    }
    return bool(tx.execute(findings.update().where(own).values(**values)).rowcount)


def reopen(tx: Transaction, thread: str, mark: str) -> bool:
    """Take a dismissal back. False when the finding was not dismissed.

    It may have hidden claims of other threads too: so what was read in the repository is to be read again.
    """
    own = sa.and_(_F.thread == thread, _F.fingerprint == mark, _F.state == Standing.dismissed)
    values = {
        "state": after(FINDING, _F.state, _E.reopen),
        "reason": None,
        "settled_by": None,
        "settled_ms": None,
    }
    done = bool(tx.execute(findings.update().where(own).values(**values)).rowcount)
    if done:
        repository = f"{thread.partition(':')[0]}:"
        tx.execute(reviewed.delete().where(reviewed.c.thread.startswith(repository)))
    return done


def ignore_open(tx: Transaction, thread: str, now_ms: int) -> None:
    """A thread was closed: what is open in it was not worth anybody's while."""
    own = sa.and_(_F.thread == thread, _F.state == Standing.open)
    tx.execute(
        findings.update()
        .where(own)
        .values(state=after(FINDING, _F.state, _E.close_thread), settled_ms=now_ms)
    )


def reopen_ignored(tx: Transaction, thread: str) -> None:
    """A thread is open again: so is what was open in it when it was closed."""
    own = sa.and_(_F.thread == thread, _F.state == Standing.ignored)
    tx.execute(
        findings.update()
        .where(own)
        .values(state=after(FINDING, _F.state, _E.reopen_thread), settled_ms=None)
    )


def shares(tx: Transaction, repository_id: int) -> dict[str, Counter[str]]:
    """For each recipe, how many of a repository's findings are in each state."""
    counts: dict[str, Counter[str]] = {}
    own = _F.thread.startswith(f"{repository_id}:")
    columns = (_F.recipe, _F.state, sa.func.count())
    for recipe, state, number in tx.execute(
        sa.select(*columns).where(own).group_by(_F.recipe, _F.state)
    ):
        counts.setdefault(str(recipe), Counter())[str(state)] += int(number)
    return counts


def last_reviewed(tx: Transaction, thread: str) -> ReviewBasis | None:
    """The basis of the last complete review of a thread."""
    row = tx.execute(sa.select(reviewed).where(reviewed.c.thread == thread)).one_or_none()
    return (
        None
        if row is None
        else ReviewBasis(head=row.head, merge_base=row.merge_base, digest=row.digest)
    )


def set_reviewed(tx: Transaction, thread: str, against: ReviewBasis, chain_id: str) -> None:
    """Note that a thread was reviewed whole, and every claim settled."""
    values = {
        "head": against.head,
        "merge_base": against.merge_base,
        "digest": against.digest,
        "chain_id": chain_id,
    }
    if not insert_once(tx, reviewed, {"thread": thread, **values}):
        tx.execute(reviewed.update().where(reviewed.c.thread == thread).values(**values))


def _known(row: sa.Row[Any]) -> KnownFinding:
    finding = Finding.model_validate(row.stated)
    # its comment on GitHub has this name, whatever it is called now
    if fingerprint(finding) != row.fingerprint:
        finding = finding.model_copy(update={"mark": row.fingerprint})
    return KnownFinding(
        row.fingerprint,
        finding,
        Standing(row.state),
        row.reason or "",
        row.settled_by or "",
        row.head,
        row.created_ms,
        row.settled_ms or 0,
        row.thread,
    )
