"""The configuration file's form. Its JSON Schema is printed by `claude-pool-gh config schema`."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator, model_validator

from claude_pool_gh.terms import schedules

Whole = Annotated[int, Strict()]
"""A number, as the JSON Schema has it: `yes` and `true` are none, also where somebody takes it for a switch."""
Dollars = Annotated[float, Strict(), Field(gt=0, le=100_000, description="US dollars")]
RoleName = Literal["read", "triage", "write", "maintain", "admin"]
ModelId = Annotated[str, Field(pattern=r"^claude-[A-Za-z0-9.@-]+$", max_length=80)]
Globs = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=100)
]


class Section(BaseModel):
    """Base: a key that does not exist is an error, never ignored."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        defer_build=True,  # the whole is built once, at its first use, and the parts with it
    )


class Budget(Section):
    """Caps in US dollars, from the narrowest to the widest. No cap is ever exceeded."""

    task: Annotated[Dollars, Field(description="One agent run")] = 1.0
    chain: Annotated[Dollars, Field(description="One command")] = 3.0
    thread: Annotated[
        Dollars, Field(description="One issue or pull request, over its whole lifetime")
    ] = 10.0
    user_day: Annotated[Dollars, Field(description="One user's commands in a day (UTC)")] = 20.0
    repository_month: Annotated[
        Dollars, Field(description="This repository in a calendar month (UTC)")
    ] = 100.0


class Limits(Section):
    """Commands per hour. Beyond the limit the bot says so once an hour and otherwise stays silent."""

    user_hour: Annotated[
        Whole, Field(ge=1, le=10_000, description="One user's commands in an hour")
    ] = 30
    thread_hour: Annotated[
        Whole, Field(ge=1, le=10_000, description="Commands in one thread in an hour")
    ] = 60


class Triggers(Section):
    """The triggers of commands besides comments. The person who caused one needs the verb's role."""

    labels: Annotated[bool, Field(description="A label `pool:VERB` runs that verb")] = True
    opened: Annotated[
        bool, Field(description="Review a pull request when it is opened, drafts excepted")
    ] = False
    ready_for_review: Annotated[
        bool, Field(description="Review a draft pull request when it becomes ready for review")
    ] = False


class Review(Section):
    """The way in which pull requests are reviewed."""

    fail_on: Annotated[
        Literal["never", "low", "medium", "high", "critical"],
        Field(description="Findings of this severity or worse fail the check; else it is neutral"),
    ] = "never"
    most_comments: Annotated[
        Whole, Field(ge=1, le=30, description="Inline comments in one review")
    ] = 10
    exclude: Annotated[
        Globs, Field(description="Paths that are not read; patterns as in CODEOWNERS")
    ] = ()
    turns: Annotated[Whole, Field(ge=1, le=500, description="Maximum turns of each agent")] = 40
    on_push: Annotated[
        bool,
        Field(description="When the head moves, cancel a running review and review the new head"),
    ] = False


class Check(Section):
    """A command of the repository's own that says by its exit status whether a change is good."""

    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$", description="Its name in comments"),
    ]
    run: Annotated[
        str, Field(min_length=1, max_length=2_000, description="Shell command, at the top")
    ]
    minutes: Annotated[Whole, Field(ge=1, le=60, description="Maximum minutes")] = 10


class Changes(Section):
    """The limits of `fix`, `implement` and workflows that change files, and who approves what they do."""

    approvals: Annotated[
        Whole, Field(ge=1, le=10, description="People who must approve the same patch")
    ] = 1
    four_eyes: Annotated[
        bool, Field(description="The requester of a change does not count as an approver")
    ] = False
    codeowners: Annotated[
        bool, Field(description="A code owner of every changed path must be among the approvers")
    ] = False
    protected: Annotated[
        Globs,
        Field(
            description="Paths, written as in CODEOWNERS, that need a second approver in addition to the built-in ones"
        ),
    ] = ()
    protected_approvals: Annotated[
        Whole,
        Field(ge=1, le=10, description="People who must approve what touches protected paths"),
    ] = 2
    max_rejections: Annotated[
        Whole, Field(ge=1, le=20, description="The rejection with this number ends the chain")
    ] = 3
    most_files: Annotated[
        Whole, Field(ge=1, le=1000, description="Files that one change may touch")
    ] = 50
    most_lines: Annotated[
        Whole, Field(ge=1, le=100_000, description="Lines that one change may add and remove")
    ] = 2_000
    checks: Annotated[
        tuple[Check, ...],
        Field(
            max_length=10,
            description="What the server runs on a change before people decide, in a sandbox without network access",
        ),
    ] = ()
    draft: Annotated[
        bool,
        Field(
            description="`fix` opens a draft pull request into the branch, so that the repository's own CI checks it"
        ),
    ] = False
    branches: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9_-]+)*/$",
            max_length=60,
            description="Prefix of new branches",
        ),
    ] = "pool/"
    turns: Annotated[Whole, Field(ge=1, le=500, description="Maximum turns of each agent")] = 60

    @field_validator("checks")
    @classmethod
    def _told_apart(cls, checks: tuple[Check, ...]) -> tuple[Check, ...]:
        twice = [
            name for name, times in Counter(check.name for check in checks).items() if times > 1
        ]
        if twice:
            raise ValueError(f"more than one check is called {twice[0]}")
        return checks


