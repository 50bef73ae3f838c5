"""The schedules of audits as rows: who carries out a decision, when several processes have made it.

A decision is made of a row as it was read. It is carried out by one update that names all that the decision rests on:
of any number of processes one succeeds, and the others change nothing. So at most one run of an audit is live, whoever
begins it: a due time, or a person.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.audits.schedule import (
    Begin,
    PassedOver,
    PassOver,
    ScheduleRecord,
    next_start,
    scatter_ms,
)
from claude_pool_gh.storage import Transaction, insert_once, metadata
from claude_pool_gh.terms.schedules import Schedule

audit_schedules: Final = sa.Table(
    "audit_schedules",
    metadata,
    sa.Column("repository_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("audit", sa.String(64), primary_key=True),
    # As it was read last, "" where the audit has no schedule. Another one begins anew, and misses nothing of this one.
    sa.Column("cron", sa.String(100), nullable=False),
    sa.Column("timezone", sa.String(64), nullable=False),
    # When it is to be looked at again; none where nothing comes by itself.
    sa.Column("look_ms", sa.BigInteger),
    sa.Column("last_due_ms", sa.BigInteger, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    # The key of the command whose run is live, and what it is to read.
    sa.Column("live_run", sa.String(160), nullable=False),
    sa.Column("live_digest", sa.String(64), nullable=False),
    sa.Column("stopped", sa.Boolean, nullable=False),
    sa.Column("stopped_by", sa.String(100), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("unchanged", sa.Integer, nullable=False),
    sa.Column("passed_ms", sa.BigInteger, nullable=False),
    sa.Column("passed_why", sa.String(200), nullable=False),
    sa.Column("missed", sa.Integer, nullable=False),
    sa.Index("ix_audit_schedules_look_ms", "look_ms"),
    sa.Index("ix_audit_schedules_live_run", "live_run"),
)
_S: Final = audit_schedules.c
_NOTHING: Final = {
    "cron": "",
    "timezone": "",
    "look_ms": None,
    "last_due_ms": 0,
    "generation": 0,
    "live_run": "",
    "live_digest": "",
    "stopped": False,
    "stopped_by": "",
    "digest": "",
    "unchanged": 0,
    "passed_ms": 0,
    "passed_why": "",
    "missed": 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledAudit:
    """An audit of a repository, with its schedule if it has one, and what is known of both."""

    repository_id: int
    audit: str
    schedule: Schedule | None
    record: ScheduleRecord
    look_ms: int | None = None

    @property
    def scatter(self) -> int:
        """The time from a due time to its start, in milliseconds."""
        if self.schedule is None:
            return 0
        return scatter_ms(self.schedule, self.repository_id, self.audit)

    def next_start(self, now_ms: int) -> int | None:
        """The time when its next run is to start; None where nothing comes by itself."""
        if self.schedule is None:
            return None
        return next_start(self.schedule, self.record, now_ms, self.scatter)


def remember(
    tx: Transaction, repository_id: int, audit: str, schedule: Schedule | None, now_ms: int
) -> bool:
    """Keep an audit's schedule as it is configured now; True where it was another one.

    A new or another one is due only after this moment.
    """
    insert_once(
        tx,
        audit_schedules,
        _NOTHING | {"repository_id": repository_id, "audit": audit, "last_due_ms": now_ms},
    )
    cron, timezone = ("", "") if schedule is None else (schedule.cron, schedule.timezone)
    same = sa.and_(_S.cron == cron, _S.timezone == timezone)
    another = sa.and_(_own(repository_id, audit), sa.not_(same))
    later = _look(repository_id, audit, schedule, now_ms)
    values = {"cron": cron, "timezone": timezone, "last_due_ms": now_ms} | later
    changed = tx.execute(audit_schedules.update().where(another).values(**values)).rowcount
    if schedule is not None:
        _set_back(tx, repository_id, audit, schedule, now_ms)
    return bool(changed)


def forget_others(tx: Transaction, repository_id: int, audits: Collection[str]) -> list[str]:
    """Take the schedule of every audit that a repository does not configure any more; which. What runs goes on."""
    others = sa.and_(
        _S.repository_id == repository_id, _S.audit.not_in(list(audits)), _S.cron != ""
    )
    names = [str(each) for each in tx.execute(sa.select(_S.audit).where(others)).scalars()]
    values = {"cron": "", "timezone": "", "look_ms": None}
    tx.execute(audit_schedules.update().where(others).values(**values))
    return names


def get(tx: Transaction, repository_id: int, audit: str) -> ScheduledAudit | None:
    """One audit; None where nothing is known of it."""
    row = tx.execute(sa.select(audit_schedules).where(_own(repository_id, audit))).one_or_none()
    return None if row is None else _read(row)


def of_repository(tx: Transaction, repository_id: int) -> list[ScheduledAudit]:
    """All that is known of a repository's audits, by name."""
    own = sa.select(audit_schedules).where(_S.repository_id == repository_id).order_by(_S.audit)
    return [_read(row) for row in tx.execute(own)]


