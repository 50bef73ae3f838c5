"""An approved change on its way to GitHub: pushed as it was approved, once, or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects import proposal as module
from claude_pool_gh.github.effects.change import Authority, Change, check_authority
from claude_pool_gh.github.effects.proposal import Proposal
from claude_pool_gh.github.effects.push import Push
from claude_pool_gh.github.errors import (
    ForgeRefused,
    ForgeUnavailable,
    NotAsApproved,
    PushDeclined,
)
from claude_pool_gh.rehearsal.github import Fault, Pull, Respond, User
from claude_pool_gh.terms.ids import Actor
from claude_pool_gh.terms.roles import Role
from tests.github.making import making
from tests.github.test_answers import Services, services

__all__ = ["services"]
PULLS = "/repos/{owner}/{repo}/pulls"


@dataclass
class Workshop:
    """A repository with a pull request, a commit that was made elsewhere, and a pusher that writes down its orders."""

    services: Services
    pull: Pull
    forge: Forge
    change: Change
    orders: list[tuple[str, str | None]] = field(default_factory=list)

    def may(self, *people: User, least: Role = Role.write) -> Authority:
        actors = people or (self.services.mona,)
        return Authority(
            actors=tuple(Actor(id=each.id, login=each.login) for each in actors), least=least
        )

    def push(self, **fields: Any) -> Push:
        usual = {"number": self.pull.number, "branch": "topic", "change": self.change}
        return Push(**usual | {"authority": self.may()} | fields)

    def proposal(self, **fields: Any) -> Proposal:
        usual: dict[str, Any] = {"branch": "claude-pool/fix", "base": "main", "title": "Fix"}
        usual |= {"body": "It is mended.", "change": self.change, "authority": self.may()}
        return Proposal(**usual | fields)

    def place(self, branch: str, commit: str | None) -> None:
        self.services.shop.git.set_ref(f"refs/heads/{branch}", commit)

    async def made(self, effect: Push | Proposal) -> int:
        return await effect.make(self.forge, making(self.services))

    async def found(self, effect: Push | Proposal) -> int | None:
        return await effect.find(self.forge, making(self.services))


@pytest.fixture
async def shop(services: Services) -> Workshop:
    shop, mona = services.shop, services.mona
    parent = shop.commit("topic", {"a.py": "x = 1\n"}, author=mona)
    pull = shop.open_pull("topic", author=mona)
    commit = shop.commit("elsewhere", {"a.py": "x = 2\n"}, author=mona, onto=parent)
    shop.git.set_ref("refs/heads/elsewhere", None)
    change = Change(
        run_id="r",
        parent=parent,
        commit=commit,
        message="m",
        author_name="n",
        author_email="e",
        made_s=0,
    )
    orders: list[tuple[str, str | None]] = []

    async def push(_repository: Any, ref: str, what: Change, expected: str | None) -> None:
        orders.append((ref, expected))
        shop.git.set_ref(ref, what.commit)
        if ref == "refs/heads/topic":
            pull.head_sha = what.commit

    forge = Forge(
        services.session, services.github.api_url, services.forge.access, push, patience=0.001
    )
    return Workshop(services, pull, forge, change, orders)


# ---- who must still be allowed to


@pytest.mark.parametrize(
    ("role", "least", "told"),
    [
        ("write", Role.write, ""),
        ("admin", Role.write, ""),
        ("triage", Role.write, "anna has the role triage now, and write is needed"),
        ("none", Role.write, "anna has the role read now, and write is needed"),
        ("write", Role.maintain, "anna has the role write now, and maintain is needed"),
    ],
)
async def test_everybody_must_be_allowed_to_in_this_very_moment(
    shop: Workshop, role: Any, least: Role, told: str
) -> None:
    anna = shop.services.github.create_user("anna")
    shop.services.shop.grant(anna, role)
    wanted = shop.may(shop.services.mona, anna, least=least)
    if not told:
        await check_authority(shop.forge, shop.services.named, wanted)
        return
    with pytest.raises(NotAsApproved) as met:
        await check_authority(shop.forge, shop.services.named, wanted)
    assert str(met.value) == told
    for effect in (shop.push(authority=wanted), shop.proposal(authority=wanted)):
        with pytest.raises(NotAsApproved, match="is needed"):
            await shop.made(effect)
    assert shop.orders == []


def test_what_people_read_of_a_refused_push_is_its_reason_alone() -> None:
    assert str(NotAsApproved("the branch has moved")) == "the branch has moved"
    assert str(PushDeclined("protected branch")) == "protected branch"
    assert (NotAsApproved("x").status, PushDeclined("x").status) == (409, 422)


# ---- a push


async def test_a_push_is_made_from_where_the_approval_saw_the_branch(shop: Workshop) -> None:
    assert await shop.found(shop.push()) is None
    assert await shop.made(shop.push()) == shop.pull.number
    assert shop.orders == [("refs/heads/topic", shop.change.parent)]
    assert await shop.found(shop.push()) == shop.pull.number
    shop.services.shop.commit("topic", {"b.py": "1\n"}, onto=shop.change.commit)
    assert await shop.found(shop.push()) == shop.pull.number, "whatever came on top of it"


async def test_a_push_that_is_not_as_it_was_approved_is_not_made(shop: Workshop) -> None:
    moved = shop.services.shop.commit("topic", {"b.py": "1\n"}, author=shop.services.mona)
    with pytest.raises(NotAsApproved) as met:
        await shop.made(shop.push())
    assert str(met.value) == f"the branch has moved to {moved[:9]} after the approval"
    with pytest.raises(NotAsApproved, match="the pull request's branch is not in this repository"):
        await shop.made(shop.push(branch="other"))
    shop.services.shop.close(shop.pull)
    with pytest.raises(NotAsApproved, match="the pull request was closed after the approval"):
        await shop.made(shop.push())
    assert shop.orders == []


async def test_nothing_is_pushed_to_a_branch_of_that_name_in_another_repository(
    shop: Workshop,
) -> None:
    fork = shop.services.shop.fork("stranger")
    fork.commit("topic", {"a.py": "x = 3\n"})
    stranger = shop.services.github.create_user("stranger")
    theirs = shop.services.shop.open_pull("topic", author=stranger, head_repository=fork)
    change = shop.change.model_copy(update={"parent": theirs.head_sha})
    with pytest.raises(NotAsApproved, match="not in this repository any more"):
        await shop.made(shop.push(number=theirs.number, change=change))
    assert shop.orders == []


async def test_a_commit_that_went_another_way_does_not_stand(shop: Workshop) -> None:
    shop.services.shop.commit("topic", {"c.py": "1\n"}, onto=shop.change.parent)
    shop.place("kept", shop.change.commit)
    assert await shop.found(shop.push()) is None


# ---- a pull request


async def test_a_proposal_is_a_branch_and_a_pull_request_for_it(shop: Workshop) -> None:
    effect = shop.proposal(draft=True)
    assert await shop.found(effect) is None
    number = await shop.made(effect)
    assert shop.orders == [("refs/heads/claude-pool/fix", None)]
    made = shop.services.shop.pull(number)
    assert (made.title, made.body, made.draft) == ("Fix", "It is mended.", True)
    assert (made.base_ref, made.head_ref, made.head_sha) == (
        "main",
        "claude-pool/fix",
        shop.change.commit,
    )
    assert await shop.found(effect) == number
    shop.services.shop.close(made)
    assert await shop.found(effect) == number, "one that a person closed is not made again"


async def test_a_branch_that_an_earlier_try_has_made_is_used(shop: Workshop) -> None:
    shop.place("claude-pool/fix", shop.change.commit)
    assert await shop.made(shop.proposal())
    assert shop.orders == []


async def test_a_branch_with_something_else_on_it_is_left_alone(shop: Workshop) -> None:
    shop.place("claude-pool/fix", shop.change.parent)
    with pytest.raises(NotAsApproved, match="there is a branch claude-pool/fix already"):
        await shop.made(shop.proposal())
    assert shop.orders == []
    assert len(shop.services.shop.pulls) == 1


async def test_a_pull_request_that_stands_already_is_the_one(shop: Workshop) -> None:
    number = await shop.made(shop.proposal())
    assert await shop.made(shop.proposal()) == number
    assert len(shop.services.shop.pulls) == 2


async def test_a_pull_request_of_somebody_else_for_the_branch_is_not_ours(shop: Workshop) -> None:
    shop.place("claude-pool/fix", shop.change.commit)
    anna = shop.services.github.create_user("anna")
    shop.services.shop.open_pull("claude-pool/fix", author=anna)
    assert await shop.found(shop.proposal()) is None
    with pytest.raises(ForgeRefused, match="A pull request already exists"):
        await shop.made(shop.proposal())


async def test_a_branch_that_github_does_not_know_yet_is_waited_for(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHOWN_AFTER", (0.001, 0.001))
    no_head = {"errors": [{"resource": "PullRequest", "field": "head", "code": "invalid"}]}
    unknown = Respond(422, "Validation Failed", body=_json({"message": "Failed"} | no_head))
    fault = shop.services.github.faults.add(Fault(unknown, method="POST", route=PULLS, times=2))
    assert await shop.made(shop.proposal())
    assert fault.hits == 2
    fault.times = 99
    with pytest.raises(ForgeRefused, match="head invalid"):
        await shop.made(shop.proposal(branch="other"))
    assert fault.hits == 5, "as often as there are pauses, and once more"


@pytest.mark.parametrize(
    ("answer", "met"),
    [
        (Respond(422, "No commits between main and x"), ForgeRefused),
        (Respond(403, "head: Resource not accessible by integration"), ForgeRefused),
        (Respond(502), ForgeUnavailable),
    ],
)
async def test_another_refusal_is_told_at_once(
    shop: Workshop, answer: Respond, met: type[Exception]
) -> None:
    fault = shop.services.github.faults.add(Fault(answer, method="POST", route=PULLS, times=99))
    with pytest.raises(met):
        await shop.made(shop.proposal())
    assert fault.hits == 1


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
