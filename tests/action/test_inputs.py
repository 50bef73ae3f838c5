"""The inputs of a job: what is left out or blank is the action's default, and what is wrong is said in words."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from claude_pool_gh.action import look
from claude_pool_gh.action.job import DEADLINE_SECONDS, Job
from claude_pool_gh.action.look import Fault
from claude_pool_gh.action.state.keeper import Held
from claude_pool_gh.action.state.signing import StateKey
from claude_pool_gh.conversation.secret_filter import without_secrets
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.reports.redact import Redactor
from claude_pool_gh.terms.ids import Repository, Thread
from tests.action.runner import ACTION


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"action": "created"}))
    given = {
        "GITHUB_EVENT_NAME": "issue_comment",
        "GITHUB_EVENT_PATH": str(event),
        "RUNNER_TEMP": str(tmp_path),
        "ANTHROPIC_API_KEY": "k",
        "GITHUB_TOKEN": "t",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_defaults_are_those_of_the_action() -> None:
    told = {name: each["default"] for name, each in ACTION["inputs"].items() if each.get("default")}
    assert told == look.DEFAULTS | {"github_token": "${{ github.token }}"}


@pytest.mark.parametrize("blank", ["", " ", "\n", None])
def test_a_blank_input_is_the_default_and_no_other_cap(
    job: pytest.MonkeyPatch, blank: str | None
) -> None:
    for name in (
        "MODEL",
        "BUDGET_USD",
        "SLOTS",
        "COMMAND",
        "NUMBER",
        "DRY_RUN",
        "DEADLINE_SECONDS",
    ):
        if blank is None:
            job.delenv(f"POOL_{name}", raising=False)
        else:
            job.setenv(f"POOL_{name}", blank)
    found = Job.from_environment()
    settings = found.settings()
    assert (settings.budget_usd, settings.slots, settings.model) == (3.0, 2, "claude-sonnet-5-5")
    assert found.deadline_seconds == DEADLINE_SECONDS


def test_an_input_with_blanks_around_it_is_that_input(job: pytest.MonkeyPatch) -> None:
    for name, text in (
        ("MODEL", " claude-haiku-4-5\n"),
        ("BUDGET_USD", " 0.50 "),
        ("SLOTS", "\t4"),
    ):
        job.setenv(f"POOL_{name}", text)
    settings = Job.from_environment().settings()
    assert (settings.budget_usd, settings.slots, settings.model) == (0.5, 4, "claude-haiku-4-5")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("POOL_BUDGET_USD", "none", "budget_usd: 'none' is not a number"),
        ("POOL_BUDGET_USD", "three", "budget_usd: 'three' is not a number"),
        ("POOL_BUDGET_USD", "inf", "budget_usd: 'inf' is not above 0"),
        ("POOL_DEADLINE_SECONDS", "soon", "POOL_DEADLINE_SECONDS: 'soon' is no number"),
        ("POOL_DEADLINE_SECONDS", "nan", "POOL_DEADLINE_SECONDS: 'nan' is no number"),
        ("ANTHROPIC_API_KEY", " ", "anthropic_api_key: it is empty"),
        ("GITHUB_TOKEN", " ", "github_token: it is empty"),
    ],
)
def test_what_is_no_such_value_is_said(
    job: pytest.MonkeyPatch, name: str, text: str, told: str
) -> None:
    job.setenv(name, text)
    with pytest.raises(Fault, match=told):
        Job.from_environment().settings()


def test_states_are_signed_with_the_key_that_is_given_for_them_else_with_the_api_key(
    job: pytest.MonkeyPatch,
) -> None:
    def key() -> StateKey:
        found = Job.from_environment()
        return found.key(found.settings())

    job.setenv("ANTHROPIC_API_KEY", "k" * 32)
    assert key() == StateKey.of("k" * 32)
    job.setenv("POOL_STATE_KEY", "x" * 32 + "\n")
    assert key() == StateKey.of("x" * 32)
    assert "POOL_STATE_KEY" not in os.environ, "no process that it starts is given it"
    federated = {
        "POOL_FEDERATION_RULE_ID": "fdrl_1",
        "POOL_ORGANIZATION_ID": "o",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x",
        "ANTHROPIC_API_KEY": "",
    }
    for name, value in federated.items():
        job.setenv(name, value)
    assert key() == StateKey(), "there is nothing that outlives the job"
    job.setenv("POOL_STATE_KEY", "x" * 32)
    assert key() == StateKey.of("x" * 32)
    job.setenv("POOL_STATE_KEY", f"{'y' * 32}\n\n {'x' * 32}\n")
    assert key() == StateKey.of("y" * 32, "x" * 32, f"{'y' * 32}\n\n {'x' * 32}")
    job.setenv("POOL_STATE_KEY", "short")
    with pytest.raises(Fault, match="state_key: it has fewer than 32"):
        Job.from_environment()


def test_posts_and_states_are_looked_through_for_the_same_secrets(job: pytest.MonkeyPatch) -> None:
    given = {"ANTHROPIC_API_KEY": "the key of the model", "GITHUB_TOKEN": "the token of the job"}
    given |= {"POOL_STATE_KEY": "a key for the states of all jobs"}
    for name, text in given.items():
        job.setenv(name, text)
    found = Job.from_environment()
    settings = found.settings().model_copy(update={"model": "another"})
    screen = without_secrets(Redactor(settings.all_secrets))
    thread = Thread(repository=Repository(id=1, owner="o", name="n"), number=7)
    veil = found.keeper(thread, settings, Held("", StateKey())).veil
    for text in given.values():
        (post,) = screen(Comment(number=1, body=f"It is {text}.")).texts()
        assert text not in post
        assert text not in veil.redactor(text)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("ANTHROPIC_API_KEY", "k" * 31, "anthropic_api_key has fewer than 32"),
        ("ANTHROPIC_BASE_URL", "https://gateway.example", "names a gateway"),
    ],
)
def test_no_state_is_signed_with_a_key_that_can_be_guessed(
    job: pytest.MonkeyPatch, name: str, text: str, told: str
) -> None:
    """States can be read by everybody, so keys can be tried on them; who has the key writes states as a job does."""
    job.setenv("ANTHROPIC_API_KEY", "k" * 40)
    job.setenv("ANTHROPIC_BASE_URL", "https://api.anthropic.com/")
    found = Job.from_environment()
    assert found.key(found.settings()) == StateKey.of("k" * 40), "the control"
    job.setenv(name, text)
    found = Job.from_environment()
    with pytest.raises(Fault, match=f"state_key: it is empty, and .*{told}.*`openssl rand"):
        found.key(found.settings())
    job.setenv("POOL_STATE_KEY", "x" * 32)
    found = Job.from_environment()
    assert found.key(found.settings()) == StateKey.of("x" * 32)
    job.setenv("POOL_DRY_RUN", "true")
    job.setenv("POOL_STATE_KEY", "")
    found = Job.from_environment()
    assert found.key(found.settings()) == StateKey(), "it keeps nothing"


def test_two_jobs_of_a_matrix_do_not_hold_a_thread_under_one_name(
    job: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    thread = Thread(repository=Repository(id=1, owner="o", name="n"), number=7)

    def holder(folder: str) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        job.setenv("RUNNER_TEMP", str(tmp_path / folder))
        found = Job.from_environment()
        return found.keeper(thread, found.settings(), Held("", StateKey())).run

    assert holder("a") != holder("b")
    assert holder("a") == holder("a"), "the last step of a job is the same job"
