"""Short answers about findings: dismissed, open again, fixed, or which one is meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from claude_pool_gh.reports.neutralize import code, neutralize_line
from claude_pool_gh.reports.words import fitting
from claude_pool_gh.terms.markdown import SafeMarkdown

_NOT_AGAIN: Final = "It is not reported again while its code stays as it is."


def dismissed(mark: str, heading: str) -> SafeMarkdown:
    """A finding is not reported again."""
    return fitting(f"Dismissed: {neutralize_line(heading)} ({code(mark[:8])}). {_NOT_AGAIN}")


def reopened(mark: str, heading: str, *, by_thumb: bool) -> SafeMarkdown:
    """A finding that was dismissed counts again."""
    named = f"{neutralize_line(heading)} ({code(mark[:8])})"
    return fitting(f"Open again: {named}. It counts from the next run on.{_thumb(by_thumb)}")


def reopened_thread(who: str, *, by_thumb: bool) -> SafeMarkdown:
    """Under a finding whose dismissal a person took back."""
    told = f"Opened again by {code(who)}. It counts from the next review on.{_thumb(by_thumb)}"
    return fitting(told)


def _thumb(there: bool) -> str:
    told = " A thumbs down on its comment had dismissed it: take that away too, or the next review does so again."
    return told if there else ""


def fixed_thread(head: str) -> SafeMarkdown:
    """Under a finding of which a second reader says that it is fixed."""
    return fitting(
        f"Fixed at `{head[:9]}`: a second reader looked for this in the code there, and it is gone."
    )


def dismissed_thread(who: str, reason: str) -> SafeMarkdown:
    """Under a finding that a person dismissed."""
    return fitting(f"Dismissed by {code(who)}: {neutralize_line(reason, 500)}. {_NOT_AGAIN}")


def which_finding(known: Sequence[tuple[str, str]], state: str = "open") -> SafeMarkdown:
    """A finding has to be named."""
    if not known:
        return fitting(f"There is no {state} finding here. Nothing was done.")
    lines = "\n".join(
        f"- `{mark[:8]}` {neutralize_line(heading, 160)}" for mark, heading in known[:20]
    )
    return fitting(f"Which finding? Reply to it, or start with its ID:\n\n{lines}")