class AuditSchedule(Section):
    """The times when an audit starts by itself."""

    cron: Annotated[
        str,
        Field(
            max_length=100,
            description="Minute, hour, day of the month, month, day of the week; at least 15 minutes apart",
        ),
    ]
    timezone: Annotated[
        str, Field(max_length=64, description="A name such as Europe/Berlin; UTC where none fits")
    ]

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        schedules.parsed(self.cron, self.timezone)
        return self


class Audit(Section):
    """One audit of the whole repository: what it reads, how it is cut, and what it may cost."""

    kind: Annotated[
        Literal["defects", "security", "tests", "docs", "dead-code"] | None,
        Field(description="What it looks for; default: its name, or defects"),
    ] = None
    workflow: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z][a-z0-9_-]{0,63}$",
            description="A workflow of the repository's own in place of the built-in one",
        ),
    ] = None
    paths: Annotated[Globs, Field(description="Paths that are read; none: all")] = ()
    exclude: Annotated[
        Globs, Field(description="Paths that are not read; patterns as in CODEOWNERS")
    ] = ()
    by: Annotated[
        Literal["size", "folder", "glob", "owner", "package"],
        Field(
            description="What no two parts share: nothing, a top-level folder, a pattern of `paths`, owner, package"
        ),
    ] = "size"
    slots: Annotated[Whole, Field(ge=1, le=64, description="Most agents at the same time")] = 4
    budget: Annotated[
        Dollars | None, Field(description="Cap of one run; default: that of a command")
    ] = None
    over_budget: Annotated[
        Literal["riskiest", "refuse"],
        Field(description="Above the budget: read the parts with the most risk, or nothing"),
    ] = "riskiest"
    when: Annotated[
        Literal["always", "changed"],
        Field(description="`changed`: read only what no earlier run has read as it is now"),
    ] = "always"
    turns: Annotated[Whole, Field(ge=1, le=500, description="Maximum turns of each agent")] = 60
    code_scanning: Annotated[
        bool,
        Field(
            description="Upload what is open to GitHub's code scanning; needs `security_events: write` of the token"
        ),
    ] = False
    schedule: Annotated[
        AuditSchedule | None,
        Field(description="When the server starts it by itself; none: only when it is asked"),
    ] = None


AuditName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class RepositoryConfig(Section):
    """The whole file; every key has a default, and no file is needed."""

    runs_in: Annotated[
        Literal["app", "action"], Field(description="Who answers commands where both are installed")
    ] = "app"
    model: Annotated[
        ModelId | None,
        Field(description="Full id; default: the server's, or the Action's input `model`"),
    ] = None
    effort: Annotated[
        Literal["low", "medium", "high", "xhigh", "max"] | None,
        Field(description="How hard the model thinks; default: the model's own"),
    ] = None
    budget: Budget = Budget()
    limits: Limits = Limits()
    permissions: Annotated[
        dict[str, RoleName],
        Field(description="Verb -> lowest role that may use it, never below read"),
    ] = Field(default_factory=dict)
    bots: Annotated[
        tuple[Annotated[Whole, Field(gt=0)], ...],
        Field(
            description="Numeric ids of Apps' bot accounts that may give commands; each counts as triage"
        ),
    ] = ()
    outsiders: Annotated[
        Literal["ask", "trust"],
        Field(
            description="`ask`: agents run on a pull request from someone without write only after `/pool ok SHA`"
        ),
    ] = "ask"
    triggers: Triggers = Triggers()
    review: Review = Review()
    changes: Changes = Changes()
    audits: Annotated[
        dict[AuditName, Audit],
        Field(max_length=50, description="Name -> audit, for `/pool audit NAME`"),
    ] = Field(default_factory=dict)
    wall_minutes: Annotated[
        Whole, Field(ge=1, le=240, description="Maximum minutes of one agent run")
    ] = 15
    on_error: Annotated[
        Literal["neutral", "failure"],
        Field(description="Conclusion of the check when the bot itself fails"),
    ] = "neutral"
    notify: Annotated[
        bool,
        Field(
            description="Mention the requester when a command has ended without posting a review or an answer"
        ),
    ] = True
