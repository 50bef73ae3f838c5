"""Who may command, and who is kept out before a cent is spent: roles, bots, outsiders, too much of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, get_args

import aiohttp
import pytest

from claude_pool_gh.conversation import registry
from claude_pool_gh.conversation.intake import rate_limits
from claude_pool_gh.conversation.intake.command_policy import CommandPolicy, Refusal, Silence
from claude_pool_gh.conversation.repository.config_loader import ConfigLoader
from claude_pool_gh.conversation.services import Defaults, Services
from claude_pool_gh.github import inbox, intake
from claude_pool_gh.github.access import AppAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.command_request import CommandRequest, requests
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.github.tables import commands
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Comment, Moment, Pull, Repository, Role, User
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms import ids
from claude_pool_gh.terms import roles as terms
from claude_pool_gh.terms.links import Links
from claude_pool_gh.worktrees.git import Credentials
from claude_pool_gh.worktrees.leases import Worktrees
from tests.acceptance.test_webhook import comment as commented
from tests.acceptance.test_webhook import post, signed
from tests.acceptance.world import World, world

CONFIG: Final = ".github/claude-pool.yml"
ROLES: Final[Sequence[Role]] = get_args(Role)
WORDS: Final = {"ask": " why?", "run": " tidy"}
"""Without which a verb is no command."""
TELLING: Final = ("status", "cost", "config", "help")
"""Everything else needs write where nobody says otherwise."""
ASSOCIATIONS: Final = (
    "COLLABORATOR",
    "CONTRIBUTOR",
    "FIRST_TIMER",
    "FIRST_TIME_CONTRIBUTOR",
    "MANNEQUIN",
    "MEMBER",
    "NONE",
    "OWNER",
)
MONEY: Final = "SELECT count(*) FROM reservations"
HEADS: Final = "SELECT json_extract(plan, '$.context.head') FROM chains"


# ---- roles


@asynccontextmanager
async def judge_of(here: World, folder: Path) -> AsyncIterator[CommandPolicy]:
    """The command policy of a server, here, so that a thousand commands can be decided and none is run."""
    database = Database.open(f"sqlite:///{folder / 'judge.sqlite'}")
    migrations.upgrade(database.engine)
    async with aiohttp.ClientSession() as session:
        access = AppAccess(session, here.github.api_url, str(here.app.id), here.app.private_key)
        forge = Forge(session, here.github.api_url, access)
        clock = SystemClock()
        services = Services(
            database=database,
            forge=forge,
            worktrees=Worktrees(folder / "judge", _no_login),
            clock=clock,
            defaults=Defaults(
                model="claude-sonnet-5-5", pool_cap=None, idle_seconds=1, wall_seconds=1
            ),
            links=Links(server=here.github.url),
            sandbox=None,
            holds_secret=lambda _text: False,
            runs_in="app",
        )
        verb_handlers = registry.handlers()
        yield CommandPolicy(services, verb_handlers, ConfigLoader(forge, frozenset(verb_handlers)))
    database.close()


async def _no_login(_repository_id: int, _fresh: bool) -> Credentials:
    raise AssertionError("nothing is fetched to decide")


def asked(here: World, said: Comment, user: User) -> CommandRequest:
    """A comment's command, as if another user had written it."""
    repository = ids.Repository(
        id=here.repository.id, owner="octo", name="shop", installation_id=here.installation.id
    )
    (request,) = requests(
        said.body,
        thread=ids.Thread(repository=repository, number=here.pull.number),
        actor=ids.Actor(id=user.id, login=user.login, is_human=user.type == "User"),
        source=ids.CommentRef(id=said.id),
    )
    return request


async def verdict(judge: CommandPolicy, request: CommandRequest) -> str:
    """What the policy makes of a command: silence, a refusal for the role, or that it may go on."""
    match await judge.decide(request):
        case Silence():
            return "silent"
        case Refusal(text) if "needs the role" in text:
            return "refused"
        case _:
            return "goes on"


def people(here: World) -> dict[tuple[str, Role], User]:
    """One account of each kind for each role: people, bots, and bots that the configuration lists.

    GitHub has none for bots, whatever they are granted.
    """
    found = {}
    for kind in ("human", "bot", "listed"):
        for role in ROLES:
            login = f"{kind}-{role}"
            user = here.github.world.site.user(f"{login}[bot]", "Bot")
            if kind == "human":
                user = here.github.create_user(login)
            here.repository.grant(user, role)
            found[kind, role] = user
    return found


