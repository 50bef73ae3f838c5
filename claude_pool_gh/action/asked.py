"""Reads from the commands of one comment or event which state they need: their thread's, or an audit's. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.audits.rules import KINDS
from claude_pool_gh.commands.grammar import Command, Verb, parse
from claude_pool_gh.conversation.verbs.audit import Audit, named
from claude_pool_gh.conversation.verbs.cancel import Cancel
from claude_pool_gh.conversation.verbs.continue_ import Continue
from claude_pool_gh.conversation.verbs.status import Status

_STEERING: Final = frozenset({Cancel.name, Continue.name, Status.name})
"""Verbs about runs, whichever they are. Everything else in a thread is about what was done in that thread."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The commands that come together, and that one job therefore serves."""

    audits: frozenset[str] = frozenset()
    """The names of the audits that are asked for."""
    beside: bool = False
    """Whether something else than audits is asked for too."""
    steers: bool = False
    """Whether they are about runs and nothing else: an audit that was asked for in their thread may be meant."""
    runs: frozenset[str] = frozenset()
    """The IDs by which such commands name runs."""
    is_unclear: bool = False
    """Whether an audit is asked for, and a faulty configuration does not tell which."""

    def is_served_with(self, audit: str, *, in_report: bool) -> bool:
        """True where they need the state of this audit, or with "" that of their thread.

        `in_report`: their thread is the audit's report issue, which has no other state.
        """
        if self.is_unclear:
            return False
        if self.audits:
            return not self.beside and self.audits == {audit}
        return not audit or in_report or self.steers


def asked_of(
    lines: Sequence[str], verbs: Mapping[str, Verb], audits: Collection[str] | None
) -> Asked:
    """Read the lines of one comment or event. `audits`: the names that are configured; None where that is not known."""
    read = [parse(line, verbs) for line in lines]
    commands = [each for each in read if isinstance(each, Command)]
    auditing = [each.words for each in commands if each.verb.name == Audit.name]
    # what is no name as far as we know may be one all the same
    clear = [each for each in auditing if audits is not None or not each or each[0] in KINDS]
    wanted = [named(each, audits or ())[0] for each in clear]
    steering = [each for each in commands if each.verb.name in _STEERING]
    steers = bool(read) and len(steering) == len(read)
    return Asked(
        audits=frozenset(wanted),
        beside=len(wanted) < len(read),
        steers=steers,
        runs=frozenset(word.lower() for each in steering for word in each.words[:1]),
        is_unclear=len(clear) < len(auditing),
    )
