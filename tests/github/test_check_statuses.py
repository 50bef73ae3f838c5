"""A check where checks may not be written: a commit status says at least the verdict, and goes on doing so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from claude_pool_gh.github.access import AppAccess, JobAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.check_run import Button, CheckRun
from claude_pool_gh.github.effects.effect import Making
from claude_pool_gh.github.effects.marks import marker
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable
from claude_pool_gh.rehearsal.github import Fault, Repository, Respond
from claude_pool_gh.terms import ids
from tests.github.test_answers import Services, services

__all__ = ["services"]
RUNS = "/repos/{owner}/{repo}/check-runs"
RUN = "/repos/{owner}/{repo}/check-runs/{check_run_id}"
WITHOUT = {"contents": "read", "statuses": "write", "metadata": "read"}
Status = Literal["queued", "in_progress", "completed"]


@dataclass
class Commit:
    """A commit of a private repository, of which only those hear who were let in, and who speaks to it."""

    services: Services
    repository: Repository
    named: ids.Repository
    forge: Forge

    def check(self, status: Status = "queued", **more: Any) -> CheckRun:
        usual: dict[str, Any] = {"name": "c", "head": self.repository.head(), "title": "T"}
        return CheckRun(status=status, **usual | {"summary": "S"} | more)

    def facts(self, key: str = "check:1:2:review:x") -> Making:
        return Making(key=key, repository=self.named, marker=marker(key))

    async def make(self, check: CheckRun, **facts: Any) -> int | None:
        return await check.make(self.forge, self.facts(**facts))

    def statuses(self) -> list[tuple[str, str, str | None]]:
        found = self.repository.statuses(self.repository.head())
        return [(each.context, each.state, each.description) for each in found]


def commit(services: Services, access: str, permissions: dict[str, str]) -> Commit:
    github = services.github
    private = github.create_repository("octo/private", private=True)
    installation = github.install(services.app, "octo", [private])
    installation.permissions = permissions
    named = ids.Repository(
        id=private.id, owner="octo", name="private", installation_id=installation.id
    )
    own: AppAccess | JobAccess = AppAccess(
        services.session, github.api_url, str(services.app.id), services.app.private_key
    )
    if access == "job":
        token = github.create_token(github.actions_bot, private, permissions)
        own = JobAccess(services.session, github.api_url, token)
    forge = Forge(services.session, github.api_url, own, patience=0.001)
    return Commit(services, private, named, forge)


@pytest.fixture(params=["app", "job"])
def without(services: Services, request: pytest.FixtureRequest) -> Commit:
    """Where checks were not granted, to the App or to a workflow's job."""
    return commit(services, request.param, dict(WITHOUT))


@pytest.fixture
def granted(services: Services) -> Commit:
    return commit(services, "app", {**WITHOUT, "checks": "write"})


@pytest.mark.parametrize(
    ("status", "conclusion", "state"),
    [
        ("queued", None, "pending"),
        ("in_progress", None, "pending"),
        ("completed", "success", "success"),
        ("completed", "neutral", "success"),
        ("completed", "skipped", "success"),
        ("completed", "failure", "failure"),
        ("completed", "cancelled", "error"),
        ("completed", "action_required", "error"),
    ],
)
async def test_each_conclusion_is_a_status_too(
    services: Services, status: Status, conclusion: Any, state: str
) -> None:
    without = commit(services, "job", dict(WITHOUT))
    check = without.check(status, conclusion=conclusion, title="x" * 200)
    assert await without.make(check) is None
    assert without.statuses() == [("c", state, "x" * 140)]
    assert without.repository.check_runs(without.repository.head()) == []


async def test_what_became_of_the_check_is_said_by_the_next_status(without: Commit) -> None:
    """The writer looks for what an earlier attempt has made, and a status has no id that it could have kept."""
    await without.make(without.check())
    ended = without.check("completed", conclusion="success", title="Done")
    assert await ended.find(without.forge, without.facts()) is None
    await without.make(ended)
    assert without.statuses() == [("c", "success", "Done"), ("c", "pending", "T")]


async def test_another_refusal_of_a_check_is_no_matter_of_permissions(granted: Commit) -> None:
    for answer, met in ((Respond(422, "no"), ForgeRefused), (Respond(502), ForgeUnavailable)):
        fault = Fault(answer, method="POST", route=RUNS, times=1)
        granted.services.github.faults.add(fault)
        with pytest.raises(met):
            await granted.make(granted.check())
    assert granted.statuses() == []


async def test_a_check_is_found_by_its_own_key_whichever_others_have_its_name(
    granted: Commit,
) -> None:
    anna = granted.services.github.create_user("anna")
    head = granted.repository.head()
    assert await granted.check().find(granted.forge, granted.facts()) is None
    other = await granted.make(granted.check(), key="check:1:3:review:x")
    made = await granted.make(granted.check())
    granted.repository.check(head, "c", anna, external_id="theirs")
    newest = await granted.make(granted.check(), key="check:1:4:review:x")
    assert await granted.check().find(granted.forge, granted.facts()) == made
    assert len({other, made, newest}) == 3
    assert await granted.check(name="d").find(granted.forge, granted.facts()) is None


async def test_a_check_has_buttons_and_an_end_that_tells_one_press_from_the_next(
    granted: Commit,
) -> None:
    button = Button(label="Approve", description="Push it", identifier="approve:0123456789")
    shown = granted.check("completed", conclusion="action_required", buttons=(button,))
    made = await granted.make(shown)
    assert made is not None
    (run,) = granted.repository.check_runs(granted.repository.head())
    assert run.actions == [button.model_dump()]
    assert (run.conclusion, run.title, run.summary) == ("action_required", "T", "S")
    answered = shown.model_copy(update={"answered_ms": 1_700_000_000_999})
    assert await answered.update(granted.forge, granted.facts(), made) == made
    assert run.completed_at == 1_700_000_000
    again = granted.check(answered_ms=5)
    await again.update(granted.forge, granted.facts(), made)
    assert (run.status, run.conclusion) == ("queued", None)
    assert not run.completed_at


async def test_an_edit_that_github_refuses_for_another_reason_makes_no_second_check(
    granted: Commit,
) -> None:
    made = await granted.make(granted.check())
    assert made is not None
    no = Respond(403, "Resource not accessible by integration")
    granted.services.github.faults.add(Fault(no, method="PATCH", route=RUN))
    with pytest.raises(ForgeRefused, match="not accessible"):
        await granted.check("in_progress").update(granted.forge, granted.facts(), made)
    assert len(granted.repository.check_runs(granted.repository.head())) == 1
