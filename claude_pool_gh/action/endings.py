"""Every way in which a job can end: the output `outcome`, and whether the job is red. One table, which a test holds."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from claude_pool_gh.pool.model.outcomes import Verdict


class JobOutcome(StrEnum):
    """The values of `outcome` besides a run's verdicts."""

    nothing = "nothing"
    done = "done"
    awaiting_approval = "awaiting_approval"
    refused = "refused"
    misconfigured = "misconfigured"
    not_posted = "not_posted"
    unfinished = "unfinished"


RED: Final[dict[str, bool]] = {
    Verdict.clean: False,
    Verdict.findings: False,  # from the configured severity up, the check is a failure, and the job with it
    Verdict.unsettled: False,
    Verdict.answered: False,
    Verdict.skipped: False,
    Verdict.quota: True,
    Verdict.out_of_budget: True,
    Verdict.out_of_turns: True,
    Verdict.cancelled: False,  # by a person; a job that is stopped from outside is red by itself
    Verdict.failed: True,
    JobOutcome.nothing: False,
    JobOutcome.done: False,
    JobOutcome.awaiting_approval: False,
    JobOutcome.refused: False,
    JobOutcome.misconfigured: True,
    JobOutcome.not_posted: True,
    JobOutcome.unfinished: False,  # the next job goes on with it
}
"""By outcome: whether the job could not do what it should have done."""

HOW: Final[dict[str, str]] = {
    Verdict.quota: "The model's API has no quota left for this key. Run the command again when it has.",
    Verdict.out_of_budget: (
        "Raise the caps under `budget` in .github/claude-pool.yml, or the input `budget_usd`; what is too large for "
        "one review whatever it costs is read in parts, with `/pool review PATH`."
    ),
    Verdict.out_of_turns: "Raise `turns` in .github/claude-pool.yml, or ask with `--turns N`.",
    Verdict.failed: "The comment in the thread says why; fix that, and run the command again.",
}
"""What to do about a run that ended so."""


def of_answer(answer: str) -> str:
    """The outcome of a command that started nothing, from what our rows say of it."""
    match answer.partition(":")[0]:
        case "answered" | "joined":
            return Verdict.answered
        case "done":
            return JobOutcome.done
        case "refused":
            return JobOutcome.refused
        case "silence":
            return JobOutcome.nothing
        case _:
            return Verdict.failed


def joint(outcomes: Iterable[str]) -> str:
    """One word for several commands: what is red first, then what was refused, then the last."""
    every = list(outcomes)
    for matters in (lambda word: RED[word], lambda word: word == JobOutcome.refused):
        if found := [word for word in every if matters(word)]:
            return found[0]
    told = [
        word
        for word in every
        if word not in (JobOutcome.nothing, Verdict.answered, JobOutcome.done)
    ]
    return (told or every or [JobOutcome.nothing])[-1]
