"""A check speaks of the base that was read: what it says once its pull request goes into another branch. Pure."""

from __future__ import annotations

from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.effect import Effect

_SUMMARY = (
    "The base of this pull request was changed after its review. To review it again: /pool review"
)


def against_its_base(
    check: CheckRun, before: Effect | None, chain_id: str, base_ref: str
) -> CheckRun:
    """The check of a run that read a change against `base_ref`, with what was heard of its base before.

    However often a run is shown, only another run takes back that nobody has read the change against its present base.
    """
    own = isinstance(before, CheckRun) and before.chain == chain_id
    into = before.goes_into if own and isinstance(before, CheckRun) else ""
    check = check.model_copy(update={"chain": chain_id, "goes_into": into})
    return doubted(check) if into not in ("", base_ref) else check


def doubted(check: CheckRun) -> CheckRun:
    """The check without its conclusion, where it has one: against this base nobody has read the change."""
    if check.status != "completed":
        return check
    title = f"NOT REVIEWED: it goes into {check.goes_into} now, which is not what was read"[:200]
    update = {"conclusion": "neutral", "title": title, "summary": _SUMMARY, "buttons": ()}
    return check.model_copy(update=update)