def to_look_at(tx: Transaction, now_ms: int, most: int = 50) -> list[ScheduledAudit]:
    """Audits for which something is to be decided now, the oldest first."""
    due = sa.select(audit_schedules).where(_S.look_ms <= now_ms)
    return [_read(row) for row in tx.execute(due.order_by(_S.look_ms, _S.audit).limit(most))]


def live(tx: Transaction) -> list[ScheduledAudit]:
    """Audits of which a run is live, as far as is known here."""
    return [_read(row) for row in tx.execute(sa.select(audit_schedules).where(_S.live_run != ""))]


def begin(
    tx: Transaction, seen: ScheduledAudit, due: Begin, run: str, digest: str, now_ms: int
) -> bool:
    """Let a run begin for a due time. False where another process was first, or anything is not as it was seen."""
    values = {
        "last_due_ms": due.due_ms,
        "live_run": run,
        "live_digest": digest,
        "generation": _S.generation + 1,
        "missed": due.missed,
        "passed_ms": 0,
        "passed_why": "",
    }
    return _set(tx, seen, due.due_ms, values | _look_of(seen, due.due_ms, now_ms))


def pass_over(
    tx: Transaction, seen: ScheduledAudit, passed: PassOver, now_ms: int, *, words: str = ""
) -> bool:
    """Do nothing at a due time, and say why. False as for `begin`. `words`: a reason of another kind."""
    values: dict[str, Any] = {
        "last_due_ms": passed.due_ms,
        "passed_ms": passed.due_ms,
        "passed_why": (words or passed.why.value)[:200],
    }
    if passed.why is PassedOver.unchanged and not words:
        values["unchanged"] = _S.unchanged + 1
    return _set(tx, seen, passed.due_ms, values | _look_of(seen, passed.due_ms, now_ms))


def look_again(tx: Transaction, seen: ScheduledAudit, at_ms: int | None) -> None:
    """Decide at another moment; nothing is dealt with."""
    where = sa.and_(_own(seen.repository_id, seen.audit), _as_seen(seen))
    tx.execute(audit_schedules.update().where(where).values(look_ms=at_ms))


def take(tx: Transaction, repository_id: int, audit: str, run: str, now_ms: int) -> bool:
    """Let a run begin that a person asked for. False where one is live; the same run may ask again."""
    insert_once(
        tx,
        audit_schedules,
        _NOTHING | {"repository_id": repository_id, "audit": audit, "last_due_ms": now_ms},
    )
    free = sa.and_(_own(repository_id, audit), _S.live_run == "")
    values = {"live_run": run, "live_digest": "", "generation": _S.generation + 1}
    if tx.execute(audit_schedules.update().where(free).values(**values)).rowcount:
        return True
    standing = tx.execute(sa.select(_S.live_run).where(_own(repository_id, audit))).scalar_one()
    return bool(standing == run)


def end(tx: Transaction, run: str, *, complete: bool) -> bool:
    """A run is over. False where it was not live. Only what a complete one has read counts as read."""
    own = sa.and_(_S.live_run == run, _S.live_run != "")
    values: dict[str, Any] = {"live_run": "", "live_digest": ""}
    if complete:
        values |= {"digest": _S.live_digest, "unchanged": 0}
    return bool(tx.execute(audit_schedules.update().where(own).values(**values)).rowcount)


