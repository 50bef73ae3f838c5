"""What agents are told after a job was lost: only what was written for them, and never what redaction left of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.action.state.database_redactor import DatabaseRedactor
from claude_pool_gh.conversation.review.gather import doubts
from claude_pool_gh.conversation.review.unplaced import unplaced
from claude_pool_gh.pool.model.digests import changed, changed_items, with_digests
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.ports import Done, HostStepContext
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.store import chains
from claude_pool_gh.pool.store.resumption import can_resume
from claude_pool_gh.storage.deflated import inflate_all
from tests.conversation.review_steps import Steps
from tests.conversation.test_review_steps import DIVIDES, calc
from tests.pool.kit import ended, parked, step
from tests.pool.puppet import OpenPool, Puppet, failed

BEGIN = "-----BEGIN PRIVATE KEY-----"
DIFFS = {
    "the beginning of a key": f"+Keys begin with {BEGIN}\n+++ b/evil.py\n+os.system(evil)\n",
    "a secret as an entity": "+sk&#95;live_4eC39HqLyjWDarjtT1zdp7dc\n+++ b/evil.py\n+os.system(evil)\n",
}
STEPS = [
    step("brief", host="brief"),
    step("first", "first", gate=True),
    step("read", "{item.text}", each="brief.groups"),
]


@pytest.fixture
def open_pool(tmp_path: Path) -> OpenPool:
    """Pools on one file, as jobs have it."""
    return OpenPool(None, tmp_path / "state")


def kept(store: Path) -> None:
    """The database as a later job finds it."""
    with closing(sqlite3.connect(store, isolation_level=None)) as rows:
        inflate_all(rows)
        DatabaseRedactor().over(rows)


async def goes_on(pool: Pool, chain: ChainId) -> bool:
    return await pool.database.read(lambda tx: can_resume(tx, chains.get(tx, chain)))


def host(text: str) -> Any:
    async def brief(_context: HostStepContext) -> Done:
        return Done(with_digests({"groups": [{"text": text}], "other": BEGIN}))

    return {"brief": brief}


@pytest.mark.parametrize("diff", DIFFS)
async def test_no_agent_reads_what_redaction_left_of_a_diff(open_pool: OpenPool, diff: str) -> None:
    agent = Puppet()
    async with open_pool(agent, host_steps=host(DIFFS[diff])) as pool:
        chain = await pool.submit_chain(STEPS)
        await parked(pool, chain)
    kept(open_pool.state / "pool.sqlite")
    async with open_pool(agent, host_steps=host(DIFFS[diff])) as pool:
        await pool.approve(chain)
        result = await ended(pool, chain)
        assert agent.prompts == ["first"]
        assert not result.success
        assert "/pool retry" in result.reason
        assert not await goes_on(pool, chain), "it could only end in the same way"


async def test_a_run_that_ended_early_is_not_gone_on_with_on_such_a_text(
    open_pool: OpenPool,
) -> None:
    agent = Puppet(lambda *_: _fail())
    steps = [STEPS[0], STEPS[2]]
    async with open_pool(agent, host_steps=host(DIFFS["the beginning of a key"])) as pool:
        chain = await pool.submit_chain(steps)
        assert not (await ended(pool, chain)).success
        assert await goes_on(pool, chain), "the control"
    kept(open_pool.state / "pool.sqlite")
    async with open_pool(agent, host_steps=host("")) as pool:
        assert not await goes_on(pool, chain)


async def _fail() -> Any:
    return failed("out of order")


async def test_what_is_kept_whole_is_read_in_a_later_job(open_pool: OpenPool) -> None:
    """Control: another value that has changed, which no agent reads, stops nobody."""
    agent = Puppet()
    async with open_pool(agent, host_steps=host("+os.system(evil)")) as pool:
        chain = await pool.submit_chain(STEPS)
        await parked(pool, chain)
    kept(open_pool.state / "pool.sqlite")
    async with open_pool(agent, host_steps=host("")) as pool:
        await pool.approve(chain)
        assert (await ended(pool, chain)).success
    assert agent.prompts == ["first", "+os.system(evil)"]


async def test_an_item_that_lost_a_part_costs_its_own_agent_and_no_other(
    open_pool: OpenPool,
) -> None:
    """The parts of an audit: one file with an odd name is no reason to read all the others again."""

    async def brief(_context: HostStepContext) -> Done:
        texts = ["a.py", DIFFS["the beginning of a key"], "b.py"]
        items = [{"text": text, "own": {"secret": BEGIN}} for text in texts]
        return Done(with_digests({"groups": items}, by_item=("groups",)))

    agent = Puppet()
    read = step("read", "{item.text}", each="brief.groups", on_failure="continue")
    async with open_pool(agent, host_steps={"brief": brief}) as pool:
        chain = await pool.submit_chain([*STEPS[:2], read])
        await parked(pool, chain)
    kept(open_pool.state / "pool.sqlite")
    async with open_pool(agent, host_steps={"brief": brief}) as pool:
        await pool.approve(chain)
        await ended(pool, chain)
        (_, _, result) = (await pool.database.read(lambda tx: chains.get(tx, chain))).steps
    assert sorted(agent.prompts) == ["a.py", "b.py", "first"]
    assert [each["ending"] for each in result.result] == ["completed", "failed", "completed"]
    assert "a part of it that looks like a secret" in result.result[1]["reason"]


def test_digests_hold_through_the_database_s_own_form() -> None:
    written = with_digests({"a": ("x", ["y\x00\ud800"]), "b": {"c": 1, "a": None}})
    stored = {**written, "a": ["x", ["y\ufffd\ufffd"]]}
    assert changed(stored) == frozenset()
    assert changed({**stored, "b": {"c": 2, "a": None}}) == {"b"}
    assert changed({"groups": []}) == frozenset(), "one of before digests"


def test_of_items_the_texts_count_and_one_that_is_gone_or_added() -> None:
    written = with_digests({"a": [{"text": "x", "own": [1]}, {"text": "y"}]}, by_item=("a",))
    assert (
        changed_items({**written, "a": [{"text": "x", "own": [2]}, {"text": "y"}]}, "a")
        == frozenset()
    )
    assert changed_items({**written, "a": [{"text": "x"}, {"text": "z"}]}, "a") == frozenset({1})
    assert changed_items({**written, "a": [{"text": "y"}, {"text": "y"}, {}]}, "a") == frozenset(
        {0, 2}
    )
    assert changed({**written, "a": written["a"][:1]}) == {"a"}
    assert changed_items(with_digests({"a": [1]}), "a") is None


async def test_a_claim_that_is_kept_in_part_gets_no_other_reader(tmp_path: Path) -> None:
    with calc(tmp_path) as here:
        _, _, results = await here.review([DIVIDES | {"severity": "critical"}], "unsure")
        asked = await _doubts(here, results)
        assert len(asked) == 1, "the control"
        results["check"]["candidates"][0]["claim"] = "[redacted]"
        assert await _doubts(here, results) == []


@pytest.mark.parametrize("name", ["place", "doubts"])
async def test_what_is_picked_out_of_claims_for_an_agent_is_known_to_be_whole(
    tmp_path: Path, name: str
) -> None:
    """Claims go to other agents than those that a review's brief and check are written for, too."""
    names = {"place": "unplaced", "doubts": "candidates"}
    lost = {"evidence": "    is nowhere()"} if name == "place" else {}
    stated = DIVIDES | {"severity": "critical"} | lost
    with calc(tmp_path) as here:
        _, _, results = await here.review([stated], "unsure")
        results["brief"]["groups"][0]["text"] = "the diff"
        step_ = {"place": unplaced, "doubts": doubts}[name]
        context = HostStepContext("c", here.plan(here.facts()), results)
        written = (await step_(here.services, context)).result
        assert changed(written) == frozenset(), "the control"
        (asked,) = written[names[name]]
        kept_ = {**written, names[name]: [{**asked, "title": "[redacted]"}]}
        assert changed(kept_) == {names[name]}


async def _doubts(here: Steps, results: dict[str, Any]) -> list[Any]:
    done = await doubts(here.services, HostStepContext("c", here.plan(here.facts()), results))
    found: list[Any] = done.result["candidates"]
    return found
