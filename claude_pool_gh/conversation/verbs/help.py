"""`/pool help`: all verbs, or one of them."""

from __future__ import annotations

from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.conversation.handler import TellingVerb
from claude_pool_gh.conversation.services import CommandContext, Services, needed_role
from claude_pool_gh.reports import replies
from claude_pool_gh.terms.markdown import SafeMarkdown


class Help(TellingVerb):
    """Tells what the classes of the verbs say, and which roles they need here."""

    name = "help"
    summary = "Shows what each command does."
    arguments = "[VERB]"
    most_arguments = 1
    order = 304

    async def tell(self, services: Services, asked: CommandContext) -> SafeMarkdown:
        """Explain one verb, where one is named, or list all."""
        if (known := self._named(asked)) is not None:
            return replies.help_verb(known, needed_role(known, asked.config))
        verbs = {name: each.verb for name, each in self.every.items()}
        needed = {name: needed_role(verb, asked.config) for name, verb in verbs.items()}
        return replies.help_all(verbs, needed, asked.role)

    def slot(self, asked: CommandContext) -> str:
        """Name the answer that this one replaces in its thread."""
        known = self._named(asked)
        return self.name if known is None else f"{self.name} {known.name}"

    def _named(self, asked: CommandContext) -> Verb | None:
        words = asked.command.words
        found = self.every.get(words[0].lower()) if words else None
        return None if found is None else found.verb
