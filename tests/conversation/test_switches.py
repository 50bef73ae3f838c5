"""Whether App or Action answers in a repository, and which causes start anything there."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.config.load import Configuration
from claude_pool_gh.config.model import RepositoryConfig, Review, Triggers
from claude_pool_gh.conversation.intake.command_policy import answers, is_switched_on


@pytest.mark.parametrize(
    ("written", "runs_in", "is_answered"),
    [
        (None, "app", True),
        (None, "action", True),
        ("app", "app", True),
        ("app", "action", False),
        ("action", "app", False),
        ("action", "action", True),
    ],
)
def test_a_job_answers_unless_a_file_says_otherwise(
    written: Any, runs_in: str, is_answered: bool
) -> None:
    value = RepositoryConfig() if written is None else RepositoryConfig(runs_in=written)
    sources = {} if written is None else {"runs_in": ".github/claude-pool.yml"}
    assert answers(Configuration(value, sources), runs_in) == is_answered


ON = RepositoryConfig(
    triggers=Triggers(labels=True, opened=True, ready_for_review=True), review=Review(on_push=True)
)
OFF = RepositoryConfig(triggers=Triggers(labels=False))


@pytest.mark.parametrize(
    ("kind", "is_off"),
    [
        ("label", True),
        ("opened", True),
        ("ready_for_review", True),
        ("push", True),
        ("button", False),
        ("rerun", False),
        ("workflow", False),
    ],
)
def test_each_cause_has_its_own_switch_and_a_persons_own_press_has_none(
    kind: str, is_off: bool
) -> None:
    assert is_switched_on(kind, ON)
    assert is_switched_on(kind, OFF) is not is_off
