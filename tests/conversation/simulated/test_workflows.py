"""A repository's own workflows, skills and rules are used as its default branch has them, and held to the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from claude_pool_gh.conversation.audit.server import Server
from claude_pool_gh.pool.model.plan import AgentRun, HostCall, Plan
from claude_pool_gh.pool.model.ports import HostStepContext
from tests.conversation.simulated.kit import Desk, Heard

pytestmark = pytest.mark.asyncio(loop_scope="module")
FOLDER = ".github/claude-pool"
TIDY = (
    "name: tidy\ndescription: Tidies.\nsteps:\n  - name: look\n    prompt: 'Look at {args.what}.'\n"
)
ARGUMENTS = "arguments:\n  - name: what\n  - name: how\n    required: false\n"
MENDS = """\
name: mends
description: Mends.
steps:
  - {name: look, prompt: Look., tools: [Read]}
  - {name: mend, prompt: Mend., tools: [Read, Edit]}
"""


@contextmanager
def kept(desk: Desk, files: Mapping[str, str]) -> Iterator[None]:
    """Have files of the repository's own for a while."""
    desk.shop.commit("main", {f"{FOLDER}/{name}": text for name, text in files.items()})
    yield
    desk.shop.commit("main", {f"{FOLDER}/{name}": None for name in files})


def plan(heard: Heard) -> Plan:
    assert heard.chain is not None, heard.text
    return heard.chain.plan


def calls(made: Plan) -> list[str]:
    return [step.call for step in made.steps if isinstance(step, HostCall)]


# ---- run


async def test_a_workflow_is_run_with_its_arguments(desk: Desk) -> None:
    pull = desk.topic()
    with kept(desk, {"workflows/tidy.yml": TIDY + ARGUMENTS}):
        heard = await desk.say("/pool run tidy what=locks", at=pull)
    made = plan(heard)
    assert made.verb == "run"
    assert made.arguments == {"what": "locks", "how": ""}
    assert (made.context["workflow"], made.context["arguments"]) == ("tidy", made.arguments)
    assert [step.name for step in made.steps] == ["brief", "look", "reply"]
    assert calls(made) == ["thread.brief", "run.reply"]
    assert heard.chain is not None
    assert heard.chain.labels.workflow == "tidy"
    assert desk.verbs["run"].intent(heard.chain) == "Runs the workflow `tidy`."


async def test_a_workflow_that_changes_files_goes_through_the_gate(desk: Desk) -> None:
    pull, issue = desk.topic(), desk.problem()
    with kept(desk, {"workflows/mends.yml": MENDS}):
        on_pull = plan(await desk.say("/pool run mends", at=pull))
        in_issue = plan(await desk.say("/pool run mends", at=issue))
    assert calls(on_pull) == ["thread.brief", "change.propose", "change.open"]
    propose = next(step for step in on_pull.steps if step.name == "propose")
    assert (propose.gate, propose.again_from) == (True, "mend")
    own = on_pull.context
    assert (own["branch"], own["into"], own["fork"]) == (pull.head_ref, "", False)
    assert own["merge_base"] == pull.merge_base()
    new = in_issue.context
    assert new["branch"].startswith(f"pool/run-{issue.number}-")
    assert (new["into"], new["merge_base"]) == ("main", new["head"])


async def test_a_forks_change_is_a_patch(desk: Desk) -> None:
    fork = desk.shop.fork("rita")
    fork.commit("patch", {"app.py": "r\n"})
    desk.topic()
    pull = desk.shop.open_pull("patch", author=desk.mona, head_repository=fork)
    with kept(desk, {"workflows/mends.yml": MENDS}):
        assert plan(await desk.say("/pool run mends", at=pull)).context["fork"] is True


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/pool run Tidy!", "`/pool run` needs the name of a workflow in `.github/claude-pool"),
        ("/pool run review", "`/pool run` needs the name of a workflow in `.github/claude-pool"),
        ("/pool run audit-security", "`/pool run` needs the name of a workflow"),
        ("/pool run tidy what", "`/pool run` needs arguments as `KEY=VALUE`, each once."),
        ("/pool run tidy what=a what=b", "`/pool run` needs arguments as `KEY=VALUE`, each once."),
        ("/pool run tidy", "A recipe of this repository has an error, so nothing was run"),
        ("/pool run tidy what=a who=b", "A recipe of this repository has an error"),
        ("/pool run nothing", "A recipe of this repository has an error, so nothing was run"),
    ],
    ids=[
        "no name",
        "a verb's",
        "an audit's",
        "no value",
        "twice",
        "one is missing",
        "one too many",
        "no workflow",
    ],
)
async def test_a_line_that_does_not_fit_the_workflow_runs_nothing(
    desk: Desk, line: str, said: str
) -> None:
    with kept(desk, {"workflows/tidy.yml": TIDY + ARGUMENTS}):
        heard = await desk.say(line, at=desk.topic())
    assert heard.text.startswith(said)
    assert heard.chain is None


