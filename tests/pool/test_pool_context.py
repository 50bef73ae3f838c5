"""What the pool shares with all its agents: told in order, in bounds, and no longer than it holds."""

from __future__ import annotations

import asyncio

import pytest

from claude_pool_gh.pool.store.context import MOST
from tests.pool.puppet import OpenPool, Puppet


async def test_agents_are_told_in_order_one_line_each_and_no_longer_than_it_holds(
    open_pool: OpenPool,
) -> None:
    agent = Puppet()
    async with open_pool(agent) as pool:
        await pool.run("before")
        for key, value in (
            ("zeta", "last"),
            ("Alpha", "two\nlines\r\n- fake: bullet\u2028end"),
            ("_mid", "{args.prompt}"),
        ):
            await pool.set_context(key, value)
        await pool.run("all")
        await pool.set_context("zeta", "changed")
        assert await pool.delete_context("_mid") is True
        await pool.run("fewer")
        for key in ("zeta", "Alpha"):
            await pool.delete_context(key)
        await pool.run("none")
    assert [task.more_system for task in agent.seen] == [
        "",
        "Shared context:\n- Alpha: two lines - fake: bullet end\n- _mid: {args.prompt}\n- zeta: last",
        "Shared context:\n- Alpha: two lines - fake: bullet end\n- zeta: changed",
        "",
    ]


async def test_what_was_set_is_read_back_to_the_letter_and_in_order(open_pool: OpenPool) -> None:
    values = {"b": "2\n3", "B": "", "_": " x ", "a-1": "ünï 🦀", "a": "--"}
    async with open_pool(Puppet()) as pool:
        for key, value in values.items():
            await pool.set_context(key, value)
        assert list((await pool.list_context()).items()) == sorted(values.items())
        assert [await pool.get_context(key) for key in values] == list(values.values())
        assert await pool.get_context("none") is None
        assert await pool.delete_context("none") is False
        assert await pool.delete_context("b") is True
        assert await pool.get_context("b") is None
    async with open_pool(Puppet()) as pool:
        assert await pool.list_context() == {
            key: value for key, value in values.items() if key != "b"
        }


async def test_it_never_grows_beyond_what_every_prompt_can_bear(open_pool: OpenPool) -> None:
    async with open_pool(Puppet()) as pool:
        await pool.set_context("k", "x" * (MOST - 1))
        for key, value in (("other", ""), ("k", "x" * MOST)):
            with pytest.raises(ValueError, match="more than 32000"):
                await pool.set_context(key, value)
        assert (await pool.list_context()) == {"k": "x" * (MOST - 1)}
        await pool.set_context("k", "short")
        await pool.set_context("other", "fits now")


async def test_a_key_is_one_line(open_pool: OpenPool) -> None:
    async with open_pool(Puppet()) as pool:
        for key in ("", " ", "a\nb", "a\rb", "a\u2028b", "a\n", "x" * 129):
            with pytest.raises(ValueError, match="one line"):
                await pool.set_context(key, "v")
        assert await pool.list_context() == {}


async def test_many_who_set_at_once_neither_fail_nor_pass_the_bound(open_pool: OpenPool) -> None:
    async with open_pool(Puppet()) as pool:
        await asyncio.gather(*(pool.set_context("same", str(number)) for number in range(20)))
        assert await pool.get_context("same") in {str(number) for number in range(20)}
        big = "x" * (MOST // 3)
        answers = await asyncio.gather(
            *(pool.set_context(f"big {number}", big) for number in range(8)), return_exceptions=True
        )
        assert sum(answer is None for answer in answers) == 2
        assert sum(isinstance(answer, ValueError) for answer in answers) == 6
        assert len(await pool.list_context()) == 3
