"""Pushes, delays, rejections, approvals and crashes in any order: nothing goes out that its approver was not shown.

The rows, the gate, the approval and the last look before the push are the real ones; only GitHub's answers and git's
compare-and-set are played, by a repository of three facts: head, configuration, open or closed.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from claude_pool_gh.conversation.changes import gates
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts
from claude_pool_gh.conversation.changes.gates import Policy, gate_of
from claude_pool_gh.conversation.verbs import approve
from claude_pool_gh.github import decisions
from claude_pool_gh.github.effects.change import Authority, Change
from claude_pool_gh.github.effects.effect import Making
from claude_pool_gh.github.effects.push import Push
from claude_pool_gh.github.errors import NotAsApproved
from claude_pool_gh.pool.model.caps import Caps
from claude_pool_gh.pool.model.plan import AgentRun, HostCall, Limits, Plan
from claude_pool_gh.pool.model.ports import CapturedChange
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import chains, steps, tasks
from claude_pool_gh.pool.store.approvals import reject
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import Actor, Repository, Thread
from tests.rotation import examples

REPOSITORY = Repository(id=7, owner="octo", name="shop", installation_id=1)
THREAD = Thread(repository=REPOSITORY, number=1)
PEOPLE = [Actor(id=number, login=f"user{number}") for number in (1, 2, 3)]
CAME_TO: Counter[str] = Counter()
POLICIES = st.sampled_from(
    [
        Policy(),
        Policy(),
        Policy(approvals=2),
        Policy(four_eyes=True),
        Policy(approvals=2, four_eyes=True),
    ]
)
SELDOM = st.sampled_from([False, False, True])
CAPS = Caps(task=10**6, chain=10**6)
STEPS = (
    AgentRun(name="mend", prompt="x"),
    HostCall(
        name="propose", call="change.propose", gate=True, again_from="mend", max_rejections=50
    ),
    HostCall(name="push", call="change.push"),
)


def commit_of(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclass
class Hub:
    """What GitHub knows."""

    head: str = commit_of("head")
    config: str = "c0"
    open: bool = True
    roles: dict[int, str] = field(default_factory=lambda: dict.fromkeys((1, 2, 3), "write"))
    pushed: list[str] = field(default_factory=list)

    async def read(self, _repository: Repository, path: str, **_: Any) -> Any:
        if path.startswith("/collaborators/"):
            number = int(path.split("/")[2].removeprefix("user"))
            return {"user": {"id": number}, "role_name": self.roles[number], "permission": "none"}
        return {
            "number": 1,
            "title": "",
            "body": "",
            "user": None,
            "state": "open" if self.open else "closed",
            "head": {"sha": self.head, "ref": "feature", "repo": {"id": 7}},
            "base": {"ref": "main", "sha": commit_of("base")},
        }

    async def pusher(
        self, _repository: Repository, _ref: str, change: Change, expected: str | None
    ) -> None:
        if expected != self.head:  # git's own compare-and-set
            raise NotAsApproved("the branch has moved")
        self.pushed.append(change.commit)
        self.head = change.commit


class Gate(RuleBasedStateMachine):
    """One chain at its gate."""

    def __init__(self) -> None:
        super().__init__()
        self.database, self.runner = Database.temporary(), asyncio.Runner()
        migrations.upgrade(self.database.engine)
        self.hub, self.now, self.chains, self.attempt = Hub(), 0, 0, 0
        self.shown: dict[str, tuple[str, str, str]] = {}
        """What each ID stood for when it was shown: commit, head, configuration."""
        self.approved: dict[str, set[int]] = {}
        self.chain, self.calm = "", True
        self.wanted: Push | None = None

    def teardown(self) -> None:
        self.runner.close()
        self.database.close()

    def do(self, work: Any) -> Any:
        return self.runner.run(self.database.transact(work))

    # ---- what the bot does

    @initialize(policy=POLICIES)
    def ask_first(self, policy: Policy) -> None:
        self.ask(policy)

    @precondition(lambda self: not self.chain and not self.wanted)
    @rule(policy=POLICIES)
    def ask_again(self, policy: Policy) -> None:
        self.ask(policy)

    def ask(self, policy: Policy) -> None:
        self.chains += 1
        self.chain, self.attempt = f"chain{self.chains}", 0
        self.facts = ChangeFacts(
            thread=THREAD,
            place="pull",
            requester=PEOPLE[0],
            line="/pool fix",
            head=self.hub.head,
            base=commit_of("base"),
            base_ref="main",
            default_branch="main",
            config_blob=self.hub.config,
            merge_base=commit_of("base"),
            branch="feature",
            into="",
            policy=policy,
        )
        plan = Plan(
            verb="fix",
            steps=STEPS,
            context=self.facts.model_dump(mode="json"),
            limits=Limits(task=10**6, chain=10**6, wall_seconds=1, idle_seconds=1),
        )
        account = {"thread": "7:1", "user": "1", "repository": "7"}
        self.do(lambda tx: chains.create(tx, self.chain, plan, account, CAPS, self.now))
        self.do(lambda tx: chains.begin(tx, chains.get(tx, self.chain), self.now))
        self._present()

    def _present(self) -> None:
        """The agent's work of this attempt is captured and laid before people."""
        self.attempt += 1
        run = f"{self.chain}.mend.0.{self.attempt}"
        head = "diff --git a/x b/x\nindex 7898192..6178079 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n"
        patch = f"{head}-a\n+{self.attempt}\n".encode()
        work = CapturedChange(
            base=self.hub.head,
            commit=commit_of(run),
            patch=patch,
            digest=hashlib.sha256(patch).hexdigest(),
        )

        def present(tx: Transaction) -> None:
            chain = chains.get(tx, self.chain)
            tasks.keep_work(tx, run, self.chain, work, self.now)
            mend, propose = chain.steps[:2]
            steps.begin(tx, mend, self.now)
            steps.complete(tx, mend, [], self.now, {"run": run, "commit": work.commit})
            steps.begin(tx, propose, self.now)
            steps.present(tx, propose, {"run": run})
            chains.park(tx, chains.get(tx, self.chain), "approval")

        self.do(present)
        gate = self._gate(self.facts.head, self.facts.config_blob)
        self.calm = True
        self.shown[gate] = (commit_of(run), self.facts.head, self.facts.config_blob)

    def _gate(self, head: str, config: str) -> str:
        def read(tx: Transaction) -> Any:
            return gate_of(
                tx,
                chains.get(tx, self.chain),
                head=head,
                merge_base=self.facts.merge_base,
                config_blob=config,
            )

        found = self.do(read)
        assert found is not None
        return str(found.id)

    # ---- what people and GitHub do

    @precondition(lambda self: self.calm or self.wanted)
    @rule(now=SELDOM)
    def somebody_pushes(self, now: bool) -> None:
        if now or self.wanted:
            self.hub.head, self.calm = commit_of(self.hub.head), False

    @precondition(lambda self: self.calm)
    @rule(now=SELDOM)
    def the_configuration_changes(self, now: bool) -> None:
        if now:
            self.hub.config, self.calm = f"{self.hub.config}x", False

    @rule(who=st.sampled_from(PEOPLE), role=st.sampled_from(["read", "write"]))
    def a_role_changes(self, who: Actor, role: str) -> None:
        self.hub.roles[who.id] = role

    @precondition(lambda self: self.chain and self.shown)
    @rule(data=st.data(), who=st.sampled_from(PEOPLE))
    def somebody_approves_what_was_shown_at_some_time(self, data: Any, who: Actor) -> None:
        self._approve(data.draw(st.sampled_from(sorted(self.shown))), who)

    @precondition(lambda self: self.chain and self.shown)
    @rule(who=st.sampled_from(PEOPLE), again=st.sampled_from(PEOPLE))
    def somebody_approves_what_is_shown_now(self, who: Actor, again: Actor) -> None:
        given = list(self.shown)[-1]
        self._approve(given, who)
        if self.chain:
            self._approve(given, again)

    def _approve(self, given: str, who: Actor) -> None:
        live = approve._Live(self.hub.head, self.facts.merge_base, self.hub.config)
        if live.head != self.facts.head:
            live = replace(live, merge_base="")
        asked: Any = SimpleNamespace(
            request=SimpleNamespace(actor=who, line=""),
            command=SimpleNamespace(words=(given,)),
            key="7:1",
        )
        services: Any = SimpleNamespace(clock=SimpleNamespace(now_ms=lambda: self.now))
        _, went_on = self.do(
            lambda tx: approve._approve(tx, services, asked, self.chain, given, live)
        )
        CAME_TO["approved" if went_on else "refused"] += 1
        if went_on:
            self.approved.setdefault(given, set()).add(who.id)
        if self.do(lambda tx: chains.get(tx, self.chain)).state is ChainState.queued:
            self._want(given)

    def _want(self, gate: str) -> None:
        """The chain goes on and wants its push; from here on only the row counts, however often the server dies."""

        def read(tx: Transaction) -> tuple[Any, list[decisions.Approval]]:
            chain = chains.get(tx, self.chain)
            return chain.work, decisions.approvals_of(tx, gate)

        work, people = self.do(read)
        actors = tuple(
            each for each in PEOPLE if each.id in {1, *(person.actor_id for person in people)}
        )
        change = Change(
            run_id=work["run"],
            parent=self.facts.head,
            commit=work["commit"],
            message="",
            author_name="",
            author_email="",
            made_s=0,
        )
        self.wanted = Push(
            number=1, branch="feature", change=change, authority=Authority(actors=actors, least=3)
        )
        self.gate, self.chain = gate, ""

    @precondition(lambda self: self.chain)
    @rule()
    def somebody_rejects(self) -> None:
        def back(tx: Transaction) -> None:
            reject(tx, self.chain, "no", self.now)
            chains.begin(tx, chains.get(tx, self.chain), self.now)

        self.do(back)
        self._present()

    @precondition(lambda self: self.wanted)
    @rule()
    def the_push_is_made_sooner_or_later(self) -> None:
        assert self.wanted is not None
        commit, head, config = self.shown[self.gate]
        before, roles = self.hub.head, dict(self.hub.roles)
        try:
            hub: Any = self.hub
            making = Making(key="push", repository=REPOSITORY, marker="")
            self.runner.run(self.wanted.make(hub, making))
        except NotAsApproved:
            assert self.hub.head == before
            CAME_TO["stopped at the last moment"] += 1
        else:
            assert self.hub.pushed[-1] == commit == self.wanted.change.commit, (
                "exactly what was shown"
            )
            assert before == head, "exactly where it was shown"
            assert self.approved[self.gate], "and somebody said so of this very ID"
            assert all(roles[actor.id] == "write" for actor in self.wanted.authority.actors)
            assert config
            CAME_TO["pushed"] += 1
        self.wanted = None

    @invariant()
    def nothing_went_out_without_a_word(self) -> None:
        allowed = {commit for gate, (commit, *_) in self.shown.items() if self.approved.get(gate)}
        assert set(self.hub.pushed) <= allowed


