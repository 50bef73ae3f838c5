"""Every documented key is the value that is used where the server sets nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from claude_pool_gh.commands.grammar import Command, Verb
from claude_pool_gh.config.load import Configuration, flat
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.caps import REPOSITORY, THREAD, USER
from claude_pool_gh.conversation.repository.recipe_resolver import RecipeResolver
from claude_pool_gh.conversation.services import (
    CommandContext,
    Defaults,
    Services,
    caps_of,
    plan_of,
)
from claude_pool_gh.pool.model.caps import Caps
from claude_pool_gh.pool.model.plan import AgentRun, Plan
from claude_pool_gh.pool.recipes.workflows import parse_workflow
from claude_pool_gh.service.server.runtime import defaults_of
from claude_pool_gh.service.settings import Settings, read, variable
from claude_pool_gh.terms.roles import Role

SOURCES = Path(__file__).parents[2] / "claude_pool_gh"
RECIPE = "name: one\ndescription: One.\nsteps:\n  - name: only\n    prompt: Do it.\n"
VERB = Verb(name="run", summary="", places=frozenset({"pull"}), role=Role.write)


class _Facts:
    workspace = None

    def model_dump(self, **_: Any) -> dict[str, Any]:
        return {}


def defaults(**environment: str) -> Defaults:
    bare = {variable(name): None for name in Settings.model_fields}
    with CliRunner().isolation(env={**bare, **environment}):
        return defaults_of(read())


async def planned(
    config: RepositoryConfig, of: Defaults, turns: int = 1, flags: dict[str, Any] | None = None
) -> tuple[Plan, AgentRun, Caps]:
    """The plan of a chain of one step, the step and the caps."""
    services = Services(
        **{name: cast(Any, None) for name in Services.__dataclass_fields__ if name != "defaults"},
        defaults=of,
    )
    asked = CommandContext(
        request=cast(Any, None),
        command=Command(VERB, flags=flags or {}),
        configuration=Configuration(config),
        files=cast(Any, None),
        role=Role.write,
        issue=cast(Any, None),
    )
    file = parse_workflow(RECIPE, "one")
    steps = await RecipeResolver(services, asked).compile_steps(
        file.workflow, file.written, turns=turns
    )
    caps = caps_of(config, asked.command, of)
    plan = plan_of(services, asked, steps, cast(Any, _Facts()), caps)
    return plan, next(step for step in steps if isinstance(step, AgentRun)), caps


Made = tuple[Plan, AgentRun, Caps]
Used = Callable[[Made], Any]


def of_scope(made: Made, scope: str) -> float:
    """The cap for all chains of one scope together, in dollars."""
    (found,) = [each.limit for each in made[2].wider if each.scope == scope]
    return found / 1e6


IN_PLAN: dict[str, tuple[Any, Used]] = {
    "model": ("claude-opus-5-5", lambda made: made[1].overrides.model),
    "effort": ("max", lambda made: made[1].overrides.effort),
    "budget.task": (0.5, lambda made: made[0].limits.task / 1e6),
    "budget.chain": (4.0, lambda made: made[0].limits.chain / 1e6),
    "budget.thread": (5.0, lambda made: of_scope(made, THREAD)),
    "budget.user_day": (6.0, lambda made: of_scope(made, USER)),
    "budget.repository_month": (7.0, lambda made: of_scope(made, REPOSITORY)),
    "wall_minutes": (3, lambda made: made[0].limits.wall_seconds / 60),
}
"""Key -> another value than its default, and where it must be found in what a chain is made of."""


def with_key(key: str, value: Any) -> RepositoryConfig:
    section, _, name = key.rpartition(".")
    return RepositoryConfig.model_validate({section: {name: value}} if section else {name: value})


@pytest.mark.parametrize("key", IN_PLAN)
async def test_a_key_that_a_plan_is_made_of_is_the_value_that_is_used(key: str) -> None:
    value, used = IN_PLAN[key]
    assert used(await planned(with_key(key, value), defaults())) == value
    if (default := flat(RepositoryConfig())[key]) is not None:
        assert used(await planned(RepositoryConfig(), defaults())) == default


@pytest.mark.parametrize("key", [key for key in flat(RepositoryConfig()) if key not in IN_PLAN])
def test_every_other_key_is_read_by_the_code(key: str) -> None:
    """What is in no plan is asked for by name where it counts; a key that nobody reads would be a lie."""
    reader = f".{key.rsplit('.', maxsplit=1)[-1]}"
    texts = (file.read_text() for file in SOURCES.rglob("*.py") if file.parent.name != "config")
    assert any(reader in text for text in texts), (
        f"no code says `{reader}`: read {key} where it counts, or give it a row in IN_PLAN"
    )


async def test_the_turns_of_a_verb_and_of_the_command_are_used() -> None:
    assert (await planned(RepositoryConfig(), defaults(), turns=40))[1].overrides.max_turns == 40
    assert (await planned(RepositoryConfig(), defaults(), flags={"turns": 7}))[
        1
    ].overrides.max_turns == 7


async def test_a_servers_own_clock_goes_before_and_is_shown_as_its_own() -> None:
    of = defaults(CLAUDE_POOL_WALL_TIMEOUT="90", CLAUDE_POOL_MODEL="claude-haiku-4-5")
    plan, run, _ = await planned(RepositoryConfig(), of)
    assert (plan.limits.wall_seconds, run.overrides.model) == (90, "claude-haiku-4-5")
    assert of.overrides() == {"wall_minutes": 1.5}
    assert defaults().overrides() == {}


async def test_the_documented_silence_is_what_ends_a_run() -> None:
    plan, _, _ = await planned(RepositoryConfig(), defaults())
    assert (
        plan.limits.idle_seconds
        == Settings.model_fields["idle_timeout"].default
        < plan.limits.wall_seconds
    )


async def test_a_budget_lifts_the_tasks_cap_with_the_chains() -> None:
    plan, _, caps = await planned(RepositoryConfig(), defaults(), flags={"budget": 9_000_000})
    assert (plan.limits.task, plan.limits.chain, caps.task) == (9_000_000, 9_000_000, 9_000_000)
    plan, _, _ = await planned(RepositoryConfig(), defaults(), flags={"budget": 500_000})
    assert (plan.limits.task, plan.limits.chain) == (500_000, 500_000)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_budget_of_nothing_is_refused_in_the_file(value: float) -> None:
    for key in (key for key in IN_PLAN if key.startswith("budget.")):
        with pytest.raises(ValueError, match="budget"):
            with_key(key, value)
