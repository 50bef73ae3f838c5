"""A database that fails at any one commit.

No agent runs twice, no money is booked twice, no chain is lost, and none asks whether it may go on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile
from uuid import uuid4

import pytest
import sqlalchemy as sa

from claude_pool_gh.storage import Retries, Transaction
from claude_pool_gh.storage.receipts import Receipt, Receipts
from tests.pool.stories import BRIEFLY, SOON, STORIES, Counted, Story, opened, told
from tests.storage.flaky import Flaky, When

pytestmark = pytest.mark.timeout(600)  # many short lives of a pool in each

BEGUN = "chains+reservations+steps+tasks#1"
"""Takes a chain up and begins it."""
Fresh = Callable[[], tuple[str, Path]]


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with its tables: to make them anew each time would take longer than the rest."""
    file = tmp_path_factory.mktemp("empty") / "pool.sqlite"
    opened(f"sqlite:///{file}", SOON).close()
    return file


@pytest.fixture(scope="session")
def template(postgres: Callable[[], str]) -> str:
    """The same on PostgreSQL, which copies a database that nobody is connected to."""
    url = postgres()
    opened(url, SOON).close()
    return url


def _copy(url: str) -> str:
    one, name = sa.make_url(url), f"t{uuid4().hex}"
    engine = sa.create_engine(
        one.set(database="postgres", drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {one.database}")
    engine.dispose()
    return one.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def fresh(request: pytest.FixtureRequest, tmp_path: Path, empty: Path) -> Fresh:
    """A new database each time, and a folder."""
    count = 0

    def new() -> tuple[str, Path]:
        nonlocal count
        count += 1
        state = tmp_path / str(count)
        state.mkdir()
        if request.param == "sqlite":
            copyfile(empty, state / "pool.sqlite")
            return f"sqlite:///{state}/pool.sqlite", state
        return _copy(request.getfixturevalue("template")), state

    return new


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
async def test_whichever_commit_fails_each_run_happens_and_is_paid_for_once(
    fresh: Fresh, story: Story, when: When
) -> None:
    points = _steady((await told(story, *fresh(), lambda _flaky, _agent: None)).seen)
    assert len(points) > 8
    for point in points:

        def fail(flaky: Flaky, _agent: Counted, point: str = point) -> None:
            flaky.at, flaky.when = point, when

        flaky = await told(story, *fresh(), fail)
        assert flaky.failed == 1, point


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize(
    "story",
    [STORIES[0], pytest.param(STORIES[1], marks=pytest.mark.long)],
    ids=["one-task", "steps-and-branches"],
)
async def test_a_database_that_is_away_for_longer_than_anybody_retries_costs_nothing_either(
    fresh: Fresh, story: Story, when: When
) -> None:
    """At each commit that a chain's carrier makes; what a caller asks for meanwhile is refused to the caller."""
    points = _steady((await told(story, *fresh(), lambda _flaky, _agent: None)).seen)
    callers = ["slots#1", "chains#1", "workers#1", "slots+workers#1"]
    # Who waits for a chain first asks what it is: that is while it is taken up and begun.
    lone = story is STORIES[0]
    callers += ["chains+steps+tasks#1"] if lone else ["chains+planned_steps+steps#1", BEGUN]
    carried = [point for point in points if point not in callers]
    assert len(carried) == len(points) - len(callers) > 2, points
    for point in carried:

        def fail(flaky: Flaky, _agent: Counted, point: str = point) -> None:
            flaky.at, flaky.when, flaky.stays_away = point, when, 0.3

        flaky = await told(story, *fresh(), fail, BRIEFLY)
        assert flaky.failed == 1, point
        assert flaky.refused, point


def _steady(points: list[str]) -> list[str]:
    """Those of each life of a pool: how often it looks for work and shows that it lives, the clock says."""
    return [point for point in points if not re.fullmatch(r"(chains|workers)#([2-9]|\d\d+)", point)]


class Forgetful(Receipts):
    """Finds no receipt."""

    def stands(self, tx: Transaction, receipt: Receipt) -> bool:  # noqa: ARG002
        return False


async def test_these_tests_see_where_a_commit_is_made_twice(fresh: Fresh) -> None:
    def fail(flaky: Flaky, _agent: Counted) -> None:
        flaky.at, flaky.when = "reservations#1", When.after
        flaky.database._receipts = Forgetful(flaky.database.engine.dialect.name)

    with pytest.raises(AssertionError):
        await told(STORIES[0], *fresh(), fail)


async def test_these_tests_see_where_a_commit_is_not_made_again(fresh: Fresh) -> None:
    def fail(flaky: Flaky, _agent: Counted) -> None:
        flaky.at, flaky.when = "chains+steps+tasks#1", When.before

    with pytest.raises(sa.exc.OperationalError):
        await told(STORIES[0], *fresh(), fail, Retries(seconds=0.0))
