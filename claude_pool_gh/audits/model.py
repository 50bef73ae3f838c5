"""The values that an audit's parts and its reports exchange: what it plans, what it covers and what it finds.

Money is integer microdollars, times are milliseconds since 1970 (UTC), paths are POSIX from the repository's root.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from claude_pool_gh.findings.model import Finding
from claude_pool_gh.terms.severity import Severity


class SkipReason(StrEnum):
    """The reason why a file is not read. Only `missing` makes an audit partial: the others are decided by rules."""

    binary = "binary"
    generated = "generated"
    vendored = "vendored"
    excluded = "excluded"
    """The configuration leaves it out."""
    too_large = "too large"
    """Above the size that linguist reads too."""
    empty = "empty"
    lfs = "Git LFS pointer"
    link = "symbolic link"
    submodule = "submodule"
    unchanged = "unchanged"
    """An earlier run has read it as it is, and the audit reads only the rest."""
    odd_name = "name that is not UTF-8"
    missing = "missing"
    """The object store lacks its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedFile:
    """A file that is left out, and why; or a folder of which nothing is read, for one and the same reason."""

    path: str
    """Ends with a slash where it is a folder's."""
    reason: SkipReason
    detail: str = ""
    """What decided it, such as a pattern or an attribute; in plain words."""
    overridden: bool = False
    """An attribute of the repository's own decides it, against what its name and content say."""
    files: int = 1
    """How many files it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that can be read: its content's object id, bytes and estimated tokens."""

    path: str
    blob: str
    size: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """The reason why a shard is read before others; a higher score is read earlier. `signals`: the sum's parts."""

    score: float = 0.0
    signals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The part that one agent reads: some files of one commit."""

    id: str
    """Ten hex digits over what it is cut by and its paths: the same files are the same shard."""
    title: str
    """The folder, package or owner that it stands for, for people."""
    paths: tuple[str, ...]
    tokens: int
    size: int
    """Bytes."""
    risk: Risk = Risk()
    unlisted: int = 0
    """Files that belong to it beside `paths`: of shards that are not read, not all are kept."""

    @property
    def files(self) -> int:
        """The number of its files."""
        return len(self.paths) + self.unlisted


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A number that is not known yet: the likely one, and between what it will be in eight of ten runs."""

    low: int
    likely: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The probable needs of an audit, before it has spent anything."""

    tokens: int
    """Tokens of the files; agents read them more than once."""
    cost: Range
    """Microdollars."""
    seconds: Range
    """Of wall time on the slots that there are."""
    runs: int = 0
    """Earlier runs that the prices come from; 0: only published prices of other tools."""


class Cut(StrEnum):
    """By what files are put together."""

    size = "size"
    folder = "folder"
    glob = "glob"
    owner = "owner"
    package = "package"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlan:
    """Everything that is decided before an audit spends: one commit, its shards, and what is left out."""

    audit: str
    repository: str
    """`owner/name`."""
    commit: str
    branch: str
    by: Cut
    shards: tuple[Shard, ...]
    """In the order in which they are read."""
    beyond: tuple[Shard, ...] = ()
    """Shards that the budget does not reach: the result can not be complete."""
    skipped: tuple[SkippedFile, ...] = ()
    estimate: Estimate
    budget: int
    """Microdollars for everything: reading, verifying and merging."""
    slots: int = 1
    only: tuple[str, ...] = ()
    """The paths that were asked for; none: the whole repository."""
    notices: tuple[str, ...] = ()
    """What a maintainer should know of the plan, in sentences, such as a pattern that names no file."""
    unread_since: str = ""
    """The commit of the run before, where only what no run has read as it is now is read; "" where all is."""

    @property
    def files(self) -> int:
        """Files that are to be read."""
        return sum(shard.files for shard in self.shards)


class ShardState(StrEnum):
    """The outcome of a shard."""

    read = "read"
    failed = "failed"
    cut = "cut"
    """It ended early: no money, no turns or no time was left, or the audit was cancelled."""
    not_started = "not started"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """A shard, and what became of it."""

    shard: Shard
    state: ShardState
    reason: str = ""
    """Why it was not read whole, in words."""
    unopened: tuple[str, ...] = ()
    """Files of a part that was read which its agent did not open: nobody read these."""
    stated: int = 0
    """Claims that its agent made."""
    kept: int = 0
    """Claims of it that stand in the code as they were quoted, up to the number that one shard may make."""
    cost: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The files read and those not read, and why. It is a result of its own: no finding says nothing without it."""

    shards: tuple[ShardResult, ...]
    """Those of the plan and those beyond its budget."""
    skipped: tuple[SkippedFile, ...] = ()

    @property
    def read(self) -> tuple[str, ...]:
        """Paths of the files that an agent has opened and answered for."""
        return tuple(
            path
            for each in self.shards
            if each.state is ShardState.read
            for path in each.shard.paths
            if path not in each.unopened
        )

    @property
    def unread(self) -> tuple[str, ...]:
        """Paths of the files that were to be read and were not."""
        return tuple(
            path
            for each in self.shards
            for path in (each.unopened if each.state is ShardState.read else each.shard.paths)
        )

    @property
    def files_read(self) -> int:
        """The number of files that an agent has opened and answered for."""
        return sum(
            each.shard.files - len(each.unopened)
            for each in self.shards
            if each.state is ShardState.read
        )

    @property
    def files_unread(self) -> int:
        """The number of files that were to be read and were not."""
        return sum(each.shard.files for each in self.shards) - self.files_read

    @property
    def whole(self) -> bool:
        """True where everything that was to be read was."""
        read = (each.state is ShardState.read and not each.unopened for each in self.shards)
        return SkipReason.missing not in self.reasons() and all(read)

    def reasons(self) -> Mapping[SkipReason, int]:
        """The number of files that are left out for each reason, the most first."""
        counts: Counter[SkipReason] = Counter()
        for each in self.skipped:
            counts[each.reason] += each.files
        return dict(counts.most_common())


