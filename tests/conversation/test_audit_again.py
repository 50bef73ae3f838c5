"""A fault that a later run states in other words, and of a line more: no model says the same thing twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.audits.model import AuditResult, Shard
from claude_pool_gh.config.model import Audit
from claude_pool_gh.storage import Database, migrations
from tests.acceptance.auditor import claim
from tests.conversation.audit_steps import AuditSteps, said

DEF, RETURN = "def total(unit, quantity):", "    return unit + quantity"
FIRST = claim("shop/prices.py", 2, RETURN, "A line's total is a sum")
LATER = claim("shop/prices.py", 1, f"{DEF}\n{RETURN}", "Prices are added and not multiplied") | {
    "end_line": 2,
    "rule": "defects/data-loss",
}
WORST = FIRST | {"severity": "critical"}


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[AuditSteps]:
    database = Database.temporary()
    migrations.upgrade(database.engine)
    made = AuditSteps(tmp_path / "shop", database, Audit(by="folder"))
    made.commit({"shop/prices.py": f"{DEF}\n{RETURN}\n", "store/a.py": "x = 1\n"})
    yield made
    database.close()


async def found(
    audit: AuditSteps,
    *stated: dict[str, object],
    is_one: bool = False,
    proves: str = "high",
    of_known: str = "confirmed",
) -> AuditResult:
    """A run that states this of the one file."""

    def says(shard: Shard) -> dict[str, object]:
        return said(shard, *(stated if "shop/prices.py" in shard.paths else []))

    result = await audit.run(says, confirms=proves, of_known=of_known, is_one=is_one)
    assert result is not None
    return result


def told(result: AuditResult) -> list[tuple[str, str]]:
    return sorted((each.finding.title, each.state.value) for each in result.findings)


async def test_where_a_judge_says_that_it_is_the_same_it_stays_one_finding(
    audit: AuditSteps,
) -> None:
    (first,) = (await found(audit, FIRST, is_one=True)).findings
    again = await found(audit, LATER, is_one=True)
    (known,) = again.findings
    assert (known.id, known.state.value, known.reread) == (first.id, "open", True)
    assert not again.problems


async def test_where_a_judge_leaves_it_apart_it_is_reported(audit: AuditSteps) -> None:
    await found(audit, FIRST)
    both = [(FIRST["title"], "open"), (LATER["title"], "new")]
    assert told(await found(audit, LATER, is_one=False)) == both


async def test_one_that_is_stated_as_worse_than_it_is_each_time_stays_one_and_can_become_worse(
    audit: AuditSteps,
) -> None:
    (first,) = (await found(audit, WORST)).findings
    (again,) = (await found(audit, WORST)).findings
    assert (again.id, again.state.value, again.severity.value) == (first.id, "open", "high")
    (worse,) = (await found(audit, WORST, proves="critical")).findings
    assert (worse.id, worse.state.value, worse.severity.value) == (first.id, "open", "critical")
    (kept,) = (await found(audit, FIRST)).findings
    assert (kept.id, kept.severity.value) == (first.id, "critical")


async def test_one_that_nobody_could_judge_again_is_no_new_one_in_other_words(
    audit: AuditSteps,
) -> None:
    """A change around it leaves its lines as they are: each run would report it once more."""
    (first,) = (await found(audit, FIRST)).findings
    audit.commit({"shop/prices.py": f"{DEF}\n    unit = int(unit)\n{RETURN}\n"})
    other = claim("shop/prices.py", 3, RETURN, "Prices are added and not multiplied")
    (known,) = (await found(audit, other)).findings
    assert (known.id, known.state.value) == (first.id, "open")
    (known,) = (await found(audit, other)).findings
    assert (known.id, known.state.value) == (first.id, "open")


async def test_one_that_is_still_there_is_asked_about_once(audit: AuditSteps) -> None:
    """Its reader need not quote what stands as it stood: without a new place each run would ask and pay once more."""
    (first,) = (await found(audit, FIRST)).findings
    audit.commit({"shop/prices.py": f"{DEF}\n    unit = int(unit)\n{RETURN}\n"})
    (known,) = (await found(audit, of_known="still")).findings
    assert (known.id, known.state.value, audit.again) == (first.id, "open", [first.id])
    assert known.finding.start_line == 3
    (known,) = (await found(audit, of_known="still")).findings
    assert (known.id, known.state.value, audit.again) == (first.id, "open", [])


async def test_one_whose_code_stands_elsewhere_has_no_place_there(audit: AuditSteps) -> None:
    """The same line of another definition may be innocent: only a reader can say that it is this one."""
    (first,) = (await found(audit, FIRST)).findings
    audit.commit({"shop/prices.py": f"\ndef sum_of(unit, quantity):\n{RETURN}\n"})
    for _ in range(2):
        (known,) = (await found(audit, of_known="still")).findings
        assert (known.id, known.finding.start_line, audit.again) == (first.id, 2, [first.id])


async def test_one_that_is_still_there_and_proves_worse_becomes_worse(audit: AuditSteps) -> None:
    (first,) = (await found(audit, FIRST)).findings
    audit.commit({"shop/prices.py": f"{DEF}\n    unit = int(unit)\n{RETURN}\n"})
    worse = claim("shop/prices.py", 3, RETURN, str(FIRST["title"])) | {"severity": "critical"}
    (known,) = (await found(audit, worse, proves="critical", of_known="still")).findings
    assert (known.id, known.state.value, known.severity.value) == (first.id, "open", "critical")