@pytest.mark.rotating(1)
async def test_every_verb_goes_by_the_live_role_and_by_nothing_else(tmp_path: Path) -> None:
    async with world(tmp_path, start=False) as here, judge_of(here, tmp_path) as judge:
        here.repository.state.private = True  # else everybody may read
        everybody = people(here)
        listed = [user.id for (kind, _), user in everybody.items() if kind == "listed"]
        here.repository.commit("main", {CONFIG: f"bots: {listed}\n"})
        for verb in registry.handlers():
            said = await here.say(f"/pool {verb}{WORDS.get(verb, '')}")
            needed = terms.Role.triage if verb in TELLING else terms.Role.write
            for (kind, role), user in everybody.items():
                has = terms.Role.triage if kind == "listed" else terms.Role.named(role)
                may = "goes on" if has >= needed else "refused"
                expected = "silent" if kind == "bot" else may
                assert (verb, role, kind, await verdict(judge, asked(here, said, user))) == (
                    verb,
                    role,
                    kind,
                    expected,
                )
        assert here.model.requests == []


@pytest.mark.long
@pytest.mark.parametrize(("set_to", "least"), [("read", "read"), ("maintain", "maintain")])
async def test_every_verbs_role_can_be_raised_and_lowered_but_not_below_read(
    tmp_path: Path, set_to: str, least: str
) -> None:
    async with world(tmp_path, start=False) as here, judge_of(here, tmp_path) as judge:
        here.repository.state.private = True
        everybody = people(here)
        config = "permissions:\n" + "".join(f"  {verb}: {set_to}\n" for verb in registry.handlers())
        here.repository.commit("main", {CONFIG: config})
        for verb in registry.handlers():
            said = await here.say(f"/pool {verb}{WORDS.get(verb, '')}")
            for role in ROLES:
                enough = terms.Role.named(role) >= terms.Role.named(least)
                found = await verdict(judge, asked(here, said, everybody["human", role]))
                assert (verb, role, found) == (verb, role, "goes on" if enough else "refused")


async def test_roles_of_the_configuration_and_of_the_moment_are_what_the_server_goes_by(
    here: World,
) -> None:
    reader, writer = here.github.create_user("reader"), here.github.create_user("writer")
    here.repository.grant(writer, "write")
    config = "permissions: {cost: read, status: admin}\n"
    here.repository.commit("main", {CONFIG: config}, author=here.maintainer)
    await here.say("/pool cost", by=reader)
    await here.said("This repository has spent **$0.00** this month.")
    await here.say("/pool status", by=here.maintainer)
    await here.said(
        "`/pool status` needs the role **admin** in this repository; yours is **maintain**"
    )
    await here.say("/pool cancel", by=writer)
    await here.said("There is nothing here to cancel.")
    here.repository.grant(writer, "triage")
    await here.say("/pool cancel", by=writer)
    await here.said(
        "`/pool cancel` needs the role **write** in this repository; yours is **triage**"
    )
    here.repository.commit("main", {CONFIG: "permissions: {cost: none}\n"}, author=here.maintainer)
    await here.say("/pool cost", by=reader)
    await here.quiet()
    assert "has spent" not in here.replies()[-1], "a faulty file lets nobody in"
    await here.say("/pool cost")
    await here.said("line 1: `permissions.cost`: must be")


async def test_an_association_in_a_payload_never_changes_what_is_decided(here: World) -> None:
    stranger = here.github.create_user("stranger")
    said = await here.say("/pool cancel", by=stranger)
    refused = await here.said("needs the role **write**")
    payload = next(each.payload for each in here.github.deliveries if each.event == "issue_comment")
    without = None
    for association in ASSOCIATIONS:
        forged = payload | {
            "comment": payload["comment"] | {"author_association": association},
            "issue": payload["issue"] | {"author_association": association},
        }
        found = intake.recognise(VerifiedDelivery("guid-guid", "issue_comment", forged))
        assert isinstance(found, intake.Found)
        without = without or found
        assert found == without
    # And at the webhook: a real comment of the stranger's, signed as GitHub would, that calls him the owner.
    again = await here.say("/pool cancel\n", by=stranger)
    for said_by, association in ((again, "OWNER"), (said, "MEMBER")):
        body = commented(here, said_by.body)
        user = {"id": stranger.id, "login": stranger.login, "type": "User", "site_admin": True}
        about = {"id": said_by.id + 1_000_000, "user": user, "author_association": association}
        forged = body | {"comment": body["comment"] | about, "sender": user}
        forged["installation"] = {"id": here.installation.id}
        raw = json.dumps(forged).encode()
        assert await post(here, raw, signed(raw)) == 202
    await here.quiet()
    assert {answer for _, answer in here.answers()} == {"refused"}
    assert [body for body in here.replies() if "needs the role" in body] == [refused], (
        "and it is said once"
    )


