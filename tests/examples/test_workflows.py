"""The workflows that people copy: pinned, short, with reasons, and run as GitHub would run them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from claude_pool_gh.github.effects import registry
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.service.init.manifest import declared
from tests.acceptance.auditor import Auditor, claim
from tests.action.conftest import KEY, STATE_KEY, Stage
from tests.action.conftest import scene as scene  # noqa: PLC0414 - a fixture of the Action's tests
from tests.action.expressions import evaluate, filled
from tests.action.runner import Done
from tests.action.test_federation import Service, around, serving

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/workflows"
FILES = sorted(FOLDER.glob("*.yml"))
OURS = "OWNER/claude-pool-gh@COMMIT"
APP_TOKEN = "actions/create-github-app-token"
PINNED = re.compile(
    r"uses: (?:OWNER/claude-pool-gh@COMMIT|[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)"
)
OF_THEIR_OWN = {"automatic-review.yml", "nightly-audit.yml"}
"""Those that do one thing, and need less."""
BESIDES = {"federation.yml": {("id-token", "write")}}
EVERY = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)


def job_of(name: str) -> dict[str, Any]:
    """The one job of a workflow."""
    (job,) = yaml.safe_load((FOLDER / name).read_text())["jobs"].values()
    assert isinstance(job, dict)
    return job


async def start(
    scene: Stage,
    name: str,
    event: str,
    payload: Mapping[str, Any],
    app_token: str = "",
    environment: Mapping[str, str] | None = None,
) -> Done | None:
    """What becomes of an event under a workflow: None where no job starts. Other actions give what they would."""
    job = job_of(name)
    contexts: dict[str, Any] = {
        "github": {
            "event": payload,
            "repository": "octo/shop",
            "actor": payload.get("sender", {}).get("login", ""),
        },
        "secrets": {
            "ANTHROPIC_API_KEY": KEY,
            "CLAUDE_POOL_PRIVATE_KEY": "a private key",
            "POOL_STATE_KEY": STATE_KEY,
        },
        "vars": {
            "CLAUDE_POOL_CLIENT_ID": "Iv1",
            "ANTHROPIC_FEDERATION_RULE_ID": "fdrl_1",
            "ANTHROPIC_ORGANIZATION_ID": "00000000-0000-0000-0000-000000000001",
        },
        "steps": {"app": {"outputs": {"token": app_token}}},
    }
    if "if" in job and not evaluate(job["if"], contexts, {}):
        return None
    (step,) = [each for each in job["steps"] if each["uses"] == OURS]
    given = {"anthropic_api_key": "", "state_key": STATE_KEY}
    given |= {name: filled(str(value), contexts) for name, value in step["with"].items()}
    permissions = {name.replace("-", "_"): level for name, level in job["permissions"].items()}
    return await scene.job(
        event, payload, inputs=given, permissions=permissions, environment=environment
    )


@EVERY
def test_every_action_is_pinned_and_ours_by_the_placeholder(file: Path) -> None:
    used = [
        line.strip()
        for line in file.read_text().splitlines()
        if "uses:" in line and line.strip()[0] != "#"
    ]
    assert [line for line in used if not PINNED.fullmatch(line.removeprefix("- "))] == []
    assert sum(OURS in line for line in used) == 1


@pytest.mark.parametrize(
    "line",
    [
        "uses: OWNER/claude-pool-gh@v1",
        "uses: actions/checkout@v4",
        f"uses: actions/checkout@{'a' * 40}",
        f"uses: actions/checkout@{'a' * 39} # v4.2.2",
    ],
)
def test_what_is_not_pinned_would_be_seen(line: str) -> None:
    assert not PINNED.fullmatch(line)


@EVERY
def test_it_is_short_and_never_runs_a_pull_requests_own_code(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= 40
    assert "pull_request_target" not in yaml.safe_load(text)[True]
    assert "checkout" not in str(yaml.safe_load(text))


@EVERY
def test_the_page_tells_of_it(file: Path) -> None:
    assert f"| [{file.name}]({file.name}) |" in (FOLDER / "README.md").read_text()


@EVERY
def test_actionlint_finds_nothing(file: Path, tmp_path: Path) -> None:
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip(
            "actionlint is not installed: it is a Go program, which no package of Python brings"
        )
    copied = tmp_path / file.name
    copied.write_text(file.read_text().replace("@COMMIT", f"@{'0' * 40}"))
    done = subprocess.run(
        [program, "-no-color", str(copied)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", [file.name for file in FILES if file.name not in OF_THEIR_OWN])
def test_a_job_gets_what_effects_need_and_no_more(name: str) -> None:
    """Of what the product declares, by job or by the App's token: never a second list."""
    job = job_of(name)
    needed = {
        (permission.replace("_", "-"), level)
        for kind in registry.kinds().values()
        if not kind.optional
        for permission, level in declared(kind.permission)
    }
    (minted,) = [each["with"] for each in job["steps"] if each["uses"].startswith(APP_TOKEN)] or [
        {}
    ]
    of_token = {
        (key.removeprefix("permission-"), level)
        for key, level in minted.items()
        if "permission-" in key
    }
    assert {*job["permissions"].items(), *of_token} == needed | BESIDES.get(name, set())