async def test_a_workflow_is_that_of_the_default_branch_and_not_of_the_change(desk: Desk) -> None:
    pull = desk.topic()
    desk.shop.commit(pull.head_ref, {f"{FOLDER}/workflows/tidy.yml": TIDY})
    heard = await desk.say("/pool run tidy", at=pull)
    assert "has an error" in heard.text
    assert heard.chain is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("tidy", TIDY.replace("prompt", "promt"), "promt"),
        ("tidy", TIDY.replace("{args.what}", "{steps.none.x}"), "no earlier step is called 'none'"),
        ("tidy", TIDY.replace("'Look at {args.what}.'", "x\n    tools: [Bash]"), "Bash"),
        (
            "tidy",
            TIDY.replace("prompt: 'Look at {args.what}.'", "host: change.push"),
            "change.propose",
        ),
        (
            "mends",
            f"{MENDS}  - {{name: propose, host: change.propose}}\n  - {{name: push, host: change.push}}\n",
            "no step may be called `propose`",
        ),
        ("tidy", "]", "tidy.yml"),
    ],
    ids=[
        "a misspelt key",
        "a result that there is not",
        "a shell",
        "a step of another's",
        "a push past the gate",
        "no YAML",
    ],
)
async def test_a_faulty_workflow_is_told_and_costs_nothing(
    desk: Desk, name: str, text: str, said: str
) -> None:
    with kept(desk, {f"workflows/{name}.yml": text}):
        heard = await desk.say(f"/pool run {name}", at=desk.topic())
    assert heard.answer == "refused"
    assert heard.text.startswith("A recipe of this repository has an error, so nothing was run")
    assert said in heard.text


# ---- the recipes of verbs


async def test_a_review_has_the_repositorys_own_rules(desk: Desk) -> None:
    with kept(desk, {"review.md": "Mind the locks.\n"}):
        ruled = plan(await desk.say("/pool review", at=desk.topic()))
    plain = plan(await desk.say("/pool review", at=desk.topic()))
    assert (ruled.context["guidance"], plain.context["guidance"]) == ("Mind the locks.\n", "")


async def test_a_skill_of_the_repositorys_own_takes_the_place_of_ours(desk: Desk) -> None:
    skill = "---\nname: answer-question\ndescription: Answers.\n---\nAnswer in rhymes.\n"
    own = plan(await desk.say("/pool ask why?", at=desk.topic()))
    with kept(desk, {"skills/answer-question/SKILL.md": skill}):
        found = plan(await desk.say("/pool ask why?", at=desk.topic()))
    texts = [
        "\n".join(step.system + step.prompt for step in made.steps if isinstance(step, AgentRun))
        for made in (own, found)
    ]
    assert ["in rhymes" in text for text in texts] == [False, True]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("  - {name: brief, host: ask.brief}\n", "must have a step with `host: ask.reply`"),
        (
            "  - {name: brief, host: ask.brief}\n  - {name: reply, host: ask.reply}\n",
            "needs a step `answer` before `reply`",
        ),
    ],
)
async def test_a_recipe_without_what_its_verb_reads_is_refused(
    desk: Desk, steps: str, said: str
) -> None:
    text = f"name: ask\ndescription: Asks.\nsteps:\n{steps}"
    with kept(desk, {"workflows/ask.yml": text}):
        heard = await desk.say("/pool ask why?", at=desk.topic())
    assert heard.text.startswith("A recipe of this repository has an error")
    assert said in heard.text


# ---- what the configuration and the flags decide


@pytest.mark.parametrize(
    ("config", "flags", "model"),
    [
        ("", "", "m"),
        ("model: claude-x\n", "", "claude-x"),
        ("model: claude-x\n", " --model claude-y", "claude-y"),
    ],
)
async def test_the_nearest_word_on_the_model_counts(
    desk: Desk, config: str, flags: str, model: str
) -> None:
    with desk.configured(config):
        made = plan(await desk.say(f"/pool ask why?{flags}", at=desk.topic()))
    assert {step.overrides.model for step in made.steps if isinstance(step, AgentRun)} == {model}


