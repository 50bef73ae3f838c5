"""`/pool audit --status`, `--stop` and `--resume`: what schedules there are, and whether they go on."""

from __future__ import annotations

from typing import Final, Literal

from claude_pool_gh.audits import schedule_rows
from claude_pool_gh.audits.outputs.summary import when_next
from claude_pool_gh.conversation.audit.live import end_ended
from claude_pool_gh.conversation.audit.publish import next_run
from claude_pool_gh.conversation.audit.scheduler import schedules_of
from claude_pool_gh.conversation.audit.since import bring_up_to_date
from claude_pool_gh.conversation.services import Act, ActResult, CommandContext, Services
from claude_pool_gh.reports.audits import ScheduleLine, no_schedule, schedules
from claude_pool_gh.storage import Transaction

Control = Literal["status", "stop", "resume"]
CONTROLS: Final[tuple[Control, ...]] = ("status", "stop", "resume")


def control(services: Services, asked: CommandContext, what: Control, name: str) -> Act:
    """Do it, and say how all schedules of the repository stand then. It costs nothing."""
    repository, by = asked.thread.repository.id, asked.request.actor.login
    configured = schedules_of(asked.config)

    def do(tx: Transaction) -> ActResult:
        now = services.clock.now_ms()
        end_ended(tx)
        for audit, schedule in configured.items():
            schedule_rows.remember(tx, repository, audit, schedule, now)
        schedule_rows.forget_others(tx, repository, configured)
        if what != "status" and name not in configured:
            return no_schedule(name), None
        if what == "stop":
            schedule_rows.stop(tx, repository, name, by)
        elif what == "resume":
            schedule_rows.resume(tx, repository, name, now)
        for audit in configured:
            bring_up_to_date(tx, asked.thread.repository, audit, now)
        lines = [
            ScheduleLine(
                name=each.audit,
                running=bool(each.record.live_run),
                told=tuple(when_next(next_run(each, now))),
            )
            for each in schedule_rows.of_repository(tx, repository)
            if each.schedule is not None or each.record.live_run
        ]
        return schedules(lines), None

    return Act(do)