@pytest.mark.timeout(300)
def test_nothing_is_pushed_that_its_approver_was_not_shown() -> None:
    every = settings(max_examples=examples(60), stateful_step_count=25, deadline=None)
    run_state_machine_as_test(Gate, settings=every)
    assert CAME_TO["approved"] > 0, CAME_TO
    assert CAME_TO["refused"] > 0, CAME_TO


@pytest.mark.parametrize(
    ("meanwhile", "end"),
    [
        (lambda _machine: None, "pushed"),
        (lambda machine: machine.somebody_pushes(now=True), "stopped at the last moment"),
        (lambda machine: machine.a_role_changes(PEOPLE[1], "read"), "stopped at the last moment"),
    ],
    ids=["nothing", "a push", "a lost role"],
)
def test_the_machine_comes_to_every_end(meanwhile: Callable[[Gate], None], end: str) -> None:
    machine, before = Gate(), CAME_TO[end]
    try:
        machine.ask(policy=Policy())
        machine.somebody_approves_what_is_shown_now(PEOPLE[1], PEOPLE[2])
        meanwhile(machine)
        machine.the_push_is_made_sooner_or_later()
    finally:
        machine.teardown()
    assert CAME_TO[end] == before + 1


def test_with_an_id_that_binds_nothing_the_machine_finds_what_slips_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gates, "gate_id", lambda chain_id, *_, **__: chain_id[:10])
    machine = Gate()
    try:
        machine.ask(policy=Policy())
        machine.somebody_rejects()
        first = next(iter(machine.shown))
        assert len(machine.shown) == 1, "the second patch goes by the first one's name"
        live = approve._Live(machine.hub.head, machine.facts.merge_base, machine.hub.config)
        asked: Any = SimpleNamespace(
            request=SimpleNamespace(actor=PEOPLE[1], line=""),
            command=SimpleNamespace(words=(first,)),
            key="7:1",
        )
        services: Any = SimpleNamespace(clock=SimpleNamespace(now_ms=lambda: 0))
        _, went_on = machine.do(
            lambda tx: approve._approve(tx, services, asked, machine.chain, first, live)
        )
        assert went_on, "the guard is what the test above rests on"
    finally:
        machine.teardown()
