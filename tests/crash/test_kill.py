"""kill -9 at every durable point of a review, then a restart: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.acceptance.world import UNWRITTEN, World
from tests.crash.points import find_points, mortal_world
from tests.patience import PATIENCE
from tests.rotation import share

SHARDS = 4


async def _die_and_live_on(
    folder: Path, point: str, database_url: str | None, then: str = "nowhere"
) -> bool:
    """Play the story with a death at `point`, and one at `then` in the recovery; whether it died at `point`."""
    async with mortal_world(folder, point, database_url) as (here, _):
        died = not await _start(here)
        if died:
            await _restart(here, then)
        comment = await here.say("/pool review")
        before: dict[str, tuple[int, int]] = {}
        while await _death_or_end(here):
            before |= _finished(here)
            await _restart(here, "nowhere" if died else then)
            died = True
            for delivery in here.github.deliveries:
                if delivery.event == "issue_comment" and delivery.state != "delivered":
                    await here.github.redeliver(delivery)  # GitHub never does that by itself
        await here.reviewed()
        await here.github.until(lambda: here.reviews)
        await here.written()

        assert len(here.own_comments()) == 1, point
        assert len(here.reviews) == 1, point
        assert len(here.repository.check_runs(here.pull.head_sha)) == 1, point
        assert [reaction.content for reaction in comment.reactions] == ["+1"], point
        assert here.tracking.startswith("### 🔎 1 finding (worst: "), point
        assert before.items() <= _finished(here).items(), f"{point}: a finished step ran again"
        _check_money(here, point)
        return died


async def _death_or_end(here: World) -> bool:
    """Wait until the server is dead, or has written everything and lived on a little; whether it is dead."""
    process = here.bot.process
    assert process is not None
    quiet = 0
    async with asyncio.timeout(PATIENCE):
        while process.returncode is None and quiet < 3:
            await asyncio.sleep(0.1)
            over = (
                here.check is not None and here.check.status == "completed" and bool(here.reviews)
            )
            quiet = quiet + 1 if over and here.rows(UNWRITTEN) == [(0,)] else 0
    return process.returncode is not None


async def _start(here: World) -> bool:
    """Start the server; False when it died before it listened."""
    try:
        await here.bot.start()
    except RuntimeError:
        return False
    here.app.webhook_url = f"{here.bot.url}/webhook"
    return True


async def _restart(here: World, at: str) -> None:
    """Start it again, mortal at `at`; if it dies of that before it listens, start it for good."""
    await here.bot.ended()
    here.bot.environment["MORTAL_AT"] = at
    if not await _start(here):
        here.bot.environment["MORTAL_AT"] = "nowhere"
        assert await _start(here)


def _finished(here: World) -> dict[str, tuple[int, int]]:
    """Finished steps and tasks with the moment of their end and the attempt: these must never change."""
    try:
        steps = here.rows("SELECT id, ended_ms, 0 FROM steps WHERE state = 'completed'")
        tasks = here.rows("SELECT id, ended_ms, attempt FROM tasks WHERE state = 'completed'")
    except sa.exc.DatabaseError:  # it died before the first table was there
        return {}
    return {str(name): (int(ended), int(attempt)) for name, ended, attempt in [*steps, *tasks]}


def _check_money(here: World, point: str) -> None:
    unsettled = here.rows("SELECT count(*) FROM reservations WHERE settled IS NULL")[0][0]
    bounds = here.rows("SELECT count(*) FROM reservations WHERE level = 'request' AND upper_bound")[
        0
    ][0]
    assert unsettled == 0, point
    if bounds:
        assert here.ledger >= here.model.bill.total, point
        assert "≤" in here.tracking, point
    else:
        assert here.ledger == here.model.bill.total, point


async def _sweep(
    tmp_path: Path, points: list[str], fresh_database: Callable[[], str | None]
) -> None:
    died = 0
    for number, point in enumerate(points):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        died += await _die_and_live_on(folder, point, fresh_database())
    # How often a coalesced progress edit is written varies; nearly every point must still have been a death.
    assert died >= 0.7 * len(points), f"the server died at only {died} of {len(points)} points"


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of all workers of this run."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


async def _points(common: Path, database_url: str | None) -> list[str]:
    """The points of the story, found once: by the first worker that asks, while the others wait."""
    place = common / ("points-sqlite" if database_url is None else "points-postgresql")
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = place / "found.json"
        if not found.exists():
            place.mkdir(exist_ok=True)
            found.write_text(json.dumps(await find_points(place, database_url)))
        return list(json.loads(found.read_text()))


def _sqlite() -> None:
    """The server makes its own database."""


@pytest.mark.timeout(900)
async def test_a_death_at_a_point_loses_and_doubles_nothing(tmp_path: Path, common: Path) -> None:
    """A rotating sixteenth of the points, the others on the next days; all of them where there is time."""
    points = await _points(common, None)
    assert len(points) > 40
    await _sweep(tmp_path, share(points, 16), _sqlite)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("shard", range(SHARDS))
async def test_a_death_at_any_point_loses_and_doubles_nothing(
    tmp_path: Path, common: Path, shard: int
) -> None:
    points = await _points(common, None)
    await _sweep(tmp_path, points[shard::SHARDS], _sqlite)


@pytest.mark.timeout(900)
async def test_a_rotating_share_of_the_points_on_postgresql(
    tmp_path: Path, common: Path, postgres: Callable[[], str]
) -> None:
    points = await _points(common, postgres())
    await _sweep(tmp_path, share(points, 24), postgres)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("quarter", range(4))
async def test_every_point_on_postgresql(
    tmp_path: Path, common: Path, postgres: Callable[[], str], quarter: int
) -> None:
    points = await _points(common, postgres())
    await _sweep(tmp_path, points[quarter::4], postgres)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("shard", range(SHARDS))
async def test_a_second_death_during_the_recovery_changes_nothing(
    tmp_path: Path, common: Path, shard: int
) -> None:
    points = await _points(common, None)
    for number in range(shard, len(points), SHARDS):
        second = points[(number * 7 + 3) % len(points)]
        folder = tmp_path / f"{number}"
        folder.mkdir()
        await _die_and_live_on(folder, points[number], None, then=second)
