"""`/pool help`: tells what there is, free of charge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.conversation.desk import Answer, Asked, Desk, VerbRoom
from claude_pool_gh.reports import replies
from claude_pool_gh.terms.roles import Role

VERB: Final = Verb(
    name="help",
    summary="Tells what each command does.",
    places=frozenset({"pull", "issue"}),
    role=Role.triage,
    arguments="[VERB]",
    most_arguments=1,
)


def room(verbs: Mapping[str, Verb]) -> VerbRoom:
    """The verb with the table that it explains."""

    async def answer(_desk: Desk, asked: Asked) -> Answer:
        words = asked.command.words
        known = verbs.get(words[0].lower()) if words else None
        return Answer(replies.help_all(verbs) if known is None else replies.help_verb(known))

    return VerbRoom(VERB, answer)
