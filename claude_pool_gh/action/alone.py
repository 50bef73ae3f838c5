"""The words for a job that neither knows what earlier ones did nor keeps anything for the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.reports.neutralize import neutralize_line

_LONGEST_BODY: Final = 65_000
"""Characters. GitHub takes 65,536, and our marker follows."""
_LONGEST_REASON: Final = 200


def told_alone(why: str) -> str:
    """One line for the thread and the job's page. `why`: what kept the job from holding its thread."""
    reason = f" ({neutralize_line(why[:_LONGEST_REASON])})" if why else ""
    return (
        f"*This job knows nothing of earlier ones, and nothing of it is kept for the next{reason}. With `contents: "
        "write` among the job's permissions, jobs know of each other, and `fix` and `implement` can wait for an "
        "approval.*"
    )


def noted(why: Callable[[], str | None]) -> Callable[[Effect], Effect]:
    """Puts that line last into the comment that shows a run. `why` says None where it does not hold."""

    def note(effect: Effect) -> Effect:
        reason = why()
        if not isinstance(effect, Comment) or reason is None:
            return effect
        body = f"{effect.body}\n\n{told_alone(reason)}"
        return effect.model_copy(update={"body": body}) if len(body) <= _LONGEST_BODY else effect

    return note
