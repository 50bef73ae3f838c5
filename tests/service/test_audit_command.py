"""The command line of `audit`: what it refuses, and that only a finding ends with 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from claude_pool_gh.audits.model import Completeness
from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.extras import MissingExtra
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.service.audit.carrying import opened_pool, opened_store
from claude_pool_gh.service.audit.fleet import run
from claude_pool_gh.service.audit.fleet.carry import FleetLogins
from claude_pool_gh.service.audit.fleet.options import Filters, FleetOptions, Found
from claude_pool_gh.service.audit.fleet.reader import Reader
from claude_pool_gh.service.audit.host import Shell
from claude_pool_gh.service.audit.refused import AuditRefused, coded, exit_code
from claude_pool_gh.service.cli import main
from claude_pool_gh.worktrees.leases import Worktrees
from tests.audits.make import defect, partial, result
from tests.service import auditing


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--org", "a", "--installation"), "give only one of --org and --installation"),
        ((".", "--org", "a"), "give a PATH, or --org, --installation or --repos, not both"),
        (("--installation", "x"), "x is no id of an installation"),
        (("--repos", "empty"), "names no repository"),
        (("--repos", "odd"), "'octo' is not OWNER/NAME"),
        (("nowhere",), "does not exist"),
    ],
)
def test_a_command_line_that_means_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("# none yet\n\n")
    (tmp_path / "odd").write_text("octo/shop\nocto\n")
    done = CliRunner().invoke(main, ["audit", *arguments])
    assert done.exit_code == 2, done.output
    assert words in done.output


def test_settings_that_cannot_be_used_do_not_end_like_a_finding(tmp_path: Path) -> None:
    bad = {"CLAUDE_POOL_SLOTS": "many"}
    done = CliRunner(env=bad).invoke(main, ["audit", str(tmp_path), "--plan"])
    assert done.exit_code == 2, done.output
    assert "CLAUDE_POOL_SLOTS" in done.output


@pytest.mark.parametrize(
    "error", [click.ClickException("x"), MissingExtra("x"), RuntimeError("x"), OSError("x")]
)
def test_no_error_ends_like_a_finding(error: Exception) -> None:
    with pytest.raises(AuditRefused) as refused, coded():
        raise error
    assert refused.value.exit_code == 2


def test_the_exit_code_says_what_was_missing_before_what_was_found() -> None:
    assert exit_code(result()) == 0
    assert exit_code(result(defect(1))) == 1
    assert exit_code(partial()) == 2
    assert exit_code(result(completeness=Completeness.nothing)) == 2


def test_filters_choose_and_say_what_they_left_out_and_a_large_one_has_a_row() -> None:
    every = [
        Found(id=1, full_name="o/a", topics=("Pay",), language="Go", kilobytes=10),
        Found(id=2, full_name="o/b", language="Go"),
        Found(id=3, full_name="o/c", topics=("pay",), language="C"),
        Found(id=4, full_name="o/d", archived=True),
        Found(id=5, full_name="o/e", topics=("pay",), language="go", kilobytes=9_000_000),
        Found(full_name="o/gone", unreadable="not there"),
    ]
    filters = Filters(topics=frozenset({"pay"}), languages=frozenset({"go"}), most_megabytes=1_000)
    kept, left_out = filters.apply(every)
    assert [each.full_name for each in kept] == ["o/a", "o/e", "o/gone"]
    assert left_out == {"without the topic": 1, "in another language": 1, "archived": 1}
    assert kept[1].unreadable == "too large: 9000 MB, above the 1000 MB of --max-size"
    everything = Filters(archived=True, most_megabytes=10_000)
    assert len(everything.apply(every)[0]) == len(every)


def test_a_fleet_s_limit_for_each_repository_reaches_its_plan_as_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[FleetOptions] = []

    async def audit(options: FleetOptions) -> int:
        seen.append(options)
        return 0

    monkeypatch.setattr(run, "audit", audit)
    told = ["audit", "--org", "octo", "--budget", "50", "--budget-each", "9"]
    assert CliRunner(env={"HOME": str(tmp_path)}).invoke(main, told).exit_code == 0
    (options,) = seen
    assert (options.budget_usd, options.each.budget_usd, options.each.most_usd) == (50, None, 9)


async def test_an_error_of_our_own_beside_an_open_store_or_pool_is_no_refusal(
    tmp_path: Path,
) -> None:
    """A refusal tells people to do something else; whoever reads ours should see where it comes from."""
    with pytest.raises(ValueError, match="ours"):
        async with opened_store(tmp_path):
            raise ValueError("ours")
    options = auditing.options(None, tmp_path, settings={"ANTHROPIC_API_KEY": "x"})
    async with opened_store(tmp_path) as database:

        async def git_dir(_subject: Subject, _commits: Sequence[str]) -> Path:
            return tmp_path

        host = Shell(database, SystemClock(), git_dir)
        worktrees = Worktrees(tmp_path, FleetLogins(Reader(options.settings)))
        with pytest.raises(ValueError, match="ours"):
            async with opened_pool(
                options, database, tmp_path, workspaces=worktrees, host=host, slots=1
            ):
                raise ValueError("ours")
        with pytest.raises(AuditRefused):
            async with opened_pool(
                options, database, tmp_path, workspaces=worktrees, host=host, slots=0
            ):
                raise AssertionError("no pool has no slots")
