"""The facts that an audit's plan knows from the start, besides what every chain does."""

from __future__ import annotations

from claude_pool_gh.audits.rows import audit_key
from claude_pool_gh.config.model import Audit
from claude_pool_gh.conversation.audit.going_on import what_is_read
from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.pool.model.ports import HostStepContext


class AuditFacts(ThreadFacts):
    """Stored as the plan's context."""

    name: str
    kind: str
    """Which list of rules it reports by; see `audits.rules.KINDS`."""
    paths: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    """Those of its command that decide what it finds, as they are typed."""
    plan_only: bool = False
    settings: Audit = Audit()
    goes_on_with: str = ""
    """The run before, which ended before it told its result: what it has read is not read again. "" for none."""

    def is_same(self, other: AuditFacts) -> bool:
        """True where two runs read the same commit for the same, whoever asked for them and where."""
        return self._what() == other._what()

    def _what(self) -> tuple[object, ...]:
        where = (self.audit, self.head, self.base_ref)
        return (*where, self.kind, self.paths, self.flags, what_is_read(self.settings))

    @property
    def audit(self) -> str:
        """Names the audit in our rows."""
        return audit_key(self.thread.repository.id, self.name)


def audit_facts(context: HostStepContext) -> AuditFacts:
    """The facts of the chain that a host step belongs to."""
    return facts_of(context.plan.context, AuditFacts)
