"""The table of verbs. A new verb is one file or folder beside this one, and one line here."""

from __future__ import annotations

from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.conversation import approve, ask, dismiss, fix, implement, ok, run, steer, tell, triage
from claude_pool_gh.conversation.desk import VerbRoom
from claude_pool_gh.conversation.progress import Progress
from claude_pool_gh.conversation.review import verb as review
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.ports import Clock


def running() -> dict[str, VerbRoom]:
    """The verbs that start chains."""
    rooms = (review.ROOM, ask.ROOM, fix.ROOM, implement.ROOM, triage.ROOM, run.ROOM)
    return {room.verb.name: room for room in rooms}


def rooms(clock: Clock | None = None) -> dict[str, VerbRoom]:
    """Every verb by its name, in the order of the help."""
    chains = running()
    progress = Progress(clock or SystemClock(), chains)
    verbs: dict[str, Verb] = {}
    every = (
        *chains.values(),
        *approve.ROOMS,
        *steer.Steering(chains, progress).rooms,
        dismiss.ROOM,
        ok.ROOM,
        *tell.rooms(verbs, progress),
    )
    verbs.update({room.verb.name: room.verb for room in every})
    return {room.verb.name: room for room in every}
