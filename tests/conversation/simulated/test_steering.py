"""Runs are cancelled, given again and continued by whoever may, and each command finds the run that it means."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.plan import AgentRun
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.terms import ids
from tests.conversation.simulated.kit import Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")


# ---- cancel


async def test_the_only_run_is_cancelled_without_its_name(desk: Desk) -> None:
    pull = desk.topic()
    desk.end(desk.chain(desk.facts(pull)))
    chain_id = desk.chain(desk.facts(pull))
    heard = await desk.say("/pool cancel", at=pull)
    assert heard.text.startswith(f"`/pool fix` (`{chain_id}`) is being cancelled.")
    assert heard.chain is not None
    assert heard.chain.cancel_requested
    again = await desk.say("/pool cancel", at=pull)
    assert again.text.startswith("There is nothing here to cancel.")


async def test_of_several_runs_one_has_to_be_named(desk: Desk) -> None:
    pull = desk.topic()
    one, other = desk.chain(desk.facts(pull)), desk.chain(desk.facts(pull), begun=False)
    heard = await desk.say("/pool cancel", at=pull)
    assert heard.text.splitlines() == [
        "Several runs match. Which one?",
        "",
        f"- `/pool cancel {other}`: fix, waiting in the queue",
        f"- `/pool cancel {one}`: fix, running",
        *heard.text.splitlines()[4:],
    ]
    named = await desk.say(f"/pool cancel {one.upper()}", at=pull)
    assert named.chain is not None
    assert named.chain.id == one
    assert not desk.row(other).cancel_requested


async def test_a_name_that_is_none_and_a_run_that_is_over_are_told_apart(desk: Desk) -> None:
    pull = desk.topic()
    over = desk.end(desk.chain(desk.facts(pull)))
    heard = await desk.say("/pool cancel 12345", at=pull)
    assert heard.text.startswith("Nothing in this thread has the ID `12345`.")
    heard = await desk.say(f"/pool cancel {over}", at=pull)
    assert heard.text.startswith("There is nothing here to cancel.")


@pytest.mark.parametrize(
    ("requester", "notify", "mentioned"),
    [
        (ids.Actor(id=5, login="rita"), True, True),
        (ids.Actor(id=5, login="rita"), False, False),
        (ids.Actor(id=5, login="ci[bot]", is_human=False), True, False),
    ],
    ids=["a person", "who wants no mention", "a bot"],
)
async def test_whose_run_another_person_cancels_is_told(
    desk: Desk, requester: ids.Actor, notify: bool, mentioned: bool
) -> None:
    pull = desk.topic()
    desk.chain(desk.facts(pull, requester=requester, notify=notify))
    heard = await desk.say("/pool cancel", at=pull)
    assert heard.text.startswith(f"@{requester.login} `/pool fix`") == mentioned
    assert "is being cancelled" in heard.text


async def test_nobody_is_told_of_what_they_cancel_themselves(desk: Desk) -> None:
    pull = desk.topic()
    desk.chain(desk.facts(pull))
    assert (await desk.say("/pool cancel", at=pull)).text.startswith("`/pool fix`")


# ---- retry


async def test_the_newest_run_that_is_over_is_given_again_as_things_are_now(desk: Desk) -> None:
    pull = desk.topic()
    desk.end(desk.chain(desk.facts(pull, line="/pool fix the first")))
    desk.end(desk.chain(desk.facts(pull, line="/pool fix the second")))
    desk.chain(desk.facts(pull, line="/pool fix the third"))
    desk.shop.commit(pull.head_ref, {"app.py": "pushed\n"})
    heard = await desk.say("/pool retry", at=pull)
    assert heard.answer == "started"
    assert heard.chain is not None
    context = heard.chain.plan.context
    assert (context["line"], context["problems"]) == ("/pool fix the second", "the second")
    assert context["head"] == pull.head_sha
    assert heard.chain.plan.verb == "fix"


async def test_what_waits_with_a_patch_can_be_given_again(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, _ = desk.shown(desk.facts(pull, line="/pool fix it"))
    heard = await desk.say(f"/pool retry {chain_id}", at=pull)
    assert heard.answer == "started"


async def test_what_runs_is_not_given_again(desk: Desk) -> None:
    pull = desk.topic()
    chain_id = desk.chain(desk.facts(pull, line="/pool fix it"))
    for line in ("/pool retry", f"/pool retry {chain_id}"):
        heard = await desk.say(line, at=pull)
        assert heard.text.startswith("There is nothing here to run again.")
        assert (heard.answer, heard.chain) == ("answered", None)


async def test_a_line_that_is_no_command_of_an_agents_is_not_given_again(desk: Desk) -> None:
    pull = desk.topic()
    desk.end(desk.chain(desk.facts(pull, line="/pool status")))
    heard = await desk.say("/pool retry", at=pull)
    assert heard.text.startswith("There is nothing here to run again.")


@pytest.mark.parametrize("line", ["/pool retry", "/pool continue"])
async def test_whoever_steers_needs_what_the_command_itself_needs(desk: Desk, line: str) -> None:
    with desk.configured("permissions: {fix: admin}\n"):
        pull = desk.topic()
        desk.end(desk.chain(desk.facts(pull, line="/pool fix it")))
        heard = await desk.say(line, at=pull)
    assert heard.text.startswith("`/pool fix` needs the role **admin** in this repository;")
    assert heard.chain is None


# ---- continue


async def test_a_run_that_ended_early_goes_on_with_the_money_that_holds_now(desk: Desk) -> None:
    pull = desk.topic()
    old = desk.end(desk.chain(desk.facts(pull)))
    heard = await desk.say("/pool continue --budget 5", at=pull)
    assert heard.answer == "started"
    assert heard.chain is not None
    assert heard.chain.id != old
    limits = heard.chain.plan.limits
    assert (limits.task, limits.chain) == (5_000_000, 5_000_000)
    assert heard.chain.plan.steps == desk.row(old).plan.steps


async def test_every_agent_gets_as_many_turns_as_are_asked_for_and_none_fewer(desk: Desk) -> None:
    pull = desk.topic()
    desk.end(desk.chain(desk.facts(pull)), Verdict.out_of_turns)
    heard = await desk.say("/pool continue --turns 70", at=pull)
    assert heard.chain is not None
    mend, *hosts = heard.chain.plan.steps
    assert isinstance(mend, AgentRun)
    assert mend.overrides.max_turns == 70
    assert [each.name for each in hosts] == ["propose", "push"]
    desk.end(heard.chain.id, Verdict.out_of_turns)
    heard = await desk.say("/pool continue --turns 30", at=pull)
    assert heard.chain is not None
    assert isinstance(heard.chain.plan.steps[0], AgentRun)
    assert heard.chain.plan.steps[0].overrides.max_turns == 70


async def test_people_decide_on_what_comes_of_it_under_the_present_configuration(
    desk: Desk,
) -> None:
    pull = desk.topic()
    old = desk.end(desk.chain(desk.facts(pull)))
    with desk.configured("changes: {approvals: 3}\n"):
        heard = await desk.say("/pool continue", at=pull)
    assert heard.chain is not None
    then, now = desk.row(old).plan.context, heard.chain.plan.context
    assert (then["policy"]["approvals"], now["policy"]["approvals"]) == (1, 3)
    assert now["config_blob"] not in ("", then["config_blob"])
    kept = then.keys() - {"policy", "config_blob"}
    assert {name: now[name] for name in kept} == {name: then[name] for name in kept}


@pytest.mark.parametrize(
    ("verdict", "outcome", "goes_on"),
    [
        (Verdict.out_of_budget, {}, True),
        (Verdict.out_of_turns, {}, True),
        (Verdict.quota, {}, True),
        (Verdict.failed, {}, True),
        (Verdict.failed, {"anew": True}, False),
        (Verdict.cancelled, {}, False),
        (Verdict.answered, {}, False),
        (Verdict.clean, {}, False),
    ],
)
async def test_only_what_can_come_further_goes_on(
    desk: Desk, verdict: Verdict, outcome: dict[str, Any], goes_on: bool
) -> None:
    pull = desk.topic()
    desk.end(desk.chain(desk.facts(pull)), verdict, **outcome)
    heard = await desk.say("/pool continue", at=pull)
    assert (heard.answer == "started") == goes_on
    if not goes_on:
        assert heard.text.startswith("There is nothing here to continue.")


async def test_what_runs_does_not_go_on_twice(desk: Desk) -> None:
    pull = desk.topic()
    desk.chain(desk.facts(pull))
    heard = await desk.say("/pool continue", at=pull)
    assert heard.text.endswith(" is not over: it goes on by itself.")


async def test_a_run_about_another_head_is_begun_again_instead(desk: Desk) -> None:
    pull = desk.topic()
    was = pull.head_sha
    desk.end(desk.chain(desk.facts(pull, line="/pool fix it")))
    desk.shop.commit(pull.head_ref, {"app.py": "pushed\n"})
    heard = await desk.say("/pool continue", at=pull)
    assert f"`{was[:9]}`, but the head is now `{pull.head_sha[:9]}`" in heard.text
    assert heard.text.splitlines()[0].endswith("To start again: `/pool fix it`")
    assert heard.chain is None


async def test_an_issue_has_no_head_that_moves(desk: Desk) -> None:
    issue = desk.problem()
    desk.end(desk.chain(desk.facts(issue)))
    desk.shop.commit("main", {"more.py": "1\n"})
    assert (await desk.say("/pool continue", at=issue)).answer == "started"


@pytest.mark.parametrize("line", ["/pool cancel", "/pool retry", "/pool continue"])
async def test_a_thread_without_runs_has_nothing_to_steer(desk: Desk, line: str) -> None:
    heard = await desk.say(line, at=desk.topic())
    assert heard.text.startswith("There is nothing here to ")
    assert heard.chain is None


async def test_cancelling_a_parked_run_ends_it(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, gate = desk.shown(desk.facts(pull))
    heard = await desk.say(f"/pool cancel {chain_id}", at=pull)
    assert heard.chain is not None
    assert heard.chain.cancel_requested or heard.chain.state is ChainState.done
    heard = await desk.say(f"/pool approve {gate}", at=pull)
    assert desk.row(chain_id).state is not ChainState.queued
