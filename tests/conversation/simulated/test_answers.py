"""What a command leads to is done in one transaction: a reply, a reaction, a chain, or another try later."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.github import inbox, thread_rows
from claude_pool_gh.github.tables import commands, effects
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.rehearsal.github import Fault, Respond
from claude_pool_gh.terms import ids
from tests.conversation.simulated.kit import Desk, Heard

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROLES = "/repos/{owner}/{repo}/collaborators/{username}/permission"


def place(heard: Heard) -> Any:
    assert heard.chain is not None
    return heard.chain.plan.context


# ---- chains


async def test_a_chain_is_made_of_the_thread_as_it_is(desk: Desk) -> None:
    pull = desk.topic()
    heard = await desk.say("/pool review --focus 'the locks'", at=pull)
    assert (heard.answer, heard.text, heard.reaction) == ("started", "", "eyes")
    assert heard.chain is not None
    assert heard.chain.state is ChainState.queued
    labels = heard.chain.labels
    assert (labels.head, labels.requester, labels.workflow) == (pull.head_sha, "mona", "")
    context = place(heard)
    assert (context["base_ref"], context["base"]) == ("main", desk.shop.head("main"))
    assert (context["place"], context["focus"]) == ("pull", "the locks")
    assert context["thread"]["number"] == pull.number
    key = f"{desk.shop.id}:{pull.number}"
    assert dict(heard.chain.account) == {
        "conversation": key,
        "thread": key,
        "user": str(desk.mona.id),
        "repository": str(desk.shop.id),
    }


async def test_in_an_issue_it_is_about_the_default_branch(desk: Desk) -> None:
    issue = desk.problem()
    context = place(await desk.say("/pool ask why?", at=issue))
    assert (context["place"], context["base_ref"]) == ("issue", "main")
    assert context["head"] == context["base"] == desk.shop.head("main")
    assert context["question"] == "why?"


async def test_the_branch_that_a_pull_request_goes_into_is_noted(desk: Desk) -> None:
    pull = desk.topic()
    key = f"{desk.shop.id}:{pull.number}"
    desk.do(lambda tx: thread_rows.note(tx, key, base="release"))
    await desk.say("/pool review", at=pull)
    known = desk.do(lambda tx: thread_rows.known(tx, key))
    assert known is not None
    assert known.base == "main"


async def test_the_same_words_at_the_same_commit_join_what_is_on_its_way(desk: Desk) -> None:
    pull = desk.topic()
    first = await desk.say("/pool ask  why   so?", at=pull)
    assert first.chain is not None
    rita = desk.user("rita", "write")
    again = await desk.say("/pool ask why so?", rita, at=pull)
    assert (again.answer, again.reaction) == ("joined", "eyes")
    assert again.chain is not None
    assert again.chain.id == first.chain.id
    assert f"(`{first.chain.id}`), so no second one was started" in again.text


@pytest.mark.parametrize("what", ["words", "head", "configuration", "end"])
async def test_anything_else_is_a_chain_of_its_own(desk: Desk, what: str) -> None:
    pull = desk.topic()
    first = await desk.say("/pool ask why?", at=pull)
    assert first.chain is not None
    line, config = "/pool ask why?", ""
    if what == "words":
        line = "/pool ask how?"
    elif what == "head":
        desk.shop.commit(pull.head_ref, {"app.py": "pushed\n"})
    elif what == "configuration":
        config = "notify: false\n"
    else:
        desk.end(first.chain.id)
    with desk.configured(config):
        again = await desk.say(line, at=pull)
    assert again.answer == "started"
    assert again.chain is not None
    assert again.chain.id != first.chain.id


async def test_a_push_ends_the_review_that_runs_and_nothing_else(desk: Desk) -> None:
    pull = desk.topic()
    review = await desk.say("/pool review", at=pull)
    question = await desk.say("/pool ask why?", at=pull)
    desk.shop.commit(pull.head_ref, {"app.py": "pushed\n"})
    by_hand = await desk.say("/pool review app.py", at=pull)
    source = ids.Trigger(kind="push", id=f"p{pull.number}:{pull.head_sha}")
    request = (await desk.request("/pool review", at=pull)).model_copy(update={"source": source})
    with desk.configured("review: {on_push: true}\n"):
        heard = await desk.hear(request)
    assert heard.answer == "started"
    ended = [
        each.chain is not None and desk.row(each.chain.id).cancel_requested
        for each in (review, by_hand, question)
    ]
    assert ended == [True, True, False]


async def test_a_chain_for_which_there_is_no_money_is_not_made(desk: Desk) -> None:
    pull = desk.topic()
    with desk.configured("budget: {thread: 4}\n"):
        assert (await desk.say("/pool review", at=pull)).answer == "started"
        heard = await desk.say("/pool review app.py", at=pull)
    assert (heard.answer, heard.reaction, heard.chain) == ("refused: cap", "confused", None)
    assert "the cap per thread of $4.00 has $1.00 left" in heard.text
    assert "To run within what is left: `/pool review app.py --budget 1.00`" in heard.text


async def test_what_nobody_wrote_is_told_once_an_hour_that_there_is_no_money(desk: Desk) -> None:
    pull = desk.topic()

    async def pushed(number: int) -> Heard:
        source = ids.Trigger(kind="push", id=f"q{pull.number}.{number}:{pull.head_sha}")
        request = await desk.request(f"/pool review {number}", at=pull)
        return await desk.hear(request.model_copy(update={"source": source}))

    with desk.configured("budget: {thread: 1}\nreview: {on_push: true}\n"):
        told = [(await pushed(number)).text != "" for number in range(2)]
        desk.clock.now += 3_600_000
        told.append((await pushed(3)).text != "")
    assert told == [True, False, True]


# ---- words


async def test_an_answer_takes_the_place_of_the_threads_earlier_one_of_its_name(desk: Desk) -> None:
    pull = desk.topic()
    await desk.say("/pool status", at=pull)
    key = f"shown:{desk.shop.id}:{pull.number}:status:"
    (first,) = [each for each in await desk.wanted("reply") if each.startswith(key)]
    written = effects.update().where(effects.c.key == first)
    desk.do(lambda tx: tx.execute(written.values(state="written", remote_id=77, written_version=1)))
    await desk.say("/pool help", at=pull)
    await desk.say("/pool help review", at=pull)
    await desk.say("/pool status", at=pull)
    replaced = await desk.wanted("reply", "replaces")
    assert {
        name.split(":")[3]: old for name, old in replaced.items() if f":{pull.number}:" in name
    } == {
        "status": "77",
        "help": "None",
        "help review": "None",
    }


async def test_under_lines_of_the_diff_it_is_answered_there(desk: Desk) -> None:
    pull = desk.topic()
    root = desk.commented(pull, "Hm.", desk.mona)
    request = await desk.request("/pool status", at=pull, under=root)
    assert (await desk.hear(request)).answer == "answered"
    replies = await desk.wanted("reply", "in_reply_to")
    assert replies[f"reply:{request.key}"] == str(root.id)


async def test_a_deed_that_is_its_own_answer_gets_a_thumb(desk: Desk) -> None:
    pull = desk.topic()
    _, gate = desk.shown(desk.facts(pull))
    heard = await desk.say(f"/pool approve {gate}", at=pull)
    assert (heard.text, heard.reaction) == ("", "+1")
    heard = await desk.say("/pool cancel", at=pull)
    assert (heard.text != "", heard.reaction) == (True, "")


async def test_a_command_that_was_taken_up_in_vain_does_not_look_as_if_it_ran(desk: Desk) -> None:
    pull = desk.topic()
    heard = await desk.say("/pool fix", at=pull)
    assert (heard.answer, heard.reaction) == ("answered", "confused")
    heard = await desk.say("/pool status", at=pull)
    assert heard.reaction == "", "what costs nothing is not taken up"


async def test_the_second_comment_of_a_verb_says_where_the_first_stands(desk: Desk) -> None:
    pull = desk.topic()
    first = await desk.say("/pool review", at=pull)
    assert first.text == ""
    assert first.chain is not None
    key = f"comment:{desk.shop.id}:{pull.number}:review"
    stands = effects.update().where(effects.c.key == key)
    desk.do(lambda tx: tx.execute(stands.values(state="written", remote_id=55, written_version=1)))
    heard = await desk.say("/pool review app.py", at=pull)
    page = f"https://github.example/octo/shop/pull/{pull.number}#issuecomment-55"
    assert heard.text.startswith(
        f"Accepted. Progress and result of this `/pool review` are in [this comment]({page})."
    )
    question = f"comment:{desk.shop.id}:{pull.number}:ask"
    await desk.say("/pool ask why? --budget 1", at=pull)
    again = effects.update().where(effects.c.key == question)
    desk.do(lambda tx: tx.execute(again.values(state="written", remote_id=56, written_version=1)))
    assert (await desk.say("/pool ask how? --budget 1", at=pull)).text == "", (
        "its answer is a comment of its own"
    )


async def test_a_pressed_button_is_told_that_it_was_heard(desk: Desk) -> None:
    pull = desk.topic()
    heard = await desk.say("/pool review", at=pull)
    assert heard.chain is not None
    chain_id = desk.end(heard.chain.id)
    desk.do(lambda tx: desk.worker.observer.changed(tx, chain_id))
    (key,) = [each for each in await desk.wanted("check", "name") if f":{pull.number}:" in each]
    source = ids.Trigger(kind="button", id=f"b{pull.number}", check=key)
    request = (await desk.request("/pool status", at=pull)).model_copy(update={"source": source})
    await desk.hear(request)
    answered = await desk.wanted("check", "answered_ms")
    assert answered[key] == str(desk.clock.now)


async def test_a_repository_is_called_what_it_is_called_now(desk: Desk) -> None:
    pull = desk.topic()
    request = await desk.request("/pool ask why?", at=pull)
    old = desk.repository.model_copy(update={"owner": "old", "name": "gone"})
    thread = request.thread.model_copy(update={"repository": old})
    desk.do(
        lambda tx: inbox.store(tx, request.model_copy(update={"thread": thread}), desk.clock.now)
    )
    desk.do(lambda tx: inbox.remember_repository(tx, desk.repository))
    chain_id = await desk.worker.handle_next()
    assert chain_id
    assert desk.row(chain_id).plan.context["thread"]["repository"]["name"] == "shop"


# ---- another time


async def test_while_github_is_away_it_is_tried_later_and_later(desk: Desk) -> None:
    pull = desk.topic()
    request = await desk.request("/pool help", at=pull)
    desk.github.faults.add(Fault(Respond(502), method="GET", route=ROLES, times=10_000))
    waits, heard = [], await desk.hear(request)
    own = commands.c.key == request.key
    for _ in range(10):
        due = desk.do(lambda tx: tx.execute(commands.select().where(own)).one()).due_ms
        waits.append((due - desk.clock.now) // 1000)
        assert await desk.worker.handle_next() is None, "not before its time"
        desk.clock.now = due
        assert await desk.worker.handle_next() == ""
    desk.github.faults.clear()
    assert (heard.answer, heard.text) == ("", "")
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 256, 256]
    desk.clock.now += 300_000
    assert await desk.worker.handle_next() == ""
    done = desk.do(lambda tx: tx.execute(commands.select().where(own)).one())
    assert (done.state, done.answer) == ("handled", "answered")


async def test_at_last_it_is_given_up_and_said(desk: Desk) -> None:
    pull = desk.topic()
    request = await desk.request("/pool help", at=pull)
    own = commands.c.key == request.key
    desk.github.faults.add(Fault(Respond(502), method="GET", route=ROLES, times=10_000))
    await desk.hear(request)
    late = commands.update().where(own).values(tries=398, due_ms=0)
    desk.do(lambda tx: tx.execute(late))
    told: list[str] = []
    for last in (False, True):
        before = await desk.wanted("reply")
        await desk.worker.handle_next()
        told = [text for key, text in (await desk.wanted("reply")).items() if key not in before]
        assert bool(told) is last
        desk.clock.now += 300_000
    desk.github.faults.clear()
    assert told[0].startswith("The command could not be carried out: GitHub could not be reached.")
    done = desk.do(lambda tx: tx.execute(commands.select().where(own)).one())
    assert done.answer.startswith("given up: ")


async def test_what_is_counted_is_the_way_of_the_answer_and_not_its_reason(desk: Desk) -> None:
    pull, before = desk.topic(), dict(desk.worker.counts)
    with desk.configured("budget: {thread: 1}\n"):
        await desk.say("/pool review --budget 1", at=pull)
        await desk.say("/pool review --budget 2", at=pull)
    await desk.say("/pool help", desk.bot, at=pull)
    await desk.say("/pool nonsense", at=pull)
    await desk.say("/pool help", at=pull)
    counted = {
        word: number - before.get(word, 0)
        for word, number in desk.worker.counts.items()
        if number != before.get(word, 0)
    }
    assert counted == {"started": 1, "refused: cap": 1, "silence": 1, "refused": 1, "answered": 1}
