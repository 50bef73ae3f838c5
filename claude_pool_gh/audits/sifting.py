"""Looks at the content of what a plan would read, in a tree of which not everything can be looked at beforehand.

What leaves a shard, or a whole one, makes room in the budget for the next: so a part within the budget is one whose
files are known to be read, and where none is, there is nothing to read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from claude_pool_gh.audits.files import sift
from claude_pool_gh.audits.model import Shard, SkippedFile, SourceFile
from claude_pool_gh.audits.plan import PlanFacts, reached, shrunk

_AT_ONCE: Final = 24 * 2**20
"""Bytes of files that are looked at before it is asked again what the budget reaches."""


async def sifted(
    git_dir: Path,
    ordered: Sequence[Shard],
    files: Sequence[SourceFile],
    claimed: frozenset[str],
    facts: PlanFacts,
) -> tuple[list[Shard], list[SkippedFile]]:
    """The shards in their order, those within the budget without what is not to be read; and what that is."""
    by_path = {file.path: file for file in files}
    shards, skipped, seen = list(ordered), list[SkippedFile](), set[str]()
    while some := _next(shards, seen, facts):
        wanted = [by_path[path] for shard in some for path in shard.paths]
        kept, left = await sift(git_dir, wanted, claimed)
        own = {file.path: file for file in kept}
        after = {shard.id: shrunk(shard, own) for shard in some}
        shards = [found for shard in shards if (found := after.get(shard.id, shard)) is not None]
        skipped += left
        seen |= after.keys()
    return shards, skipped


def _next(shards: Sequence[Shard], seen: Collection[str], facts: PlanFacts) -> list[Shard]:
    """The shards to look at: all within the budget that nobody has looked at, and as many after them as fit."""
    some = [each for each in reached(shards, facts).within if each.id not in seen]
    if not some:
        return []
    chosen = {each.id for each in some}
    size = sum(each.size for each in some)
    for each in shards:
        if each.id in seen or each.id in chosen:
            continue
        if (size := size + each.size) > _AT_ONCE:
            break
        some.append(each)
    return some
