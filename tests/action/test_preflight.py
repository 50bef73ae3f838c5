"""What a job finds out before it promises anything: a missing permission, commands of the App, a switch, who asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from claude_pool_gh.action.look import Fault as Stopped
from claude_pool_gh.action.preflight import NothingToDo, preflight
from claude_pool_gh.action.unauthorized import is_kept_out
from claude_pool_gh.config.load import Faults
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.repository.config_loader import ConfigLoader
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.rehearsal.github import Fault, Reset, Respond
from claude_pool_gh.terms.ids import Actor, CommentRef, Source, Trigger
from tests.conversation.simulated.kit import Desk
from tests.conversation.simulated.kit import desk as opened

pytestmark = pytest.mark.asyncio(loop_scope="module")
OPENED, LABEL = Trigger(kind="opened", id="1"), Trigger(kind="label", id="2")
COMMENT = CommentRef(id=5)
IN_ACTION = "runs_in: action\n"
GIVE = "starts nothing by itself: give the input `command: /pool review`"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with opened(tmp_path_factory.mktemp("desk")) as found:
        yield found


@pytest.fixture(autouse=True)
def nothing_is_out_of_order(desk: Desk) -> Iterator[None]:
    yield
    desk.github.faults.clear()


def loader(desk: Desk) -> ConfigLoader:
    return ConfigLoader(desk.services.forge, frozenset(desk.verbs))


def asking(
    desk: Desk, line: str = "/pool review", source: Source = COMMENT, actor: Actor | None = None
) -> CommandRequest:
    mona = Actor(id=desk.mona.id, login="mona")
    return CommandRequest(thread=desk.thread(), actor=actor or mona, source=source, line=line)


async def stopped(desk: Desk, source: Source = COMMENT) -> str:
    """Why a job does not begin; "" where it does."""
    try:
        await preflight(desk.services.forge, loader(desk), asking(desk, source=source))
    except (Stopped, NothingToDo) as why:
        return f"{type(why).__name__}: {why}"
    return ""


@pytest.mark.parametrize(
    ("route", "what", "permission"),
    [
        ("/repos/{owner}/{repo}", "the repository", "`metadata: read`"),
        (
            "/repos/{owner}/{repo}/issues/{issue_number}",
            "number 2",
            "`issues: read` or `pull-requests: read`",
        ),
        ("/repos/{owner}/{repo}/pulls/{pull_number}", "the pull request", "`pull-requests: read`"),
    ],
)
async def test_what_a_token_may_not_read_is_named_with_the_line_that_is_missing(
    desk: Desk, route: str, what: str, permission: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", "octo/shop/.github/workflows/p.yml@x")
    refused = Respond(403, "Resource not accessible by integration")
    desk.github.faults.add(Fault(refused, method="GET", route=route, times=9))
    why = await stopped(desk)
    assert why.startswith(f"Fault: github_token may not read {what} (GitHub answered 403")
    assert why.endswith(
        f"Add {permission} to `permissions:` of this job in .github/workflows/p.yml"
    )


async def test_a_token_that_is_none_is_told_from_one_that_lacks_something(desk: Desk) -> None:
    bad = Respond(401, "Bad credentials")
    desk.github.faults.add(Fault(bad, method="GET", route="/repos/{owner}/{repo}", times=9))
    why = await stopped(desk)
    assert why.startswith("Fault: github_token: GitHub does not accept it (")
    assert "permissions:" not in why


async def test_an_outage_is_no_fault_of_the_token(desk: Desk) -> None:
    desk.github.faults.add(Fault(Respond(502), method="GET", times=99))
    why = await stopped(desk)
    assert why.startswith("Fault: GitHub could not be reached to read the repository: ")
    assert why.endswith(". Run the job again")


@pytest.mark.parametrize(
    ("config", "source", "why"),
    [
        ("", COMMENT, ""),  # a job was started on purpose
        (IN_ACTION, COMMENT, ""),
        (
            "runs_in: app\n",
            COMMENT,
            "NothingToDo: `runs_in: app` in .github/claude-pool.yml leaves",
        ),
        # nobody has switched it on, or off
        (
            "",
            OPENED,
            f"Fault: the event (opened) {GIVE}, or set `triggers.opened: true`",
        ),
        (
            "",
            Trigger(kind="push", id="3"),
            f"Fault: the event (push) {GIVE}, or set `review.on_push: true`",
        ),
        ("triggers: {opened: true}\n", OPENED, ""),
        (
            "triggers: {opened: false}\n",
            OPENED,
            "NothingToDo: `triggers.opened` in .github/claude-pool.yml is off",
        ),
        (
            "triggers: {labels: false}\n",
            LABEL,
            "NothingToDo: `triggers.labels` in .github/claude-pool.yml is off",
        ),
        ("triggers: {labels: false}\n", COMMENT, ""),
        # given with the workflow, or by the clock
        ("triggers: {opened: false}\n", Trigger(kind="workflow", id="4"), ""),
        ("triggers: {opened: false}\n", Trigger(kind="schedule", id="5"), ""),
    ],
)
async def test_a_repository_decides_what_starts_a_job(
    desk: Desk, config: str, source: Source, why: str
) -> None:
    with desk.configured(config or "{}\n"):
        found = await stopped(desk, source)
    assert found.startswith(why)
    assert bool(found) is bool(why)


async def test_a_faulty_configuration_is_told_as_the_commands_answer_and_stops_nothing(
    desk: Desk,
) -> None:
    with desk.configured("runs_in: [\n"):
        found = await preflight(desk.services.forge, loader(desk), asking(desk))
    assert isinstance(found, Faults)
    assert found.faults


async def test_without_a_thread_none_is_read(desk: Desk) -> None:
    route = "/repos/{owner}/{repo}/issues/{issue_number}"
    fault = desk.github.faults.add(Fault(Reset(), route=route, times=9))
    found = await preflight(desk.services.forge, loader(desk), asking(desk), placed=False)
    assert isinstance(found, RepositoryConfig)
    assert fault.hits == 0


# ---- who asks


@pytest.mark.parametrize(
    ("role", "line", "kept_out"),
    [
        ("none", "/pool review", True),
        ("read", "/pool review", True),
        ("triage", "/pool review", True),
        ("write", "/pool review", False),
        ("read", "/pool no such verb", True),
        ("triage", "/pool no such verb", False),
        # its thread's author may ask for that, which is not known yet
        ("none", "/pool status", False),
    ],
)
async def test_whoever_is_refused_whatever_is_stored_is_kept_out(
    desk: Desk, role: str, line: str, *, kept_out: bool
) -> None:
    user = desk.user(f"u{role}{len(line)}", role)
    request = asking(desk, line, actor=Actor(id=user.id, login=user.login))
    verbs = {name: each.verb for name, each in desk.verbs.items()}
    assert await is_kept_out(desk.services.forge, loader(desk), verbs, request) is kept_out


@pytest.mark.parametrize(
    ("config", "kept_out"),
    [
        ("permissions: {review: triage}\n", True),
        ("bots: [4711]\n", True),
        ("{bots: [4711], permissions: {review: triage}}\n", False),
        ("{bots: [4712], permissions: {review: triage}}\n", True),
        ("bots: [\n", True),
    ],
)
async def test_a_bot_is_kept_out_unless_the_configuration_lists_it_and_lets_it_triage(
    desk: Desk, config: str, *, kept_out: bool
) -> None:
    request = asking(desk, actor=Actor(id=4711, login="robot[bot]", is_human=False))
    verbs = {name: each.verb for name, each in desk.verbs.items()}
    with desk.configured(config):
        assert await is_kept_out(desk.services.forge, loader(desk), verbs, request) is kept_out


async def test_a_workflows_schedule_asks_for_nobody(desk: Desk) -> None:
    """GitHub names a merge queue's bot for it, or somebody who has left."""
    nobody = Actor(id=4711, login="github-merge-queue[bot]", is_human=False)
    verbs = {name: each.verb for name, each in desk.verbs.items()}
    for kind, kept_out in (("schedule", False), ("workflow", True)):
        request = asking(desk, source=Trigger(kind=kind, id="5"), actor=nobody)
        assert await is_kept_out(desk.services.forge, loader(desk), verbs, request) is kept_out


@pytest.mark.parametrize(("needs", "kept_out"), [("read", False), ("admin", True)])
async def test_the_role_that_a_verb_needs_is_the_repositorys_to_set(
    desk: Desk, needs: str, *, kept_out: bool
) -> None:
    user = desk.user(f"reader-{needs}", "read")
    request = asking(desk, actor=Actor(id=user.id, login=user.login))
    verbs = {name: each.verb for name, each in desk.verbs.items()}
    with desk.configured(f"permissions: {{review: {needs}}}\n"):
        assert await is_kept_out(desk.services.forge, loader(desk), verbs, request) is kept_out