async def test_on_forks_a_strangers_comment_starts_no_job_and_a_maintainers_does(
    scene: Stage,
) -> None:
    stranger = scene.github.create_user("stranger")
    event = await scene.comment("/pool help", by=stranger)
    assert event["comment"]["author_association"] in ("NONE", "CONTRIBUTOR")
    assert await start(scene, "forks.yml", "issue_comment", event) is None
    event = await scene.comment("nothing to do here")
    assert await start(scene, "forks.yml", "issue_comment", event) is None
    event = await scene.comment("/pool help")
    done = await start(scene, "forks.yml", "issue_comment", event)
    assert done is not None
    assert (done.outputs["outcome"], done.red) == ("answered", False)


async def test_with_an_apps_token_the_app_answers_and_knows_its_own_words(scene: Stage) -> None:
    """Whose the token is has to be asked: the job's bot is not who wrote the comment that is to be kept up to date."""
    scene.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
    app = scene.github.create_app("shop-bot")
    installation = scene.github.install(app, "octo", [scene.repository])
    asked = {"contents": "write", "issues": "write", "pull_requests": "write", "checks": "write"}
    token = scene.github.create_installation_token(installation, asked, [scene.repository])
    event = await scene.comment("/pool review")
    done = await start(scene, "app-token.yml", "issue_comment", event, app_token=token)
    assert done is not None
    assert (done.outputs["outcome"], done.red) == ("findings", False), done.log
    written = [
        each
        for each in scene.repository.comments(scene.pull.number)
        if each.author.id == app.bot.id
    ]
    assert len(written) == 1
    assert [review.author.login for review in scene.pull.reviews] == ["shop-bot[bot]"]
    assert [run.status for run in scene.repository.check_runs(scene.pull.head_sha)] == ["completed"]
    # Its own comment starts a workflow, unlike a job's: the condition keeps it from running one.
    own = scene.event("issue_comment")
    assert own["sender"]["login"] == "shop-bot[bot]"
    assert await start(scene, "app-token.yml", "issue_comment", own, app_token=token) is None
    # A reply under a finding means that finding, which only who wrote the finding can tell.
    await scene.github.reply(
        scene.maintainer, scene.pull.review_comments[0], "/pool dismiss this is intended"
    )
    event = scene.event("pull_request_review_comment")
    done = await start(
        scene, "app-token.yml", "pull_request_review_comment", event, app_token=token
    )
    assert done is not None
    assert (done.outputs["outcome"], done.red) == ("done", False), done.log


COMMENTED = [
    file.name
    for file in FILES
    if "issue_comment" in yaml.safe_load(file.read_text())[True]
    and file.name not in ("forks.yml", "app-token.yml", "federation.yml")
]
"""Those of which no test below says more."""


@pytest.mark.parametrize("name", COMMENTED)
async def test_a_maintainers_command_is_answered_and_talk_starts_nothing(
    scene: Stage, name: str
) -> None:
    """With no more permissions than the file asks for."""
    assert await start(scene, name, "issue_comment", await scene.comment("hello")) is None
    done = await start(scene, name, "issue_comment", await scene.comment("/pool help"))
    assert done is not None
    assert (done.outputs["outcome"], done.red) == ("answered", False), done.log


