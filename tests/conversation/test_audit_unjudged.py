"""Claims that nobody judged: each is counted in one list, keeps an audit from being clean, and is asked for again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.audits import rows
from claude_pool_gh.audits.fleet.model import RowState, row_of
from claude_pool_gh.audits.model import AuditResult, Completeness
from claude_pool_gh.audits.outputs import summary
from claude_pool_gh.audits.rows import audit_key
from claude_pool_gh.audits.stated import MOST_OF_ONE
from claude_pool_gh.config.model import Audit
from claude_pool_gh.conversation.audit import gather
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.service.audit.refused import NOT_COVERED, exit_code
from claude_pool_gh.storage import Database, migrations
from tests.acceptance.auditor import claim
from tests.audits.make import result
from tests.conversation.audit_steps import AuditSteps, said

LINE = "    return unit + quantity"
FILES = {"shop/prices.py": f"def total(unit, quantity):\n{LINE}\n", "store/a.py": "x = 1\n"}


@pytest.fixture
def database() -> Iterator[Database]:
    made = Database.temporary()
    migrations.upgrade(made.engine)
    yield made
    made.close()


@pytest.fixture
def audit(tmp_path: Path, database: Database) -> AuditSteps:
    """An audit that reads only what no run has read."""
    made = AuditSteps(tmp_path / "shop", database, Audit(by="folder", when="changed"))
    made.commit(FILES)
    return made


MISQUOTED = claim("shop/prices.py", 2, "    return unit - quantity", "It is a difference")
MALFORMED = claim("shop/prices.py", 2, LINE, "It is a sum") | {"severity": "dire"}
MANY = [
    claim("shop/prices.py", 2, LINE, f"Doubt {number}") | {"severity": "low"}
    for number in range(MOST_OF_ONE + 3)
]


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ([MISQUOTED], "1 claim not settled: the quoted code stands nowhere in the repository."),
        ([MALFORMED], "1 claim not looked at: without the form asked for."),
        (MANY, "3 claims not looked at: over the number that one part may make."),
    ],
    ids=["misquoted", "malformed", "beyond the number"],
)
async def test_an_audit_with_claims_that_nobody_judged_is_not_clean_and_reads_their_files_again(
    audit: AuditSteps, claims: list[Mapping[str, Any]], problem: str
) -> None:
    first = await audit.run(
        lambda part: said(part, *(claims if "shop/prices.py" in part.paths else []))
    )
    assert first is not None
    assert problem in first.problems
    assert (first.completeness, first.is_clean) == (Completeness.partial, False)
    assert _said_of(first) == (NOT_COVERED, RowState.partial, summary.Tone.partial)
    assert audit.outcome is not None
    assert audit.outcome.verdict in (Verdict.unsettled, Verdict.findings)
    last = await audit.database.read(lambda tx: rows.last_complete(tx, audit_key(0, "defects")))
    assert last is None, "or a schedule would pass over what is left"
    again = await audit.run(said)
    assert again is not None
    assert "shop/prices.py" in again.coverage.read
    assert "store/a.py" not in again.coverage.read, "nothing is wrong with that one"


def _said_of(result: AuditResult) -> tuple[int, RowState, summary.Tone]:
    """What a shell, a fleet and a report say."""
    return exit_code(result), row_of(result, "octo/shop", "").state, summary.verdict(result).tone


@pytest.mark.parametrize("name", ["unverified_in", "dropped_in", "beyond_in"])
def test_files_are_read_again_whichever_version_has_listed_them(name: str) -> None:
    assert gather._open_in(result(), {name: ["shop/prices.py"]}) == {"shop/prices.py"}


async def test_one_whose_claims_were_all_settled_is_clean(audit: AuditSteps) -> None:
    first = await audit.run(said)
    assert first is not None
    assert (first.completeness, first.is_clean, first.problems) == (
        Completeness.complete,
        True,
        (),
    )