class AuditState(StrEnum):
    """The state of a finding for the run that reports it."""

    new = "new"
    open = "open"
    """An earlier run reported it, and no run has judged it fixed."""
    fixed = "fixed"
    """A run that read its place judged it so."""
    reappeared = "reappeared"
    """It was fixed, and is there again."""
    dismissed = "dismissed"
    """A person with the right to do so said that it is none."""


STANDING: Final = frozenset({AuditState.new, AuditState.open, AuditState.reappeared})
"""States in which a finding counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """One defect over all runs of an audit."""

    id: str
    """Its identity over runs, moved lines and renamed files; what people give to `/pool dismiss` and `/pool fix`."""
    rule: str
    """See `rules.Rule`."""
    finding: Finding
    """As it stands at `commit`. All its text is an agent's."""
    state: AuditState
    commit: str
    """The commit at which its lines are what they are."""
    verified: bool
    """Whether a fresh agent confirmed it; else it was not serious enough, or there was no money for that."""
    reread: bool
    """Whether this run read its place; where not, `state` is what the last run that did says."""
    shard: str = ""
    """The id of the shard that it was found in; "" where this run did not find it."""
    also: tuple[Finding, ...] = ()
    """Other places or statements of the same defect, joined by the judge."""
    first_ms: int = 0
    """When it was found first."""
    settled_ms: int = 0
    """When it was fixed or dismissed; 0: it is not."""
    seen: int = 1
    """How many runs have found it."""
    settled_by: str = ""
    """Who dismissed it."""
    reason: str = ""
    """Why it was dismissed, in that person's words."""
    file_gone: bool = False
    """Its file is gone at the result's commit."""

    @property
    def stands(self) -> bool:
        """True where it counts as open."""
        return self.state in STANDING

    @property
    def severity(self) -> Severity:
        """The severity of its finding."""
        return self.finding.severity


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsettledClaim:
    """A claim of which nobody could say whether it is true; it is named and not counted as a finding."""

    title: str
    path: str
    line: int
    severity: Severity
    reason: str


class Completeness(StrEnum):
    """The extent to which an audit has done its plan."""

    complete = "complete"
    partial = "partial"
    """Something failed, was cut, is beyond the budget or not settled: what is missing says nothing."""
    nothing = "nothing"
    """No shard was read, or there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPoint:
    """An earlier run, for the trend."""

    ended_ms: int
    commit: str
    open: Mapping[Severity, int]
    new: int
    fixed: int
    completeness: Completeness
    cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """The result of an audit, with every finding that it knows, not only those of this run."""

    plan: AuditPlan
    coverage: Coverage
    completeness: Completeness
    findings: tuple[AuditFinding, ...]
    """The worst first; what stands before what is fixed before what is dismissed."""
    unsettled: tuple[UnsettledClaim, ...] = ()
    refuted: int = 0
    """Claims that a fresh agent refuted: counted, not shown."""
    unplaced: int = 0
    """Claims whose quote stands nowhere in the repository."""
    malformed: int = 0
    """Claims without the form asked for."""
    beyond_limit: int = 0
    """Claims that were over the number that one shard may make."""
    unverified: int = 0
    """Serious claims that were not verified since the number or the money for that was used up."""
    cost: int = 0
    cost_is_bound: bool = False
    """Some request's cost is its reserved worst case."""
    started_ms: int
    ended_ms: int
    history: tuple[HistoryPoint, ...] = ()
    """Earlier runs, the oldest first, and this one at the end."""
    problems: tuple[str, ...] = ()
    """Why it is not complete, in sentences."""
    resume: str = ""
    """The command that goes on with what is left; "" where there is none."""
    resume_alone: bool = True
    """Whether it reads what is left and no more; otherwise that first, and the rest again."""
    chain: str = ""
    """The id of the chain that carried it."""

    @property
    def standing(self) -> tuple[AuditFinding, ...]:
        """The findings that are open."""
        return tuple(each for each in self.findings if each.stands)

    def in_state(self, state: AuditState) -> tuple[AuditFinding, ...]:
        """The findings in one state."""
        return tuple(each for each in self.findings if each.state is state)

    def by_severity(self) -> Mapping[Severity, int]:
        """The number of open findings of each severity, the worst first; each severity is there."""
        counts = Counter(each.severity for each in self.standing)
        return {severity: counts[severity] for severity in reversed(Severity)}

    @property
    def unjudged(self) -> int:
        """The number of claims of which nobody could say, or was asked, whether they are true."""
        dropped = self.unplaced + self.malformed + self.beyond_limit
        return len(self.unsettled) + self.unverified + dropped

    @property
    def is_clean(self) -> bool:
        """True where nothing is open and nothing is missing: the only case in which people may be told so."""
        missing = self.completeness is not Completeness.complete or self.problems
        return not (missing or self.standing or self.unjudged)