def stop(tx: Transaction, repository_id: int, audit: str, by: str) -> bool:
    """Let nothing begin by itself until `resume`. False where there is no schedule, or it is stopped already."""
    going = sa.and_(_own(repository_id, audit), _S.cron != "", sa.not_(_S.stopped))
    values = {"stopped": True, "stopped_by": by[:100], "look_ms": None}
    return bool(tx.execute(audit_schedules.update().where(going).values(**values)).rowcount)


def resume(tx: Transaction, repository_id: int, audit: str, now_ms: int) -> bool:
    """Let a stopped schedule go on from now: nothing is made up for. False where it is not stopped."""
    seen = get(tx, repository_id, audit)
    if seen is None or not seen.record.stopped:
        return False
    values: dict[str, Any] = {"stopped": False, "stopped_by": "", "last_due_ms": now_ms}
    values |= _look(repository_id, audit, seen.schedule, now_ms)
    stopped = sa.and_(_own(repository_id, audit), _S.stopped)
    return bool(tx.execute(audit_schedules.update().where(stopped).values(**values)).rowcount)


def _set_back(
    tx: Transaction, repository_id: int, audit: str, schedule: Schedule, now_ms: int
) -> None:
    """Decide anew if the clock was set back. Only the next due time may have been dealt with before that."""
    seen, coming = get(tx, repository_id, audit), schedule.next_after(now_ms)
    if seen is None or seen.look_ms is None or coming is None:
        return
    last = min(seen.record.last_due_ms, coming)
    record = replace(seen.record, last_due_ms=last)
    start = next_start(schedule, record, now_ms, seen.scatter)
    if start is not None and start < seen.look_ms:
        where = sa.and_(_own(repository_id, audit), _as_seen(seen))
        tx.execute(audit_schedules.update().where(where).values(last_due_ms=last, look_ms=now_ms))


def _own(repository_id: int, audit: str) -> sa.ColumnElement[bool]:
    return sa.and_(_S.repository_id == repository_id, _S.audit == audit)


def _as_seen(seen: ScheduledAudit) -> sa.ColumnElement[bool]:
    """A condition that is true where all that a decision rests on is as it was read."""
    record, schedule = seen.record, seen.schedule
    return sa.and_(
        _S.cron == (schedule.cron if schedule else ""),
        _S.timezone == (schedule.timezone if schedule else ""),
        _S.generation == record.generation,
        _S.last_due_ms == record.last_due_ms,
        _S.live_run == record.live_run,
        _S.stopped == record.stopped,
    )


def _set(tx: Transaction, seen: ScheduledAudit, due_ms: int, values: dict[str, Any]) -> bool:
    where = sa.and_(_own(seen.repository_id, seen.audit), _as_seen(seen), _S.last_due_ms < due_ms)
    return bool(tx.execute(audit_schedules.update().where(where).values(**values)).rowcount)


def _look(
    repository_id: int, audit: str, schedule: Schedule | None, last_due_ms: int
) -> dict[str, int | None]:
    fresh = ScheduledAudit(
        repository_id=repository_id,
        audit=audit,
        schedule=schedule,
        record=ScheduleRecord(last_due_ms=last_due_ms),
    )
    return {"look_ms": fresh.next_start(last_due_ms)}


def _look_of(seen: ScheduledAudit, due_ms: int, now_ms: int) -> dict[str, int | None]:
    return _look(seen.repository_id, seen.audit, seen.schedule, max(due_ms, now_ms - seen.scatter))


def _read(row: sa.Row[Any]) -> ScheduledAudit:
    return ScheduledAudit(
        repository_id=row.repository_id,
        audit=row.audit,
        schedule=Schedule(row.cron, row.timezone) if row.cron else None,
        look_ms=row.look_ms,
        record=ScheduleRecord(
            last_due_ms=row.last_due_ms,
            generation=row.generation,
            live_run=row.live_run,
            stopped=row.stopped,
            stopped_by=row.stopped_by,
            digest=row.digest,
            unchanged=row.unchanged,
            passed_ms=row.passed_ms,
            passed_why=row.passed_why,
            missed=row.missed,
        ),
    )
