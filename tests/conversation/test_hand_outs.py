"""What the host adds to an agent's answer: links to lines that there are, and why no check was run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from claude_pool_gh.config.model import Check
from claude_pool_gh.conversation.agent_verb import ReadingVerb, StepContext
from claude_pool_gh.conversation.answers import _link
from claude_pool_gh.conversation.changes import checks
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts
from claude_pool_gh.conversation.facts import ThreadFacts
from claude_pool_gh.conversation.recipes.outputs import StatedPlace
from claude_pool_gh.conversation.registry import handlers
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.conversation.verbs.continue_ import _with_turns
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.states import StepState
from claude_pool_gh.terms.links import Links
from tests.conversation.rows import HEAD, chain, facts, step

UNIT = Check(name="unit", run="make test")
PAGE = f"https://github.example/octo/shop/blob/{HEAD}"


def services(**fields: Any) -> Services:
    links = Links(server="https://github.example")
    return cast(Services, SimpleNamespace(links=links, sandbox=None, **fields))


# ---- links


@pytest.mark.parametrize(
    ("path", "start", "end", "url"),
    [
        ("a.py", 1, 1, "a.py#L1"),
        ("a.py", 1, 3, "a.py#L1-L3"),
        ("a.py", 3, 3, "a.py#L3"),
        ("a.py", 3, 4, None),
        ("a.py", 2, 1, None),
        ("b.py", 1, 1, None),
        ("with blank#.py", 1, 1, "with%20blank%23.py#L1"),
    ],
    ids=[
        "a line",
        "several",
        "the last",
        "beyond the last",
        "backwards",
        "no file",
        "a name with signs",
    ],
)
def test_a_link_leads_to_lines_that_there_are(
    path: str, start: int, end: int, url: str | None
) -> None:
    context: StepContext[ThreadFacts] = StepContext(services(), "c", facts(), {})
    stated = StatedPlace(path=path, start_line=start, end_line=end)
    found = _link(context, stated, {"a.py": "x\ny\nz", "with blank#.py": "x"})
    assert (None if found is None else found.url) == (None if url is None else f"{PAGE}/{url}")
    assert found is None or (found.path, found.start, found.end) == (path, start, end)


# ---- checks


def change(**fields: Any) -> ChangeFacts:
    values = facts().model_dump() | {"branch": "topic", "into": "", "checks": (UNIT,)}
    return ChangeFacts(**values | fields)


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (change(checks=()), "`changes.checks` in the configuration is empty"),
        (change(checks=(), fork=True), "`changes.checks` in the configuration is empty"),
        (change(fork=True), "this is a fork, and checks do not run on forks"),
        (change(), "this server runs no checks"),
    ],
    ids=["none", "none for a fork either", "a fork", "no sandbox"],
)
async def test_where_no_check_runs_it_is_said_why(of: ChangeFacts, why: str) -> None:
    assert await checks.run(services(), of, HEAD) == {"checks": f"**not checked**: {why}"}
    draft = of.model_copy(update={"draft": True})
    assert await checks.run(services(), draft, HEAD) == {
        "checks": f"**not checked**: {why}; an approval opens a draft pull request, "
        "which the repository's own CI checks"
    }


@pytest.mark.parametrize(
    ("planned", "state", "names", "told"),
    [
        (HostCall(name="c", call="change.check"), StepState.running, ["a", "b"], "checks: a, b"),
        (HostCall(name="c", call="change.propose"), StepState.running, ["a"], "checks: a"),
        (HostCall(name="c", call="change.push"), StepState.running, ["a"], ""),
        (HostCall(name="c", call="change.check"), StepState.completed, ["a"], ""),
        (HostCall(name="c", call="change.check"), StepState.pending, ["a"], ""),
        (HostCall(name="c", call="change.check"), StepState.running, [], ""),
        (AgentRun(name="c", prompt="p"), StepState.running, ["a"], ""),
    ],
    ids=["tried", "shown", "pushed", "over", "not begun", "none", "an agent"],
)
def test_a_running_step_tells_which_checks_it_waits_for(
    planned: Step, state: StepState, names: list[str], told: str
) -> None:
    own = {"checks": [{"name": name} for name in names]}
    found = chain(planned, rows=[step("c", state)], context=own)
    assert checks.on_their_way(found, planned, found.steps[0]) == told


# ---- verbs that read


READING = [name for name, each in handlers().items() if isinstance(each, ReadingVerb)]


@pytest.mark.parametrize("name", READING)
def test_every_verb_that_reads_has_its_brief_and_its_end(name: str) -> None:
    verb = handlers()[name]
    assert isinstance(verb, ReadingVerb)
    assert set(verb.host_steps(services())) == {f"{name}.brief", f"{name}.{verb.ends_in}"}
    assert name in verb.schemas
    assert verb.report(cast(Any, None), chain(verb=name)) is None, "nothing was said yet"


@pytest.mark.parametrize("said", [None, {}, {"answer": ""}, {"answer": 1}, "yes"])
def test_an_answer_of_another_form_is_none(said: object) -> None:
    verb = handlers()["ask"]
    assert isinstance(verb, ReadingVerb)
    results = {"answer": [{"structured": said}]}
    context: StepContext[ThreadFacts] = StepContext(services(), "c", facts(), results)
    with pytest.raises(StepFailed, match="does not have the requested form"):
        context.stated("answer", verb.output)


def test_the_turns_of_a_command_reach_every_branch() -> None:
    runs = (AgentRun(name="a", prompt="p"), AgentRun(name="b", prompt="p"))
    both = _with_turns(Branches(name="both", branches=runs), 50)
    assert isinstance(both, Branches)
    assert [run.overrides.max_turns for run in both.branches] == [50, 50]
    host = HostCall(name="c", call="x.y")
    assert _with_turns(host, 50) == host