async def test_the_threads_author_is_told_things_and_no_more(here: World) -> None:
    author = here.github.create_user("asker")
    issue = here.repository.open_issue("A question", "?", author)
    other = here.github.create_user("other")
    await here.say("/pool status", by=author, number=issue.number)
    await here.said("No commands yet.", number=issue.number)
    await here.say("/pool triage", by=author, number=issue.number)
    await here.said("`/pool triage` needs the role **write**", number=issue.number)
    await here.say("/pool status", by=other, number=issue.number)
    await here.said("`/pool status` needs the role **triage**", number=issue.number)
    here.repository.commit(
        "main", {CONFIG: "permissions: {cost: triage}\n"}, author=here.maintainer
    )
    await here.say("/pool cost", by=author, number=issue.number)
    await here.said("`/pool cost` needs the role **triage**", number=issue.number)
    assert here.model.requests == []


# ---- bots


@pytest.mark.rotating(1)
async def test_bots_command_only_when_listed_by_their_number_and_never_the_bot_itself(
    here: World,
) -> None:
    listed = here.github.create_app("listed-bot", webhook_secret="x" * 40)
    named = here.github.create_app("named-bot", webhook_secret="x" * 40)
    bots = f"bots: [{listed.bot.id}, {here.app.bot.id}]\n"
    config = f"{bots}permissions: {{cancel: triage}}\n"
    here.repository.commit("main", {CONFIG: config}, author=here.maintainer)
    # Its login has changed since it was listed, and another account has taken the old one.
    renamed = here.github.world.site.users[listed.bot.login.lower()] = User(
        listed.bot.id, "renamed-bot[bot]", "Bot", listed.bot.created_at
    )
    here.github.world.site.users["renamed-bot[bot]"] = renamed
    thief = here.github.world.site.users["listed-bot[bot]"] = User(
        here.github.world.site.ids.next(), "listed-bot[bot]", "Bot", 0.0
    )
    await here.say("/pool cancel", by=renamed)
    await here.said("There is nothing here to cancel.")
    for silent in (named.bot, thief, here.app.bot):
        await here.say("/pool cancel", by=silent)
    await here.quiet()
    here.repository.commit("main", {CONFIG: bots}, author=here.maintainer)
    await here.say("/pool cancel", by=renamed)
    await here.said("yours is **triage**")
    await here.quiet()
    assert len(here.replies()) == 3, "its own comment, and two answers"
    assert [answer.split(":")[0] for _, answer in here.answers()].count("silence") == 3
    here.repository.commit("main", {CONFIG: "bots: ['named-bot[bot]']\n"}, author=here.maintainer)
    await here.say("/pool cancel", by=named.bot)
    await here.say("/pool help")
    await here.said("line 1: `bots.0`: must be a whole number")
    assert len(here.replies()) == 4, "a login is an error, and nobody's permission"


# ---- outsiders


def from_outside(here: World, login: str = "stranger") -> tuple[Repository, Pull, User]:
    """A stranger's fork with a pull request."""
    stranger = here.github.create_user(login)
    fork = here.repository.fork(login)
    fork.commit("patch", stage.head_files(), message="From outside", author=stranger)
    here.pull = here.repository.open_pull(f"{login}:patch", title="x", author=stranger)
    here.seen_heads = [here.pull.head_sha]
    return fork, here.pull, stranger