async def test_the_tutorials_comment_does_what_the_tutorial_says(scene: Stage) -> None:
    tutorial = (ROOT / "docs/tutorial/action.md").read_text()
    (body,) = re.findall(r"```text\n(.+?)\n```", tutorial, re.DOTALL)
    scene.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
    done = await start(scene, "commands.yml", "issue_comment", await scene.comment(body))
    assert done is not None
    assert (done.outputs["outcome"], done.red) == ("findings", False), done.log
    said = [each.body for each in scene.comments]
    assert sum("`/pool review [PATH…]`" in each for each in said) == 1
    assert sum("high" in each.split("\n", 1)[0] for each in said) == 1
    assert len(scene.pull.reviews[0].comments) == 1
    (run,) = scene.repository.check_runs(scene.pull.head_sha)
    assert run.status == "completed"


async def test_a_members_pull_request_is_reviewed_by_itself_and_a_forks_is_not(
    scene: Stage,
) -> None:
    asked = await scene.comment("hello")
    head = {"sha": scene.pull.head_sha, "ref": "discounts", "repo": {"full_name": "octo/shop"}}
    pull = {"number": scene.pull.number, "draft": False, "head": head, "base": {"ref": "main"}}
    event = {key: asked[key] for key in ("repository", "sender")} | {
        "action": "opened",
        "pull_request": pull,
    }
    for other in ({"draft": True}, {"head": {**head, "repo": None}}):
        drawn = {**event, "pull_request": {**pull, **other}}
        assert await start(scene, "automatic-review.yml", "pull_request", drawn) is None
    renamed = {**event, "action": "edited", "changes": {"title": {"from": "t"}}}
    assert await start(scene, "automatic-review.yml", "pull_request", renamed) is None
    done = await start(scene, "automatic-review.yml", "pull_request", event)
    assert done is not None
    assert (done.outputs["outcome"], done.red) == ("clean", False), done.log
    assert [run.conclusion for run in scene.repository.check_runs(scene.pull.head_sha)] == [
        "success"
    ]

    # The same commit, which changes something else where it goes into another branch.
    scene.repository.commit("develop", {"other.py": "x = 1\n"}, author=scene.maintainer)
    scene.repository.retarget(scene.pull, "develop", scene.maintainer)
    scene.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
    moved = {
        **event,
        "action": "edited",
        "changes": {"base": {"ref": {"from": "main"}}},
        "pull_request": {**pull, "base": {"ref": "develop"}},
    }
    later = {"GITHUB_RUN_ID": "2"}
    done = await start(scene, "automatic-review.yml", "pull_request", moved, environment=later)
    assert done is not None
    assert (done.outputs["outcome"], done.red) == ("findings", False), done.log


@pytest.mark.rotating(4)
async def test_a_nightly_audit_reports_in_one_issue_and_knows_its_findings_the_next_night(
    scene: Stage,
) -> None:
    """With no more permissions than the file asks for."""
    prices, line = "shop/prices.py", "    return unit_cents * quantity"
    text = scene.repository.read("main", prices).decode()
    number = text.splitlines().index(line) + 1
    scene.model.script = Auditor(claims=(claim(prices, number, line, "A line has no discount"),))
    # for whoever has changed the default branch last: the second time that was a merge queue
    queue = {"GITHUB_ACTOR": "github-merge-queue[bot]", "GITHUB_ACTOR_ID": "9919"}
    for run_id, state, actor in (("1", "new", {}), ("2", "still open", queue)):
        event = {"schedule": "17 3 * * 1-5"}
        around_it = {"GITHUB_RUN_ID": run_id, **actor}
        done = await start(scene, "nightly-audit.yml", "schedule", event, environment=around_it)
        assert done is not None
        assert (done.outputs["outcome"], done.red) == ("findings", False), done.log
        threads = scene.repository.state.threads.values()
        (report,) = [each for each in threads if each.title == "Audit report: defects"]
        assert report.author.id == scene.github.actions_bot.id
        (shown,) = [
            each.body
            for each in scene.repository.comments(report.number)
            if "/pool help" in each.body
        ]
        assert f"1 {state}" in shown.split("\n", 1)[0]


@pytest.mark.rotating(4)
async def test_with_federation_a_job_has_no_stored_key(scene: Stage) -> None:
    event = await scene.comment("/pool review")
    async with serving(Service(scene.model.url)) as service:
        done = await start(
            scene, "federation.yml", "issue_comment", event, environment=around(service)
        )
    assert done is not None
    assert (done.outputs["outcome"], done.red) == ("clean", False), done.log
    assert len(service.exchanges) == 1
    assert KEY not in done.log
