"""The check at a commit: one of our own is kept up to date, and another app's is left as it is."""

from __future__ import annotations

from dataclasses import replace

from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.rehearsal.github import Fault, Repository, Reset
from tests.github.test_writer import Bench, bench

__all__ = ["bench"]

CHECKS = "/repos/{owner}/{repo}/check-runs"


def shop(bench: Bench) -> Repository:
    return bench.github.repository("octo/shop")


async def written(bench: Bench, title: str) -> None:
    head = bench.pull.head_sha
    bench.want(CheckRun(name="c", head=head, status="queued", title=title, summary="s"))
    await bench.until(lambda: bench.row().state == "written")


async def test_ours_is_changed(bench: Bench) -> None:
    await written(bench, "first")
    await written(bench, "second")
    assert [run.title for run in shop(bench).check_runs(bench.pull.head_sha)] == ["second"]


async def test_one_that_another_app_has_made_is_left_and_ours_is_made(bench: Bench) -> None:
    """Of a repository that went from the App to the Action, say: GitHub lets nobody else change a check."""
    await written(bench, "theirs")
    (run,) = shop(bench).check_runs(bench.pull.head_sha)
    assert run.app is not None
    run.app = replace(run.app, id=run.app.id + 900)
    await written(bench, "ours")
    titles = {each.title for each in shop(bench).check_runs(bench.pull.head_sha)}
    assert titles == {"theirs", "ours"}


async def test_one_of_ours_beside_it_is_found_again_where_nobody_was_told_that_it_was_made(
    bench: Bench,
) -> None:
    await written(bench, "theirs")
    head = bench.pull.head_sha
    (run,) = shop(bench).check_runs(head)
    assert run.app is not None
    run.app = replace(run.app, id=run.app.id + 900)
    lost = Fault(Reset(), method="POST", route=CHECKS, times=2, after_effect=True)
    bench.github.faults.add(lost)
    await written(bench, "ours")
    await written(bench, "ours, later")
    assert lost.hits == 1
    assert {each.title for each in shop(bench).check_runs(head)} == {"theirs", "ours, later"}
    bench.github.faults.clear()
    bench.change(remote_id=None, attempted=True)  # and where our rows were lost meanwhile
    await written(bench, "ours, in the end")
    assert {each.title for each in shop(bench).check_runs(head)} == {"theirs", "ours, in the end"}
