"""The words for a job that does not know what earlier ones did, and those for one whose work is not kept either."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.reports.neutralize import neutralize_line

_LONGEST_BODY: Final = 65_000
"""Characters. GitHub takes 65,536, and our marker follows."""
_LONGEST_REASON: Final = 200


NO_KEY: Final = "without a stored key it has nothing to sign a state with"
"""Why a job with federation is alone: a state that nobody has signed could be anybody's."""


def told_alone(why: str) -> str:
    """One line for the thread and the job's page. `why`: what kept the job from holding its thread."""
    reason = f" ({neutralize_line(why[:_LONGEST_REASON])})" if why else ""
    lacks = "`contents: write` among the job's permissions"
    if why == NO_KEY:
        lacks = "the input `state_key` (a secret from `openssl rand -hex 32`)"
    return (
        f"*This job knows nothing of earlier ones, and nothing of it is kept for the next{reason}. With {lacks}, "
        "jobs know of each other, and `fix` and `implement` can wait for an approval.*"
    )


_SO: Final = "So this job knows nothing of them, and of patches that wait; what stands on GitHub is not made again."
BEGUN_ANEW: Final = (
    f"*What earlier jobs have kept here could not be used: it is damaged, or none of theirs. {_SO}*"
)
OTHER_KEY: Final = (
    "*What earlier jobs have kept here was not accepted: it is not signed with this job's key, made from the "
    f"API key or from `state_key`. {_SO} To keep what other threads have, give `state_key` both keys, the new "
    "one on its first line and the earlier one on the next.*"
)


def told_anew(*, is_other_key: bool) -> str:
    """One line for the thread and the job's page, where a state could not be used."""
    return OTHER_KEY if is_other_key else BEGUN_ANEW


def noted(line: str) -> Callable[[Effect], Effect]:
    """Puts a line last into the comment that shows a run; nothing for ""."""

    def note(effect: Effect) -> Effect:
        if not isinstance(effect, Comment) or not line:
            return effect
        body = f"{effect.body}\n\n{line}"
        return effect.model_copy(update={"body": body}) if len(body) <= _LONGEST_BODY else effect

    return note