@pytest.mark.rotating(1)
async def test_nothing_is_spent_on_an_outsiders_commit_before_somebody_with_write_has_looked(
    here: World,
) -> None:
    here.model.script = Reviewer(quick=True)
    fork, pull, stranger = from_outside(here)
    first = pull.head_sha[:12]
    workflow = "name: tidy\ndescription: x\nsteps:\n  - {name: look, prompt: Look., config: {tools: [Read]}}\n"
    files = {
        ".github/claude-pool/workflows/tidy.yml": workflow,
        CONFIG: "permissions: {ask: read}\n",
    }
    here.repository.commit("main", files, author=here.maintainer)

    # Every verb that spends, and a maintainer is no exception.
    spending = [
        name
        for name, handler in registry.handlers().items()
        if handler.verb.spends and "pull" in handler.verb.places
    ]
    assert {"review", "ask", "fix", "run"} <= set(spending)
    fresh = [name for name in spending if name not in ("retry", "continue", "audit")]
    words = {"ask": " why?", "fix": " it", "run": " tidy"}
    for name in fresh:
        await here.say(f"/pool {name}{words.get(name, '')}")
        await here.said(f"/pool ok {first}\n/pool {name}")
    await here.say("/pool ask why?", by=stranger)
    await here.quiet()

    # The word itself: whose, and on what.
    await here.say(f"/pool ok {pull.head_sha}", by=stranger)
    await here.said("`/pool ok` needs the role **write** in this repository; yours is **read**")
    for wrong in ("0" * 40, pull.base_sha, pull.head_sha + "0", "feature"):
        await here.say(f"/pool ok {wrong}")
        await here.said(f"`{wrong}` is not the head of this pull request, which is `{first}`")
    for short in (pull.head_sha[:7], pull.head_sha[:11]):
        await here.say(f"/pool ok {short}")
        await here.said(f"`{short}` is too short: another commit can be made that begins so.")
        await here.said(f"`/pool ok {pull.head_sha}`")
    await here.say("/pool ok")
    await here.said("`/pool ok` needs the commit that you have reviewed")
    assert here.rows(MONEY) == [(0,)]

    await here.say(f"/pool ok {pull.head_sha[:12].upper()}")
    await here.said(f"Agents may read `{first}`. Each push needs a new")
    await here.say("/pool review")
    await here.reviewed()
    spent = here.rows(MONEY)
    assert here.model.requests

    # The next push needs the next word, also to run again what ran before.
    before = pull.head_sha
    fork.commit("patch", {"evil.py": "x = 1\n"}, message="More", author=stranger)
    second = pull.head_sha[:12]
    await here.say("/pool retry")
    await here.said(f"/pool ok {second}\n/pool retry")
    await here.say(f"/pool ok {before[:12]}")
    await here.said(f"`{before[:12]}` is not the head of this pull request, which is `{second}`")
    await here.say("/pool continue")
    await here.quiet()
    assert here.rows(MONEY) == spent
    assert [head for (head,) in here.rows(HEADS)] == [before]


@pytest.mark.parametrize("phase", ["before", "after"])
async def test_a_push_while_a_command_is_decided_is_not_let_through_with_the_commit_before(
    here: World, phase: str
) -> None:
    fork, pull, stranger = from_outside(here)
    vetted = pull.head_sha
    await here.say(f"/pool ok {vetted[:12]}")
    await here.said("Agents may read")
    looked = 0

    async def push(moment: Moment) -> None:
        nonlocal looked
        if moment.phase == phase and b"CommandOverview" in moment.body:
            looked += 1
            if looked == 1:
                fork.commit("patch", {"evil.py": "x = 1\n"}, message="Quick", author=stranger)

    here.github.on_request(push)
    await here.say("/pool review")
    await here.until(lambda: looked)
    await here.quiet()
    assert pull.head_sha != vetted
    if phase == "before":
        await here.said(f"/pool ok {pull.head_sha[:12]}\n/pool review")
        assert here.rows(HEADS) == []
    else:
        assert here.rows(HEADS) == [(vetted,)]


async def test_an_author_who_lost_write_is_an_outsider_and_the_repository_may_trust_them(
    here: World,
) -> None:
    author = here.pull.author
    here.repository.grant(author, "triage")
    await here.say("/pool review")
    await here.said(f"/pool ok {here.pull.head_sha[:12]}\n/pool review")
    assert here.rows(MONEY) == [(0,)]
    here.repository.grant(author, "write")
    await here.say("/pool review --budget 1")
    await here.until(lambda: len(here.rows(HEADS)) == 1)
    _, theirs, _ = from_outside(here)
    here.repository.commit("main", {CONFIG: "outsiders: trust\n"}, author=here.maintainer)
    await here.say("/pool review")
    await here.until(lambda: (theirs.head_sha,) in here.rows(HEADS))
    assert not [body for body in here.replies() if "/pool ok" in body]


