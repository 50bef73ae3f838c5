"""The contents of a report, already decided: plain frozen values, filled by `conversation`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from claude_pool_gh.findings.model import Finding
from claude_pool_gh.pool.model.caps import CapUse
from claude_pool_gh.pool.model.outcomes import Outcome
from claude_pool_gh.terms.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One step in the table of steps."""

    name: str
    state: str
    detail: str = ""
    failed: int = 0
    """How many of its runs failed; a step can be done although some did."""
    model: str = ""
    elapsed_ms: int | None = None
    cost: int = 0
    upper_bound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The things that one agent looked at."""

    task: str
    files: Sequence[str] = ()
    searches: Sequence[str] = ()
    denied: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Money, in microdollars."""

    spent: int
    upper_bound: bool
    cap: int
    usual: tuple[int, int] | None = None
    thread: int | None = 0
    """None where the run does not count against the thread's cap."""
    month: int = 0
    caps: Sequence[CapUse] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A claim that is not shown as a finding of this run, and why."""

    title: str
    path: str = ""
    line: int = 0
    severity: Severity | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewReport:
    """The result of a review, before it becomes words."""

    files: int = 0
    inline: Sequence[Finding] = ()
    more: Sequence[Finding] = ()
    """Confirmed in the diff, beyond the most that are posted inline."""
    outside: Sequence[Finding] = ()
    standing: Sequence[Finding] = ()
    """Posted by an earlier run and still in the code at this head."""
    known: int = 0
    """How many claims repeat what is open already."""
    unsettled: Sequence[Remark] = ()
    """Claims that are neither confirmed nor refuted: not placed, unsure, not verified, over a limit."""
    unchecked: Sequence[Remark] = ()
    """Open findings whose code has changed and of which nobody could say whether they are fixed: they stay open."""
    refuted: Sequence[Remark] = ()
    before: Sequence[Remark] = ()
    """True, but there before this change."""
    hidden: Sequence[Remark] = ()
    """Stated again although a maintainer has dismissed exactly that; the reason is the maintainer's."""
    unopened: Sequence[str] = ()
    """Parts of the change whose reader opened no file, or not a file whose diff was cut."""
    left_out: Sequence[str] = ()
    generated: Sequence[str] = ()
    """Changed and not read, since a list of ours takes them for a program's work: nobody who knows has said so."""
    without_lines: Sequence[str] = ()
    """What is changed without a changed line: another mode or name, an empty file."""
    since: str = ""
    """The commit up to which an earlier review has read everything, where only what came later was read now."""
    unread: Sequence[str] = ()
    fixed: Sequence[Finding] = ()
    """Posted by an earlier run, and fixed at this head as a second reader says."""
    note: str = ""
    """What a reader must know of it, such as that the head has moved."""
    posted: bool = True
    """Whether the inline findings stand as a review; else the comment lists them."""

    @property
    def new(self) -> tuple[Finding, ...]:
        """The findings that this run confirmed, the worst first."""
        return _worst_first((*self.inline, *self.more, *self.outside))

    @property
    def confirmed(self) -> tuple[Finding, ...]:
        """All that is known to be wrong at this head, the worst first."""
        return _worst_first((*self.new, *self.standing))


def _worst_first(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=lambda finding: -finding.severity.rank))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Lines of a file, at the commit that was read."""

    path: str
    start: int
    end: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReport:
    """An answer in an agent's words."""

    text: str
    links: Sequence[Link] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageReport:
    """The sorting of an issue."""

    summary: str
    labels: Sequence[str] = ()
    missing: Sequence[str] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class FileChange:
    """The changes of a patch to one file, as the host counts them."""

    path: str
    added: int
    removed: int
    note: str = ""
    """`new`, `deleted`, `binary`, `renamed from ...`, `mode ...`."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A random token that a patch adds: perhaps a secret, which whoever approves the patch must know."""

    path: str
    line: int
    begins: str
    length: int


class ChangeStatus(StrEnum):
    """The status of a change on its way out."""

    waiting = "waiting"
    writing = "writing"
    pushed = "pushed"
    proposed = "proposed"
    refused = "refused"
    patch_only = "patch_only"
    nothing = "nothing"


