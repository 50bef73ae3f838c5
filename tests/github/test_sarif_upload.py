"""The upload to code scanning: once, found again, and told what became of it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from claude_pool_gh.github.effects.sarif import Sarif
from claude_pool_gh.rehearsal.github import Fault, Repository, Reset, Respond
from tests.github.test_writer import Bench, bench
from tests.rehearsal.test_scanning import document, result

__all__ = ["bench"]
SARIFS = "/repos/{owner}/{repo}/code-scanning/sarifs"
STATUS = "/repos/{owner}/{repo}/code-scanning/sarifs/{sarif_id}"


@pytest.fixture(autouse=True)
def permitted(bench: Bench) -> None:
    bench.installation.permissions = {
        **bench.installation.permissions,
        "security_events": "write",
    }


def shop(bench: Bench) -> Repository:
    return bench.github.repository("octo/shop")


def upload(bench: Bench, **fields: Any) -> Sarif:
    values = {
        "commit": shop(bench).head(),
        "ref": "refs/heads/main",
        "tool": "claude-pool-gh",
        "category": "claude-pool/defects/",
        "document": json.dumps(document(result())),
        "made_ms": int(time.time() * 1000),
    }
    return Sarif.model_validate(values | fields)


async def ended(bench: Bench) -> Any:
    await bench.until(lambda: bench.row().state != "wanted" or bench.row().note)
    bench.change(due_ms=0)
    await bench.until(lambda: bench.row().state != "wanted")
    return bench.row()


async def test_it_is_uploaded_and_its_processing_awaited(bench: Bench) -> None:
    bench.want(upload(bench), chain="c1")
    row = await ended(bench)
    (analysis,) = shop(bench).scanning.analyses
    assert (row.state, row.remote_id, row.note) == ("written", analysis.id, None)
    assert [one.state for one in shop(bench).scanning.alerts] == ["open"]
    assert bench.told == ["c1"]


async def test_while_it_is_processed_nothing_is_uploaded_again(bench: Bench) -> None:
    bench.github.limits.sarif_seconds = 300
    bench.want(upload(bench))
    await bench.until(lambda: bench.row().note)
    bench.change(due_ms=0)
    await bench.until(lambda: bench.row().tries > 1)
    assert bench.row().state == "wanted"
    bench.github.clock.advance(301)
    assert (await ended(bench)).state == "written"
    assert len(shop(bench).scanning.uploads) == 1


async def test_after_an_answer_that_was_lost_it_is_found(bench: Bench) -> None:
    bench.github.faults.add(Fault(Reset(), method="POST", route=SARIFS, after_effect=True))
    bench.want(upload(bench))
    assert (await ended(bench)).state == "written"
    assert len(shop(bench).scanning.uploads) == 1


async def test_an_earlier_upload_of_the_same_commit_is_not_taken_for_it(bench: Bench) -> None:
    bench.want(upload(bench), key="earlier")
    await bench.until(lambda: bench.row("earlier").note)
    bench.change("earlier", due_ms=0)
    await bench.until(lambda: bench.row("earlier").state == "written")
    bench.github.clock.advance(300)
    bench.github.faults.add(Fault(Reset(), method="POST", route=SARIFS, times=1))
    bench.want(upload(bench, made_ms=int(time.time() * 1000) + 300_000))
    assert (await ended(bench)).state == "written"
    assert len(shop(bench).scanning.uploads) == 2


async def test_what_code_scanning_does_not_take_is_told(bench: Bench) -> None:
    bench.want(upload(bench, document=json.dumps(document(result(locations=[])))), chain="c1")
    row = await ended(bench)
    assert row.state == "refused"
    assert "code scanning did not take all of the upload: result 0: locations" in row.error
    assert bench.told == ["c1"]


async def test_where_code_scanning_is_off_it_is_told_once(bench: Bench) -> None:
    shop(bench).scanning.on = False
    fault = bench.github.faults.add(Fault(Respond(202), method="POST", route="/never", times=1))
    bench.want(upload(bench))
    row = await ended(bench)
    assert (row.state, "Advanced Security must be enabled" in row.error) == ("refused", True)
    assert fault.hits == 0
    posts = [one for one in bench.github.requests if one.path.endswith("/sarifs")]
    assert len(posts) == 1


async def test_a_token_that_may_not_upload_is_told(bench: Bench) -> None:
    bench.installation.permissions = {
        name: level
        for name, level in bench.installation.permissions.items()
        if name != "security_events"
    }
    bench.want(upload(bench))
    row = await ended(bench)
    assert (row.state, "permissions requested are not granted" in row.error) == ("refused", True)


async def test_an_upload_that_is_not_known_yet_is_asked_for_again(bench: Bench) -> None:
    fault = bench.github.faults.add(
        Fault(Respond(404, "Not Found"), method="GET", route=STATUS, times=1)
    )
    bench.want(upload(bench))
    await bench.until(lambda: bench.row().note)
    bench.change(due_ms=0)
    await bench.until(lambda: fault.hits == 1 and bench.row().tries > 1)
    assert (await ended(bench)).state == "written"


async def test_one_that_is_never_processed_ends_in_words(bench: Bench) -> None:
    bench.github.limits.sarif_seconds = 10**9
    bench.want(upload(bench))
    await bench.until(lambda: bench.row().note)
    bench.change(tries=24, due_ms=0)
    row = await ended(bench)
    assert "has not processed the upload for ten minutes" in row.error


async def test_one_with_a_secret_in_it_is_not_uploaded_and_closes_no_alert(bench: Bench) -> None:
    bench.want(upload(bench).withheld("withheld", lambda *_: True))
    row = await ended(bench)
    assert (row.state, "looks like a secret" in row.error) == ("refused", True)
    assert shop(bench).scanning.uploads == []