async def test_whether_a_commit_is_vetted_is_asked_of_the_author_and_of_that_commit(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, start=False) as here, judge_of(here, tmp_path) as judge:
        _, pull, stranger = from_outside(here)
        said = await here.say("/pool review")
        request = asked(here, said, here.maintainer)
        author = ids.Actor(id=stranger.id, login=stranger.login)
        assert await rate_limits.is_unvetted(judge.services, request.thread, author, pull.head_sha)
        assert isinstance(await judge.decide(request), Refusal)
        here.repository.grant(stranger, "write")
        assert not isinstance(await judge.decide(request), Refusal), "the same commit, by one of us"


async def test_a_deleted_fork_can_be_reviewed_and_its_patch_is_for_hand(here: World) -> None:
    here.model.script = Reviewer(quick=True)
    fork, pull, _ = from_outside(here)
    fork.delete()
    await here.say(f"/pool ok {pull.head_sha[:12]}\n/pool review")
    check = await here.reviewed()
    assert check.conclusion == "success"
    assert here.rows(HEADS) == [(pull.head_sha,)]


# ---- too often


def counted(here: World) -> tuple[int, int]:
    """Commands that were answered, and notes in the thread: a newer answer may have taken an older one's place."""
    answered = [answer for _, answer in here.answers()].count("answered")
    return answered, sum("used up the limit" in body for body in here.replies())


async def test_beyond_a_limit_there_is_one_note_an_hour_however_many_commands_come(
    here: World,
) -> None:
    here.repository.commit(
        "main", {CONFIG: "limits: {user_hour: 3, thread_hour: 4}\n"}, author=here.maintainer
    )
    elsewhere = here.repository.open_issue("Another thread", "?", here.maintainer).number
    others = [here.github.create_user(f"max-{number}") for number in range(3)]
    for user in others:
        here.repository.grant(user, "triage")
    for _ in range(3):
        await here.say("/pool help\n/pool help review")
    await here.quiet()
    assert counted(here) == (3, 1), "three answers and one note"
    await here.said("You have used up the limit of 3 commands per hour, so nothing was run.")
    await here.say("/pool help\n/pool help\n/pool help", number=elsewhere)
    await here.quiet()
    assert here.own_comments(elsewhere) == [], "it was said already"

    # Three were heard in the thread by now; the fourth is the last, whoever comes.
    for user in others:
        await here.say("/pool help\n/pool help", by=user)
    await here.quiet()
    await here.said("This thread has used up the limit of 4 commands per hour")
    assert counted(here) == (4, 2)
    await here.say("/pool help", by=others[0], number=elsewhere)
    await here.said("🔒", number=elsewhere)
    assert len(here.own_comments(elsewhere)) == 1, "who keeps within the limits is answered"


async def test_what_came_an_hour_ago_counts_no_more(tmp_path: Path) -> None:
    async with world(tmp_path, start=False) as here, judge_of(here, tmp_path) as judge:
        here.repository.commit("main", {CONFIG: "limits: {user_hour: 1}\n"})
        now, found = judge.services.clock.now_ms(), []
        for ago in (rate_limits.HOUR_MS + 1_000, rate_limits.HOUR_MS - 60_000, 0):
            request = asked(here, await here.say("/pool cancel"), here.maintainer)
            await judge.services.database.transact(partial(_store, request=request, at=now - ago))
            decision = await judge.decide(request)
            found.append(
                isinstance(decision, Refusal) and "limit of 1 command per" in decision.text
            )
        assert found == [False, False, True]


async def test_strangers_cannot_talk_a_thread_silent(tmp_path: Path) -> None:
    async with world(tmp_path, start=False) as here, judge_of(here, tmp_path) as judge:
        here.repository.commit("main", {CONFIG: "limits: {thread_hour: 2}\n"})
        now = judge.services.clock.now_ms()

        async def comes(by: User, ago: int, answer: str | None) -> CommandRequest:
            request = asked(here, await here.say("/pool cancel", by=by), by)
            await judge.services.database.transact(
                partial(_store, request=request, at=now - ago, answer=answer)
            )
            return request

        for number in range(3):
            await comes(here.github.create_user(f"stranger{number}"), 10 - number, "refused")
        assert await verdict(judge, await comes(here.maintainer, 5, "done")) == "goes on"
        assert await verdict(judge, await comes(here.maintainer, 4, None)) == "goes on"
        last = await judge.decide(await comes(here.maintainer, 3, None))
        assert isinstance(last, Refusal)
        assert "limit of 2 commands" in last.text, "those who may command count"


def _store(tx: Transaction, request: CommandRequest, at: int, answer: str | None = None) -> None:
    assert inbox.store(tx, request, at)
    tx.execute(commands.update().where(commands.c.key == request.key).values(answer=answer))
