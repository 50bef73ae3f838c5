"""The last look at what leaves: a post that holds a secret does not, and says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from claude_pool_gh.github.effects.kinds import (
    CheckRun,
    Comment,
    Effect,
    InlineComment,
    Proposal,
    Reply,
    Review,
    Settled,
)
from claude_pool_gh.reports.redact import Redactor, leaks
from claude_pool_gh.reports.replies import withheld

_OURS: Final = "a key of this server"


def screened(redactor: Redactor) -> Callable[[Effect], Effect]:
    """Puts a harmless effect in the place of one whose text holds what looks like a secret."""

    def kinds(*texts: str) -> tuple[str, ...]:
        whole = "\n".join(texts)
        own = (_OURS,) if redactor.holds(whole) else ()
        return (*own, *leaks(whole))

    def screen(effect: Effect) -> Effect:
        match effect:
            case Comment() | Reply():
                found = kinds(effect.body)
                return effect.model_copy(update={"body": withheld(found)}) if found else effect
            case Review():
                found = kinds(effect.body, effect.fallback, *(each.body for each in effect.comments))
                kept = tuple(each for each in effect.comments if not kinds(each.body))
                return effect if not found else _without(effect, kept, withheld(found))
            case CheckRun():
                found = kinds(effect.title, effect.summary)
                hidden = {"title": "Withheld: it looks like a secret", "summary": withheld(found)}
                return effect.model_copy(update=hidden) if found else effect
            case Settled():
                found = kinds(effect.reply)
                return effect.model_copy(update={"reply": withheld(found)}) if found else effect
            case Proposal():
                found = kinds(effect.title, effect.body)
                hidden = {"title": "Changes by an agent", "body": withheld(found)}
                return effect.model_copy(update=hidden) if found else effect
            case _:
                return effect

    return screen


def _without(review: Review, kept: tuple[InlineComment, ...], note: str) -> Review:
    """The review with the comments that hold nothing, and a word about the others."""
    return review.model_copy(update={"comments": kept, "body": note, "fallback": note})
