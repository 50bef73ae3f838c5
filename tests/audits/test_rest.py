"""What the next command asks for, so that it reads what a run has left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from claude_pool_gh.audits.model import Coverage, ShardResult, ShardState
from claude_pool_gh.audits.outputs import summary
from claude_pool_gh.audits.rest import Rest, rest
from claude_pool_gh.terms import patterns
from tests.audits.make import partial, result, shard


def left(*paths: str, unlisted: int = 0) -> Coverage:
    """One part was read but for a file, the other one not at all."""
    read = ShardResult(
        shard=shard(1, "read.py", *paths[:1]), state=ShardState.read, unopened=paths[:1]
    )
    missed = replace(shard(2, *paths[1:]), paths=paths[1:], unlisted=unlisted)
    return Coverage(shards=(read, ShardResult(shard=missed, state=ShardState.not_started)))


def test_a_few_files_are_named_so_that_no_other_is_read_again() -> None:
    found = rest(left("a.py", "src/b c.py"), ("src/", "*.py"), continues=False)
    assert found == Rest(paths=("/a.py", "/src/b c.py"), alone=True)
    assert patterns.names("/a.py", "a.py")
    assert not patterns.names("/a.py", "src/a.py"), "one of the same name elsewhere is not meant"


@pytest.mark.parametrize(
    "covered",
    [
        left(*(f"{number}.py" for number in range(11))),
        left("a.py", "b.py", unlisted=1),
        left("a*.py", "b.py"),
        left("a.py", "b\n.py"),
        left("a" * 999, "b.py"),
    ],
    ids=["many", "not all are known", "a pattern", "not to be typed", "long"],
)
def test_of_what_cannot_be_named_it_is_said_that_all_is_read_again(covered: Coverage) -> None:
    assert rest(covered, ("src/",), continues=False) == Rest(paths=("src/",), alone=False)


def test_a_run_that_reads_only_what_is_unread_is_asked_for_as_it_was() -> None:
    assert rest(left("a.py", "b.py"), (), continues=True) == Rest(paths=(), alone=True)


def test_the_words_before_the_command_say_what_it_reads() -> None:
    assert summary.going_on(partial()) == "To go on with what is left"
    assert "read it again" in summary.going_on(result(resume_alone=False))
