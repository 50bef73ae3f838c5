"""The configuration file's form. Its JSON Schema is printed by `claude-pool-gh config schema`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Dollars = Annotated[float, Field(gt=0, le=100_000, description="US dollars")]
RoleName = Literal["read", "triage", "write", "maintain", "admin"]
ModelId = Annotated[str, Field(pattern=r"^claude-[A-Za-z0-9.@-]+$", max_length=80)]


class Section(BaseModel):
    """Base: a key that does not exist is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Budget(Section):
    """Caps, from the narrowest to the widest. No cap is ever passed."""

    task: Annotated[Dollars, Field(description="One agent run")] = 1.0
    chain: Annotated[Dollars, Field(description="One command")] = 3.0
    thread: Annotated[Dollars, Field(description="One issue or pull request, for ever")] = 10.0
    user_day: Annotated[Dollars, Field(description="One user's commands in a day (UTC)")] = 20.0
    repository_month: Annotated[Dollars, Field(description="This repository in a calendar month (UTC)")] = (
        100.0
    )


class Review(Section):
    """How pull requests are reviewed."""

    fail_on: Annotated[
        Literal["never", "low", "medium", "high", "critical"],
        Field(description="Findings of this severity or worse fail the check; else it is neutral"),
    ] = "never"
    most_comments: Annotated[int, Field(ge=1, le=30, description="Inline comments in one review")] = 10
    exclude: Annotated[
        tuple[str, ...], Field(description="Globs of paths that are not read", max_length=100)
    ] = ()
    turns: Annotated[int, Field(ge=1, le=500, description="How often each agent may speak")] = 40


class RepositoryConfig(Section):
    """The whole file; every key has a default, and no file is needed."""

    door: Annotated[
        Literal["app", "action"], Field(description="Who answers commands where both are installed")
    ] = "app"
    model: Annotated[ModelId | None, Field(description="Full id; default: the server's")] = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    budget: Budget = Budget()
    permissions: Annotated[
        dict[str, RoleName], Field(description="Verb -> least role that may use it, never below read")
    ] = Field(default_factory=dict)
    review: Review = Review()
    wall_minutes: Annotated[int, Field(ge=1, le=240, description="Longest time of one agent run")] = 15
    on_error: Annotated[
        Literal["neutral", "failure"], Field(description="The check when the bot itself fails")
    ] = "neutral"