async def test_the_budget_is_that_of_the_command_or_of_the_configuration(desk: Desk) -> None:
    def limits(made: Plan) -> tuple[int, int]:
        return made.limits.task, made.limits.chain

    assert limits(plan(await desk.say("/pool ask why?", at=desk.topic()))) == (1_000_000, 3_000_000)
    with desk.configured("budget: {task: 5, chain: 2}\n"):
        small = plan(await desk.say("/pool ask why?", at=desk.topic()))
        asked = plan(await desk.say("/pool ask why? --budget 4", at=desk.topic()))
    assert (limits(small), limits(asked)) == ((2_000_000, 2_000_000), (4_000_000, 4_000_000))


# ---- audits


async def audit(desk: Desk, line: str, config: str = "") -> Any:
    with desk.configured(config):
        return await desk.say(line, at=desk.problem())


async def test_an_audit_reads_the_default_branch_wherever_it_is_asked(desk: Desk) -> None:
    heard = await desk.say("/pool audit security src/", at=desk.topic())
    made = plan(heard)
    own = made.context
    assert (own["name"], own["kind"], own["paths"]) == ("security", "security", ["src/"])
    assert (own["place"], own["head"]) == ("issue", desk.shop.head("main"))
    assert heard.chain is not None
    assert desk.verbs["audit"].intent(heard.chain) == (
        "Reads the repository for the audit `security`. A second run checks what is serious."
    )


async def test_the_command_that_goes_on_has_the_flags_that_decide_what_is_found(desk: Desk) -> None:
    line = "/pool audit docs src/ --effort high --turns 9 --model claude-x-1 --budget 2 --plan"
    made = plan(await desk.say(line, at=desk.topic()))
    context = HostStepContext("c", made, {})
    assert Server(desk.services).again(context, ("/a b.md", "/c.md")) == (
        '/pool audit docs "/a b.md" /c.md --model claude-x-1 --effort high --turns 9'
    )


async def test_a_configured_audit_has_its_own_kind_budget_and_turns(desk: Desk) -> None:
    config = "audits: {night: {kind: docs, budget: 0.5}, docs: {turns: 7, budget: 9}}\n"
    night = plan(await audit(desk, "/pool audit night", config))
    assert (night.context["kind"], night.limits.chain, night.limits.task) == (
        "docs",
        500_000,
        500_000,
    )
    docs = plan(await audit(desk, "/pool audit docs", config))
    assert (docs.context["kind"], docs.limits.chain, docs.limits.task) == (
        "docs",
        9_000_000,
        1_000_000,
    )
    turns = {step.overrides.max_turns for step in docs.steps if isinstance(step, AgentRun)}
    assert 7 in turns


async def test_a_budget_in_the_command_goes_before_the_audits_own(desk: Desk) -> None:
    config = "audits: {dusk: {budget: 9}}\n"
    made = plan(await audit(desk, "/pool audit dusk --budget 2", config))
    assert made.limits.chain == 2_000_000


async def test_an_audit_runs_once_at_a_time_and_its_plan_costs_nothing(desk: Desk) -> None:
    first = await audit(desk, "/pool audit tests")
    assert first.answer == "started"
    second = await audit(desk, "/pool audit tests")
    assert (second.answer, second.chain) == ("answered", None)
    planned = await audit(desk, "/pool audit tests --plan")
    assert plan(planned).context["plan_only"] is True
    assert first.chain is not None
    desk.end(first.chain.id)
    assert (await audit(desk, "/pool audit tests")).answer == "started"


async def test_schedules_are_told_stopped_and_resumed(desk: Desk) -> None:
    config = "audits: {weekly: {schedule: {cron: '0 3 * * 1', timezone: UTC}}}\n"
    told = (await audit(desk, "/pool audit --status", config)).text
    assert "weekly" in told
    stopped = (await audit(desk, "/pool audit weekly --stop", config)).text
    assert "mona" in stopped
    assert "mona" in (await audit(desk, "/pool audit --status", config)).text
    resumed = (await audit(desk, "/pool audit weekly --resume", config)).text
    assert "mona" not in resumed
    none = (await audit(desk, "/pool audit other --stop", config)).text
    assert "weekly" not in none
    assert "weekly" not in (await audit(desk, "/pool audit --status")).text, "it has none any more"
