"""The table of verbs. A new verb is one file or folder beside this one, and one line here."""

from __future__ import annotations

from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.conversation import help as help_verb
from claude_pool_gh.conversation.desk import VerbRoom
from claude_pool_gh.conversation.review import verb as review


def rooms() -> dict[str, VerbRoom]:
    """Every verb by its name, in the order of the help."""
    running = [review.ROOM]
    verbs: dict[str, Verb] = {room.verb.name: room.verb for room in running} | {
        help_verb.VERB.name: help_verb.VERB
    }
    return {room.verb.name: room for room in [*running, help_verb.room(verbs)]}