class CheckEnd(StrEnum):
    """The result of one of the repository's own checks on a change."""

    passed = "passed"
    failed = "failed"
    """It fails with the change, and passes without it."""
    failed_before = "failed_before"
    """It does not pass without the change either: it proves nothing."""
    timed_out = "timed_out"
    flooded = "flooded"
    out_of_memory = "out_of_memory"
    not_run = "not_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One of the repository's own checks, as the host ran it."""

    name: str
    end: CheckEnd
    status: int | None = None
    """Its exit status, where it exited."""
    elapsed_ms: int = 0
    output: str = ""
    """The end of what it printed where it did not pass: a stranger's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeReport:
    """A change that an agent made: the host's facts, and apart from them what the agent says."""

    files: Sequence[FileChange]
    protected: Sequence[str]
    parent: str
    digest: str
    branch: str
    """Where it goes: the pull request's branch, or a new one."""
    fate: ChangeStatus
    opens_pull: bool = False
    """It goes out as a pull request of its own."""
    by_job: bool = False
    """It would be pushed with the own token of a job of GitHub Actions, which GitHub lets do less than an App's."""
    commit: str = ""
    """What goes out, or went out; made when it was approved."""
    gate: str = ""
    approved_by: Sequence[str] = ()
    still_needed: str = ""
    """What the policy still asks for before the gate opens."""
    stale: str = ""
    """Why the gate cannot be opened any more."""
    refused: str = ""
    pull: int | None = None
    """The pull request that was opened for it."""
    checked: Sequence[CheckResult] = ()
    """The repository's own checks that the host ran on it."""
    checks: str = ""
    """Why none was run, and what will check it else: the host's words."""
    rejections: int = 0
    most_rejections: int = 0
    suspects: Sequence[Suspect] = ()
    """Random tokens that it adds."""
    patch: str = ""
    """The patch itself, where it is to be shown."""
    download: str = ""
    title: str = ""
    prose: str = ""
    questions: Sequence[str] = ()
    """What the agent asks instead of changing anything."""

    @property
    def added(self) -> int:
        """Lines added in all."""
        return sum(file.added for file in self.files)

    @property
    def removed(self) -> int:
        """Lines removed in all."""
        return sum(file.removed for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandInReport:
    """The work that an agent handed in at a workflow's own gate, without a patch of its own."""

    text: str
    gate: str
    approved_by: Sequence[str] = ()
    still_needed: str = ""
    stale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """The result of an audit, or what it would do, as its tracking comment shows it."""

    name: str
    planned: bool = False
    """Only the plan was asked for: nothing was read."""
    complete: bool = False
    files_read: int = 0
    files_unread: int = 0
    files_skipped: int = 0
    shards_read: int = 0
    shards: int = 0
    tokens: int = 0
    cost: tuple[int, int, int] = (0, 0, 0)
    """What it will cost by its estimate: low, likely, high, in microdollars."""
    seconds: tuple[int, int, int] = (0, 0, 0)
    runs: int = 0
    """Earlier runs that the estimate comes from."""
    beyond: int = 0
    """Files that the budget does not reach."""
    first: Sequence[str] = ()
    """The parts that are read first, in words."""
    skipped: Sequence[tuple[str, int]] = ()
    """Why files are left out, and how many."""
    standing: Sequence[Finding] = ()
    """The worst of what is open, the worst first."""
    open: Sequence[tuple[Severity, int]] = ()
    """How many are open of each severity, the worst first."""
    new: int = 0
    fixed: int = 0
    reappeared: int = 0
    unsettled: Sequence[Remark] = ()
    refuted: int = 0
    problems: Sequence[str] = ()
    """Why it is not complete, in sentences."""
    issue: int | None = None
    """The number of the report issue, where there is one."""

    @property
    def total(self) -> int:
        """The number of open findings."""
        return sum(number for _, number in self.open)


Report = AuditReport | ReviewReport | AnswerReport | TriageReport | ChangeReport | HandInReport


@dataclass(frozen=True, slots=True)
class Place:
    """A chain's place in the line, while it waits for a slot."""

    number: int
    busy: int
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumable:
    """The rest of a chain that ended early: the command that goes on with it, and what it had changed so far."""

    command: str
    files: Sequence[FileChange] = ()
    saved: bool = False
    """Whether it had finished runs, which are not paid for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retargeted:
    """A pull request that goes into another branch than the one that its change was read against."""

    read: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One chain as its tracking comment shows it."""

    chain_id: str
    verb: str
    head: str
    requester: str
    intent: str
    """What it will do, in one sentence."""
    name: str = ""
    """What the comment is headed with instead of the verb, such as the workflow's name."""
    home: str = ""
    """The repository's page; "" where nothing is linked."""
    steps: Sequence[StepLine]
    bill: Bill
    outcome: Outcome | None = None
    waits: bool = False
    """It waits for a person."""
    elapsed_ms: int = 0
    report: Report | None = None
    place: Place | None = None
    stale: str = ""
    """The head that the thread has now, where it is not the one that is being read."""
    against: Retargeted | None = None
    """The base that it is read against, where the pull request goes into another one now."""
    kept: Resumable | None = None
    warnings: Sequence[str] = ()
    """The host's own words about money and permissions."""
    download: str = ""
    """Where all of it can be had, if anywhere."""
    looked: Sequence[Evidence] = ()
    earlier: Sequence[str] = field(default_factory=tuple)
    """Earlier runs in this thread, one line each, the newest first."""
