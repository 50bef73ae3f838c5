"""States of threads that were closed long ago are deleted, a few by each job; nobody's who may still be asked for."""

from __future__ import annotations

import time
from pathlib import Path

from claude_pool_gh.action.state.audits import AUDITS
from claude_pool_gh.action.state.prune import THREADS, Pruning
from claude_pool_gh.rehearsal.github import Fault, Respond
from claude_pool_gh.terms.ids import Repository
from tests.action.conftest import Stage
from tests.action.test_audit_states import OURS, forge_of, ref_of

DAY = 86_400


def thread(scene: Stage, *, closed_days: float | None) -> int:
    """An issue, and a state of it."""
    issue = scene.repository.open_issue("x", "", author=scene.maintainer)
    issue.closed_at = None if closed_days is None else time.time() - closed_days * DAY
    kept(scene, str(issue.number))
    return issue.number


def kept(scene: Stage, name: str) -> None:
    tree = scene.repository.git.resolve("main")
    scene.repository.git.run("update-ref", f"{THREADS}{name}", str(tree))


def left(scene: Stage) -> set[str]:
    return {name.removeprefix(THREADS) for name in scene.repository.git.refs(THREADS)}


async def prune(scene: Stage, folder: Path, *, own: int = 1) -> None:
    ref = ref_of(scene, folder / "own", f"{THREADS}{own}")
    await ref.open()
    async with forge_of(scene) as forge:
        await Pruning(
            ref=ref,
            every=ref_of(scene, folder / "every", AUDITS),
            key=OURS,
            forge=forge,
            repository=Repository(id=scene.repository.id, owner="octo", name="shop"),
            thread=own,
            audits=None,
        ).run()


async def test_what_was_closed_more_than_thirty_days_ago_is_deleted_and_nothing_else(
    scene: Stage, tmp_path: Path
) -> None:
    old = thread(scene, closed_days=30.1)
    names = {str(thread(scene, closed_days=29.9)), str(thread(scene, closed_days=None))}
    await prune(scene, tmp_path)
    assert left(scene) == names
    assert str(old) not in left(scene)


async def test_what_no_thread_is_called_and_what_cannot_be_read_stays(
    scene: Stage, tmp_path: Path
) -> None:
    """A token that may not read issues is told the same as one that asks for what is gone."""
    for name in ("9999", "notes", "007"):
        kept(scene, name)
    await prune(scene, tmp_path)
    assert left(scene) == {"9999", "notes", "007"}


async def test_a_job_deletes_no_state_of_its_own_thread(scene: Stage, tmp_path: Path) -> None:
    own = thread(scene, closed_days=99)
    await prune(scene, tmp_path, own=own)
    assert left(scene) == {str(own)}


async def test_a_job_looks_at_three_and_the_others_are_left_to_the_next(
    scene: Stage, tmp_path: Path
) -> None:
    for _ in range(5):
        thread(scene, closed_days=99)
    await prune(scene, tmp_path)
    assert len(left(scene)) == 2
    await prune(scene, tmp_path)
    assert left(scene) == set()


async def test_an_outage_ends_the_look_and_not_the_job(scene: Stage, tmp_path: Path) -> None:
    old = thread(scene, closed_days=99)
    route = "/repos/{owner}/{repo}/issues/{issue_number}"
    scene.github.faults.add(Fault(Respond(403), route=route))
    await prune(scene, tmp_path)
    assert left(scene) == {str(old)}
    await prune(scene, tmp_path)
    assert left(scene) == set()
