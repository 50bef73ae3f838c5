"""An approval counts for exactly what was shown, where it was shown; otherwise it says why not."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.conversation.changes.gates import Policy
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.rehearsal.github import Pull
from tests.conversation.simulated.kit import PATCH, Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")
WORKFLOW = PATCH.replace(b"app.py", b".github/workflows/ci.yml")


async def test_the_patch_goes_on_its_way_with_the_one_approval_that_is_needed(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, gate = desk.shown(desk.facts(pull))
    heard = await desk.say(f"/pool approve {gate.upper()}", at=pull)
    assert (heard.answer, heard.text, heard.reaction) == ("done", "", "+1")
    assert heard.chain is not None
    assert (heard.chain.id, heard.chain.state) == (chain_id, ChainState.queued)


async def test_an_issues_patch_is_approved_against_the_commit_that_was_read(desk: Desk) -> None:
    issue = desk.problem()
    facts = desk.facts(issue, branch="pool/new", into="main")
    chain_id, gate = desk.shown(facts)
    desk.shop.commit("main", {"other.py": "1\n"})
    heard = await desk.say(f"/pool approve {gate}", at=issue)
    assert heard.text == ""
    assert desk.state(chain_id) is ChainState.queued


async def test_without_an_id_it_is_said_which_there_are(desk: Desk) -> None:
    pull = desk.topic()
    none = await desk.say("/pool approve", at=pull)
    assert none.text.startswith("There is nothing here to approve.")
    (_, first), (_, second) = (desk.shown(desk.facts(pull)) for _ in range(2))
    desk.chain(desk.facts(pull))
    heard = await desk.say("/pool approve", at=pull)
    assert heard.text.splitlines()[2:4] == [
        f"- `/pool approve {second}`: fix",
        f"- `/pool approve {first}`: fix",
    ]
    assert heard.answer == "answered"


async def test_an_id_of_another_thread_is_none(desk: Desk) -> None:
    pull = desk.topic()
    _, gate = desk.shown(desk.facts(pull))
    heard = await desk.say(f"/pool approve {gate}", at=desk.topic())
    assert heard.text.startswith(f"Nothing in this thread has the ID `{gate}`.")


def _closes(desk: Desk, pull: Pull) -> None:
    desk.shop.close(pull)


def _moves(desk: Desk, pull: Pull) -> None:
    desk.shop.commit(pull.head_ref, {"app.py": "pushed\n"})


def _is_retargeted(desk: Desk, pull: Pull) -> None:
    desk.shop.commit("release", {"app.py": "r\n"})
    desk.shop.retarget(pull, "release")


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (_closes, "the pull request is closed"),
        (_moves, "the head has moved to `{head}` since it was shown"),
        (_is_retargeted, "the branch that it goes into has changed since it was shown"),
    ],
    ids=["closed", "moved", "retargeted"],
)
async def test_what_is_not_as_it_was_shown_is_not_approved(
    desk: Desk, happens: Any, why: str
) -> None:
    pull = desk.topic()
    chain_id, gate = desk.shown(desk.facts(pull))
    happens(desk, pull)
    heard = await desk.say(f"/pool approve {gate}", at=pull)
    why = why.format(head=pull.head_sha[:9])
    assert heard.text.startswith(f"`{gate}` does not match: {why}. Nothing was approved.")
    assert "waiting now" not in heard.text
    assert desk.state(chain_id) is ChainState.parked


async def test_another_configuration_is_another_gate(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, gate = desk.shown(desk.facts(pull, config_blob="another"))
    heard = await desk.say(f"/pool approve {gate}", at=pull)
    assert "the repository's configuration has changed since it was shown" in heard.text
    assert desk.state(chain_id) is ChainState.parked


async def test_the_patch_that_waits_on_the_present_head_is_named(desk: Desk) -> None:
    pull = desk.topic()
    _, old = desk.shown(desk.facts(pull))
    desk.shop.commit(pull.head_ref, {"app.py": "pushed\n"})
    elsewhere = desk.shown(desk.facts(pull, head="e" * 40))[1]
    _, new = desk.shown(desk.facts(pull))
    heard = await desk.say(f"/pool approve {old}", at=pull)
    assert f"The patch that is waiting now has the ID `{new}`; look at it first." in heard.text
    assert elsewhere not in heard.text


async def test_the_requesters_own_word_does_not_count_where_four_eyes_are_asked_for(
    desk: Desk,
) -> None:
    pull = desk.topic()
    chain_id, gate = desk.shown(desk.facts(pull, policy=Policy(four_eyes=True)))
    heard = await desk.say(f"/pool approve {gate}", at=pull)
    assert heard.text.startswith("The requester of a change cannot approve it here")
    assert desk.state(chain_id) is ChainState.parked
    rita = desk.user("rita", "write")
    assert (await desk.say(f"/pool approve {gate}", rita, at=pull)).text == ""
    assert desk.state(chain_id) is ChainState.queued


@pytest.mark.parametrize(
    ("policy", "patch", "why"),
    [
        (Policy(approvals=2), PATCH, "`changes.approvals` is 2"),
        (Policy(), WORKFLOW, "protected paths need 2 people (`changes.protected_approvals`)"),
    ],
    ids=["everywhere", "protected paths"],
)
async def test_an_approval_of_several_is_counted_once_for_each_person(
    desk: Desk, policy: Policy, patch: bytes, why: str
) -> None:
    pull = desk.topic()
    chain_id, gate = desk.shown(desk.facts(pull, policy=policy), patch)
    for _ in range(2):
        heard = await desk.say(f"/pool approve {gate}", at=pull)
        assert heard.text.startswith(f"`{gate}` is approved by `mona`. 1 more person must approve")
        assert f"must approve: {why}." in heard.text
        assert heard.chain is not None, "the comment shows who has approved"
        assert desk.state(chain_id) is ChainState.parked
    other = desk.user(f"other{len(patch)}", "write")
    assert (await desk.say(f"/pool approve {gate}", other, at=pull)).text == ""
    assert desk.state(chain_id) is ChainState.queued


async def test_a_code_owner_must_be_among_them(desk: Desk) -> None:
    pull = desk.topic()
    owner = desk.user("owner", "write")
    facts = desk.facts(pull, policy=Policy(codeowners=True), codeowners="*.py @owner\n")
    chain_id, gate = desk.shown(facts)
    heard = await desk.say(f"/pool approve {gate}", at=pull)
    assert "A code owner of `app.py` must be among them (`changes.codeowners`)." in heard.text
    await desk.say(f"/pool approve {gate}", owner, at=pull)
    assert desk.state(chain_id) is ChainState.queued


async def test_what_was_approved_already_waits_for_nobody(desk: Desk) -> None:
    pull = desk.topic()
    _, gate = desk.shown(desk.facts(pull))
    await desk.say(f"/pool approve {gate}", at=pull)
    heard = await desk.say(f"/pool approve {gate}", at=pull)
    assert heard.text.startswith(f"Nothing in this thread has the ID `{gate}`.")
