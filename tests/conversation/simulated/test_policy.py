"""Whether a command may run: by App or Action, the cause, the role, its text, the thread and the rights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.terms import ids
from tests.conversation.simulated.kit import Desk
from tests.conversation.simulated.kit import desk as opened

pytestmark = pytest.mark.asyncio(loop_scope="module")


# ---- where commands run


async def test_whoever_is_not_asked_keeps_silent(desk: Desk) -> None:
    with desk.configured("runs_in: action\n"):
        heard = await desk.say("/pool help", at=desk.topic())
    assert (heard.answer, heard.text) == (
        "silence: the repository's commands run in its Action",
        "",
    )


# ---- the cause


def caused(desk: Desk, kind: Any, line: str = "/pool review", **more: Any) -> CommandRequest:
    desk.made += 1
    pull = desk.topic()
    values: dict[str, Any] = {
        "thread": desk.thread(pull),
        "actor": ids.Actor(id=desk.mona.id, login="mona"),
        "source": ids.Trigger(kind=kind, id=f"{desk.made}:{pull.head_sha}"),
        "line": line,
    }
    return CommandRequest(**values | more)


async def test_what_is_switched_off_starts_nothing(desk: Desk) -> None:
    heard = await desk.hear(caused(desk, "push"))
    assert heard.answer == "silence: push starts nothing here"
    with desk.configured("review: {on_push: true}\n"):
        assert (await desk.hear(caused(desk, "push"))).answer == "started"


async def test_the_bot_never_obeys_itself(desk: Desk) -> None:
    heard = await desk.say("/pool help", desk.bot, at=desk.topic())
    assert heard.answer == "silence: the bot never obeys itself"


async def test_a_bot_is_heard_where_the_configuration_lists_it(desk: Desk) -> None:
    robot = desk.github.world.site.user("ci[bot]", "Bot")
    heard = await desk.say("/pool help", robot, at=desk.topic())
    assert heard.answer == "silence: ci[bot] is no person, and not among `bots`"
    with desk.configured(f"bots: [{robot.id}]\n"):
        assert (await desk.say("/pool help", robot, at=desk.topic())).answer == "answered"
        own = await desk.say("/pool help", desk.bot, at=desk.topic())
        refused = await desk.say("/pool ask why?", robot, at=desk.topic())
    assert own.answer == "silence: the bot never obeys itself"
    assert "needs the role **write** in this repository; yours is **triage**" in refused.text
    with desk.configured(f"bots: [{robot.id}]\npermissions: {{ask: triage}}\n"):
        assert (await desk.say("/pool ask why?", robot, at=desk.topic())).answer == "started"


@pytest.mark.parametrize(
    "given", ["approve ID", "reject ID no", "ok SHA", "dismiss no bug", "reopen"]
)
@pytest.mark.parametrize("kind", ["schedule", "workflow"])
async def test_no_workflow_decides_in_the_name_of_whoever_caused_its_event(
    desk: Desk, given: str, kind: Any
) -> None:
    request = caused(
        desk, kind, f"/pool {given}", source=ids.Trigger(kind=kind, id=f"night:{given}")
    )
    with desk.configured("audits: {night: {schedule: {cron: 0 3 * * *, timezone: UTC}}}\n"):
        heard = await desk.hear(request)
    assert (
        f"`/pool {given.split(maxsplit=1)[0]}` counts as a person's own comment only" in heard.text
    )


async def test_a_due_time_needs_no_role_and_a_schedule_that_still_stands(desk: Desk) -> None:
    nobody = ids.Actor(id=desk.bot.id, login=desk.bot.login, is_human=False)
    due = {"source": ids.Trigger(kind="schedule", id="night:1"), "actor": nobody}
    issue = desk.problem()
    request = caused(desk, "push", "/pool audit night", thread=desk.thread(issue), **due)
    heard = await desk.hear(request)
    assert heard.answer == "silence: the audit night has no schedule any more"
    with desk.configured("audits: {night: {kind: defects}}\n"):
        again = {**due, "source": ids.Trigger(kind="schedule", id="night:2")}
        request = caused(desk, "push", "/pool audit night", thread=desk.thread(issue), **again)
        assert (await desk.hear(request)).answer.startswith("silence: the audit night")
    with desk.configured("audits: {night: {schedule: {cron: '0 3 * * *', timezone: UTC}}}\n"):
        again = {**due, "source": ids.Trigger(kind="schedule", id="night:3")}
        request = caused(desk, "push", "/pool audit night", thread=desk.thread(issue), **again)
        heard = await desk.hear(request)
    assert heard.answer == "started"
    assert heard.chain is not None
    assert set(heard.chain.account) == {"conversation", "repository"}


# ---- too often


async def test_beyond_the_limit_of_an_hour_it_is_said_once_and_in_the_next_hour_all_is_well(
    desk: Desk,
) -> None:
    pull, other = desk.topic(), desk.topic()
    with desk.configured("limits: {user_hour: 2}\n"):
        for _ in range(2):
            assert (await desk.say("/pool help", at=pull)).answer == "answered"
        heard = await desk.say("/pool help", at=pull)
        assert heard.text.startswith("You have used up the limit of 2 commands per hour")
        for at in (pull, other):
            assert (await desk.say("/pool help", at=at)).text == ""
        rita = desk.user("rita", "write")
        assert (await desk.say("/pool help", rita, at=pull)).answer == "answered"
        desk.clock.now += 3_600_000
        assert (await desk.say("/pool help", at=pull)).answer == "answered"


async def test_a_thread_has_a_limit_of_its_own(desk: Desk) -> None:
    pull, rita = desk.topic(), desk.user("rita", "write")
    with desk.configured("limits: {thread_hour: 1}\n"):
        assert (await desk.say("/pool help", at=pull)).answer == "answered"
        heard = await desk.say("/pool help", rita, at=pull)
        assert heard.text.startswith("This thread has used up the limit of 1 command per hour")
        assert (await desk.say("/pool help", rita, at=desk.topic())).answer == "answered"


async def test_a_flood_of_lines_that_are_refused_is_answered_no_more(desk: Desk) -> None:
    pull = desk.topic()
    with desk.configured("limits: {user_hour: 1}\n"):
        for _ in range(4):
            assert (await desk.say("/pool nonsense", at=pull)).answer == "refused"
        heard = await desk.say("/pool nonsense", at=pull)
        assert heard.text.startswith("You have used up the limit of 1 command per hour")


# ---- the role


async def test_whoever_may_not_is_told_once_what_is_needed(desk: Desk) -> None:
    pull, eve = desk.topic(), desk.user("eve", "read")
    heard = await desk.say("/pool review", eve, at=pull)
    assert heard.text.startswith("`/pool review` needs the role **write** in this repository;")
    assert (await desk.say("/pool review", eve, at=pull)).text == ""
    assert (await desk.say("/pool ask why?", eve, at=pull)).text != "", "another verb is another"
    assert heard.answer == "refused"


async def test_a_mistake_is_explained_to_a_stranger_once_and_to_others_each_time(
    desk: Desk,
) -> None:
    pull, eve = desk.topic(), desk.user("stranger", "read")
    assert (await desk.say("/pool reviw", eve, at=pull)).text != ""
    assert (await desk.say("/pool reviw", eve, at=pull)).text == ""
    triage = desk.user("sorter", "triage")
    for _ in range(2):
        heard = await desk.say("/pool reviw", triage, at=pull)
        assert "Did you mean `/pool review`?" in heard.text


@pytest.mark.parametrize(
    ("config", "role", "mine", "is_told"),
    [
        ("", "read", True, True),
        ("", "read", False, False),
        ("", "none", True, False),
        ("permissions: {status: triage}\n", "read", True, False),
    ],
    ids=["the author", "another reader", "an author who may not even read", "said otherwise"],
)
async def test_a_threads_author_is_told_what_others_need_a_role_for(
    desk: Desk, config: str, role: Any, mine: bool, is_told: bool
) -> None:
    desk.shop.state.private = True
    author = desk.user(f"author-{role}-{mine}-{len(config)}", role)
    pull = desk.topic(author=author if mine else desk.mona)
    with desk.configured(config):
        heard = await desk.say("/pool status", author, at=pull)
        working = await desk.say("/pool review", author, at=pull)
    desk.shop.state.private = False
    assert (heard.answer == "answered") == is_told
    assert working.answer == "refused", "only what tells"


async def test_a_faulty_configuration_is_told_and_runs_nothing(desk: Desk) -> None:
    pull, eve = desk.topic(), desk.user("reader", "read")
    with desk.configured("bugdet: 1\n"):
        heard = await desk.say("/pool help", at=pull)
        stranger = await desk.say("/pool review", eve, at=pull)
    assert "on the default branch has errors, so nothing was run" in heard.text
    assert "needs the role" in stranger.text, "strangers are not told of it"


# ---- the text and the thread


async def test_a_comment_that_says_something_else_by_now_runs_nothing(desk: Desk) -> None:
    pull = desk.topic()
    request = await desk.request("/pool review", at=pull)
    request = request.model_copy(update={"body_sha256": "0" * 64})
    heard = await desk.hear(request)
    assert heard.text.startswith("The comment was edited or deleted before it could be acted on.")


async def test_below_other_words_in_a_mail_nothing_is_run(desk: Desk) -> None:
    pull = desk.topic()
    for by_mail, leads, is_run in ((True, False, False), (True, True, True), (False, False, True)):
        said = await desk.github.comment(
            desk.mona, desk.shop, pull.number, "/pool help", by_mail=by_mail
        )
        request = await desk.request("/pool help", at=pull)
        source = ids.CommentRef(id=said.id)
        heard = await desk.hear(request.model_copy(update={"source": source, "leads": leads}))
        assert ("came by mail and is below other text" in heard.text) is not is_run


@pytest.mark.parametrize(
    ("line", "in_issue", "where"),
    [
        ("/pool review", True, "a pull request"),
        ("/pool triage", False, "an issue"),
    ],
)
async def test_a_verb_is_refused_where_it_makes_no_sense(
    desk: Desk, line: str, in_issue: bool, where: str
) -> None:
    heard = await desk.say(line, at=desk.problem() if in_issue else desk.topic())
    assert heard.text.startswith(f"`{line}` works on {where}. Nothing was run.")


@pytest.mark.parametrize("line", ["/pool review", "/pool fix it", "/pool implement"])
async def test_what_is_closed_is_left_alone(desk: Desk, line: str) -> None:
    thread = desk.problem() if "implement" in line else desk.topic()
    desk.shop.close(thread)
    heard = await desk.say(line, at=thread)
    assert "is closed. Nothing was run." in heard.text
    assert ("This issue" in heard.text) == ("implement" in line)


# ---- outsiders


async def outsiders(desk: Desk) -> Any:
    return desk.topic(author=desk.user("outsider", "read"))


async def test_an_outsiders_commit_is_read_when_a_maintainer_has_allowed_it(desk: Desk) -> None:
    pull = await outsiders(desk)
    heard = await desk.say("/pool review", at=pull)
    assert heard.text.startswith("This pull request comes from someone without write access.")
    assert f"/pool ok {pull.head_sha[:12]}\n/pool review" in heard.text
    assert heard.chain is None
    heard = await desk.say(f"/pool ok {pull.head_sha[:12].upper()}", at=pull)
    assert heard.text.startswith(f"Agents may read `{pull.head_sha[:12]}`.")
    assert (await desk.say("/pool review", at=pull)).answer == "started"
    desk.shop.commit(pull.head_ref, {"app.py": "evil\n"})
    assert (await desk.say("/pool review", at=pull)).chain is None, "each push anew"


async def test_a_repository_may_trust_outsiders(desk: Desk) -> None:
    pull = await outsiders(desk)
    with desk.configured("outsiders: trust\n"):
        assert (await desk.say("/pool review", at=pull)).answer == "started"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "`/pool ok` needs the commit that you have reviewed."),
        ("{head:.7}", "`{head:.7}` is too short: another commit can be made that begins so."),
        ("{head:.11}", "`{head:.11}` is too short"),
        ("0123456789ab", "`0123456789ab` is not the head of this pull request"),
        ("yes", "`yes` is not the head of this pull request"),
        ("{head}0", "`{head}0` is not the head of this pull request"),
    ],
    ids=["no commit", "short", "one digit short", "another", "no commit's name", "too long"],
)
async def test_only_the_head_itself_is_allowed(desk: Desk, word: str, said: str) -> None:
    pull = await outsiders(desk)
    heard = await desk.say(f"/pool ok {word}".format(head=pull.head_sha).rstrip(), at=pull)
    assert heard.text.startswith(said.format(head=pull.head_sha))
    assert (await desk.say("/pool review", at=pull)).chain is None


# ---- rights


@asynccontextmanager
async def with_rights(desk: Desk, **rights: str | None) -> AsyncIterator[None]:
    """The owner has granted the App something else; it learns of that by its next token."""
    own = desk.installation.permissions
    now = {name: level for name, level in {**own, **rights}.items() if level is not None}
    desk.installation.permissions = now
    await desk.services.forge.access.token(desk.repository, fresh=True)
    yield
    desk.installation.permissions = own
    await desk.services.forge.access.token(desk.repository, fresh=True)


async def test_where_nothing_can_wait_nothing_is_asked_for_that_waits(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with opened(tmp_path_factory.mktemp("job"), keeps=lambda: False) as job:
        heard = await job.say("/pool fix it", at=job.topic())
        assert heard.text.startswith("`/pool fix` waits for an approval, and a GitHub Actions job")
        assert (await job.say("/pool ask why?", at=job.topic())).answer == "started"


async def test_a_push_is_not_begun_without_the_right_to_push(desk: Desk) -> None:
    pull = desk.topic()
    async with with_rights(desk, contents="read"):
        heard = await desk.say("/pool fix it", at=pull)
        assert heard.text.startswith("The App was not granted `contents: write`")
        assert (await desk.say("/pool ask why?", at=pull)).answer == "started"
    assert (await desk.say("/pool fix it", at=pull)).answer == "started"


async def test_what_agents_cannot_do_without_is_asked_for_once(desk: Desk) -> None:
    pull = desk.topic()
    async with with_rights(desk, issues="read"):
        heard = await desk.say("/pool ask why?", at=pull)
        assert heard.text.startswith("The App was not granted `issues: write`")
        assert (await desk.say("/pool ask why?", at=pull)).text == ""
        assert (await desk.say("/pool help", at=pull)).answer == "answered", "that costs nothing"
    assert (await desk.say("/pool ask why?", at=pull)).answer == "started"


async def test_a_right_that_was_granted_meanwhile_counts(desk: Desk) -> None:
    pull = desk.topic()
    own = desk.installation.permissions
    async with with_rights(desk, issues="read"):
        desk.installation.permissions = own
        assert (await desk.say("/pool ask why?", at=pull)).answer == "started"


async def test_checks_can_be_statuses_instead(desk: Desk) -> None:
    async with with_rights(desk, checks=None):
        assert (await desk.say("/pool review", at=desk.topic())).answer == "started"


async def test_where_the_thread_cannot_be_read_the_missing_right_is_named_to_those_who_may_ask(
    desk: Desk,
) -> None:
    reader, pull = desk.user("r", "read"), desk.topic()
    robot = desk.github.world.site.user("listed[bot]", "Bot")
    with desk.configured(f"bots: [{robot.id}]\n"):
        asked = [
            await desk.request(line, by, at=pull)
            for line, by in (
                ("/pool review", desk.mona),
                ("/pool status", reader),
                ("/pool status", robot),
            )
        ]
        async with with_rights(desk, issues=None, pull_requests=None):
            told, silent, machine = [await desk.hear(each) for each in asked]
    assert told.text.startswith("The App was not granted `issues: write`, `pull_requests: write`")
    assert silent.answer.startswith("silence: GitHub refused")
    assert machine.answer.startswith("silence: GitHub refused")
    assert (silent.text, machine.text) == ("", "")


async def test_where_nobody_could_be_spoken_to_nothing_is_said(desk: Desk) -> None:
    request = await desk.request("/pool review", at=desk.topic())
    elsewhere = request.thread.model_copy(update={"number": 9_999})
    heard = await desk.hear(request.model_copy(update={"thread": elsewhere}), tries=3)
    assert heard.answer.startswith("silence: GitHub refused: ")
    assert heard.text == ""
