"""Who decides on the money of an audit: the command line of one checkout; of a fleet, both, and the lower one holds."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.audits.rest import Rest
from claude_pool_gh.config.model import Audit, Budget, RepositoryConfig
from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.pool.model.plan import AgentRun
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.service.audit import local
from claude_pool_gh.service.audit.carrying import Audited
from claude_pool_gh.service.audit.planning import decided, steps_of
from tests.audits.make import partial
from tests.service import auditing

SAID = RepositoryConfig(budget=Budget(task=0.5, chain=2.0))
DEAR = RepositoryConfig(budget=Budget(task=0.5, chain=2.0), audits={"defects": Audit(budget=9.0)})

GREEDY = RepositoryConfig(budget=Budget(task=90_000, chain=90_000))


@pytest.mark.parametrize(
    ("config", "most", "run", "agent"),
    [
        (SAID, None, 2.0, 0.5),
        (SAID, 50.0, 2.0, 0.5),
        (SAID, 1.0, 1.0, 0.5),
        (SAID, 0.25, 0.25, 0.25),
        (DEAR, None, 3.0, 0.5),
        (DEAR, 5.0, 5.0, 0.5),
        (DEAR, 50.0, 9.0, 0.5),
        (GREEDY, None, 3.0, 1.0),
        (GREEDY, 50.0, 50.0, 1.0),
    ],
)
def test_a_repository_lowers_the_limit_of_the_command_line_or_the_default_and_never_raises_it(
    tmp_path: Path, config: RepositoryConfig, most: float | None, run: float, agent: float
) -> None:
    found = decided(auditing.options(None, tmp_path, most_usd=most), config)
    assert (found.budget, found.task) == (run * 1_000_000, agent * 1_000_000)


def test_the_budget_of_one_checkout_replaces_what_its_configuration_says(tmp_path: Path) -> None:
    found = decided(auditing.options(None, tmp_path, budget_usd=5.0), SAID)
    assert (found.budget, found.task) == (5_000_000, 5_000_000)


@pytest.mark.parametrize(
    ("flags", "found", "others"),
    [
        ({}, ("claude-dear", "max"), ("claude-repository", "high")),
        ({"model": "claude-mine"}, ("claude-mine", "max"), ("claude-mine", "high")),
        ({"effort": "low"}, ("claude-dear", "low"), ("claude-repository", "low")),
    ],
)
def test_the_flags_for_model_and_effort_go_before_the_configuration_and_its_recipes(
    tmp_path: Path, flags: dict[str, Any], found: tuple[str, str], others: tuple[str, str]
) -> None:
    packaged = files("claude_pool_gh.recipes")
    own = packaged.joinpath("workflows/audit-defects.yml").read_text("utf-8")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "audit-defects.yml").write_text(
        own.replace("name: find\n", "name: find\n    model: claude-dear\n    effort: max\n")
    )
    config = RepositoryConfig(model="claude-repository", effort="high")
    options = replace(auditing.options(None, tmp_path), **flags)
    steps = steps_of(RecipeLibrary((packaged, tmp_path)), options, decided(options, config))
    chosen = {
        each.name: (each.overrides.model, each.overrides.effort)
        for each in steps
        if isinstance(each, AgentRun)
    }
    assert chosen == {"find": found, "verify": others, "merge": others}


def test_the_command_of_a_shell_has_all_that_decides_what_is_found(tmp_path: Path) -> None:
    given = auditing.options(None, tmp_path, effort="high", only=("old/",))
    options = replace(given, model="claude-x")
    assert local.again(options, Path("/my shop"), ("/a b.py",)) == (
        "claude-pool-gh audit '/my shop' --audit defects --only '/a b.py' "
        f"--model claude-x --effort high --state-dir {tmp_path / 'state'}"
    )


def test_a_run_that_was_interrupted_is_resumed_by_the_command_that_began_it() -> None:
    settings = Audit(when="always")
    subject = Subject(
        repository_id=0,
        repository="shop",
        commit="c" * 40,
        branch="main",
        name="defects",
        kind="defects",
        settings=settings,
        paths=("shop/",),
    )
    left = partial()
    same = local._to_go_on(subject, Audited(left, stored=False, goes_on=True))
    assert same == Rest(paths=("shop/",), alone=True), "with others it would be refused"
    broken = local._to_go_on(subject, Audited(left, stored=False))
    assert broken == Rest(paths=("shop/",), alone=False), "what it has read is known to nobody"
    ended = local._to_go_on(subject, Audited(left))
    assert ended.paths == tuple(f"/{path}" for path in left.coverage.unread)
