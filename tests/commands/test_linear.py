"""Finding commands takes time in proportion to a text's length, whatever stands in it; and nothing is kept of it."""

from __future__ import annotations

import resource
import time
from functools import cache

import pytest

from claude_pool_gh.commands.lines import find
from tests.commands.worst import SIZE, WORST, text

_FLOOR = 0.002
"""Seconds below which a time says more about the machine than about the text."""


def seconds(name: str, size: int) -> float:
    body = text(name, size)
    taken = []
    for _ in range(3):
        begun = time.thread_time()
        find(body)
        taken.append(time.thread_time() - begun)
    return min(taken)


@cache
def prose() -> float:
    """The time of harmless text of that length."""
    return max(_FLOOR, seconds("prose", SIZE))


@pytest.mark.parametrize("name", WORST)
def test_sixteen_times_the_text_takes_no_sixty_times_the_time(name: str) -> None:
    """Sixteen times where it is linear, 256 times where it is quadratic: a busy machine does not make up for that."""
    small, large = (max(_FLOOR, seconds(name, size)) for size in (SIZE // 16, SIZE))
    assert large / small < 64
    # What grows up to a limit only, such as that of lines, shows beside harmless text of the same length.
    assert large < 100 * prose()


def test_a_table_that_the_renderer_would_fill_takes_no_more_than_other_texts() -> None:
    assert seconds("wide tables", SIZE) < 30 * prose()


def test_nothing_is_kept_of_a_text() -> None:
    body = text("emphasis", SIZE)
    find(body)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(20):
        find(body)
    # KB; a leak is some 10 MB each
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000
