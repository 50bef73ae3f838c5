"""The last look at what leaves: a post that holds a secret does not, and says so.

A secret is a key of this server or one of a known format. What only looks random costs that token, not the post.
"""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Final, TypeVar

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
from claude_pool_gh.reports.redact import Redactor, veiled
from claude_pool_gh.reports.replies import withheld
from claude_pool_gh.reports.secrets import secrets
from claude_pool_gh.terms.ids import Term

_OURS: Final = "a key of this server"
Worded = TypeVar("Worded", bound=Term)


def screened(redactor: Redactor) -> Callable[[Effect], Effect]:
    """Puts a harmless effect in the place of one whose text holds what looks like a secret."""

    def kinds(*texts: str) -> tuple[str, ...]:
        whole = "\n".join(texts)
        own = (_OURS,) if redactor.holds(whole) else ()
        return (*own, *secrets(unescape(whole)))

    def screen(effect: Effect) -> Effect:
        return _veiled(held(effect))

    def held(effect: Effect) -> Effect:
        match effect:
            case Comment() | Reply():
                found = kinds(effect.body)
                return effect.model_copy(update={"body": withheld(found)}) if found else effect
            case Review():
                inline = (text for each in effect.comments for text in (each.body, each.listed))
                found = kinds(effect.body, effect.fallback, *inline)
                kept = tuple(each for each in effect.comments if not kinds(each.body, each.listed))
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


def _veiled(effect: Effect) -> Effect:
    """The effect without random tokens in its words; itself where there are none."""
    match effect:
        case Comment() | Reply():
            return _changed(effect, body=veiled(effect.body))
        case Review():
            comments = tuple(_inline(each) for each in effect.comments)
            return _changed(
                effect, body=veiled(effect.body), fallback=veiled(effect.fallback), comments=comments
            )
        case CheckRun():
            return _changed(effect, title=veiled(effect.title), summary=veiled(effect.summary))
        case Settled():
            return _changed(effect, reply=veiled(effect.reply))
        case Proposal():
            return _changed(effect, title=veiled(effect.title), body=veiled(effect.body))
        case _:
            return effect


def _inline(comment: InlineComment) -> InlineComment:
    return _changed(comment, body=veiled(comment.body), listed=veiled(comment.listed))


def _changed(effect: Worded, **words: object) -> Worded:
    new = {name: value for name, value in words.items() if value != getattr(effect, name)}
    return effect.model_copy(update=new) if new else effect


def _without(review: Review, kept: tuple[InlineComment, ...], note: str) -> Review:
    """The review with the comments that hold nothing, and a word about the others."""
    return review.model_copy(update={"comments": kept, "body": note, "fallback": note})
