"""Who decides on the money of an audit: the command line of one checkout; of a fleet, both, and the lower one holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_pool_gh.config.model import Audit, Budget, RepositoryConfig
from claude_pool_gh.service.audit.planning import decided
from tests.service import auditing

SAID = RepositoryConfig(budget=Budget(task=0.5, chain=2.0))
DEAR = RepositoryConfig(budget=Budget(task=0.5, chain=2.0), audits={"defects": Audit(budget=9.0)})


@pytest.mark.parametrize(
    ("config", "most", "run", "agent"),
    [
        (SAID, None, 2.0, 0.5),
        (SAID, 50.0, 2.0, 0.5),
        (SAID, 1.0, 1.0, 0.5),
        (SAID, 0.25, 0.25, 0.25),
        (DEAR, None, 9.0, 0.5),
        (DEAR, 3.0, 3.0, 0.5),
    ],
)
def test_a_fleet_s_limit_never_raises_what_a_repository_says(
    tmp_path: Path, config: RepositoryConfig, most: float | None, run: float, agent: float
) -> None:
    found = decided(auditing.options(None, tmp_path, most_usd=most), config)
    assert (found.budget, found.task) == (run * 1_000_000, agent * 1_000_000)


def test_the_budget_of_one_checkout_replaces_what_its_configuration_says(tmp_path: Path) -> None:
    found = decided(auditing.options(None, tmp_path, budget_usd=5.0), SAID)
    assert (found.budget, found.task) == (5_000_000, 5_000_000)
