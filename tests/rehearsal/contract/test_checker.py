"""The checker finds what it is there to find."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from gidgethub.aiohttp import GitHubAPI

from claude_pool_gh.rehearsal.github import Exchange, SimulatedGitHub, WebhookSent
from tests.rehearsal.contract.checker import Contract

POST = "/repos/{owner}/{repo}/issues/{issue_number}/comments"


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract()


@pytest.fixture
async def seen(tmp_path: Path) -> list[Exchange | WebhookSent]:
    seen: list[Exchange | WebhookSent] = []
    async with SimulatedGitHub.start(tmp_path) as github:
        github.observe(seen.append)
        widgets = github.create_repository("octo/widgets")
        installation = github.install(github.create_app("claude-pool"), "octo")
        issue = widgets.open_issue("An issue")
        async with aiohttp.ClientSession() as session:
            token = github.create_installation_token(installation)
            api = GitHubAPI(session, "tester", oauth_token=token, base_url=github.api_url)
            await api.post(
                f"/repos/octo/widgets/issues/{issue.number}/comments", data={"body": "hello"}
            )
            await api.getitem("/repos/octo/widgets/issues/1/comments")
    return seen


def posted(seen: list[Exchange | WebhookSent]) -> Exchange:
    return next(one for one in seen if isinstance(one, Exchange) and one.method == "POST")


def spoiled(exchange: Exchange, **changes: Any) -> Exchange:
    shape = json.loads(exchange.response_body) | changes
    return replace(
        exchange, response_body=json.dumps({k: v for k, v in shape.items() if v != "gone"}).encode()
    )


def complaints(contract: Contract, one: Exchange | WebhookSent) -> list[str]:
    contract.clear()
    contract(one)
    return list(contract.violations)


def test_a_true_exchange_passes(contract: Contract, seen: list[Exchange | WebhookSent]) -> None:
    assert len(seen) >= 4
    assert [complaints(contract, one) for one in seen] == [[] for _ in seen]


def test_wrong_answers_are_found(contract: Contract, seen: list[Exchange | WebhookSent]) -> None:
    good = posted(seen)
    assert complaints(contract, spoiled(good, id="not a number"))
    assert complaints(contract, spoiled(good, created_at="gone"))
    assert complaints(contract, spoiled(good, author_association="FRIEND"))
    assert complaints(contract, replace(good, status=299))
    assert complaints(contract, replace(good, route=None))


def test_what_is_alike_is_judged_once_and_what_a_schema_could_refuse_is_not_alike(
    seen: list[Exchange | WebhookSent],
) -> None:
    contract, good = Contract(), posted(seen)
    assert complaints(contract, good) == []
    known = len(contract._clean)
    assert complaints(contract, spoiled(good, id=4711, created_at="2031-05-06T07:08:09Z")) == []
    assert len(contract._clean) == known
    assert complaints(contract, spoiled(good, id="4711"))
    assert complaints(contract, spoiled(good, created_at="2031-05-06 07:08"))
    assert complaints(contract, spoiled(good, node_id=7))
    assert complaints(contract, spoiled(good, user={"id": 1}))
    assert len(contract._clean) == known


def test_a_route_that_is_not_in_the_cut_is_named_with_what_to_do(
    seen: list[Exchange | WebhookSent],
) -> None:
    contract, one = Contract(), posted(seen)
    del contract.description["paths"][POST]
    contract.check_exchange(one)
    assert contract.violations == [
        f"POST {one.path}: not in the cut; run tests/rehearsal/contract/cut.py again, as it says at its top"
    ]


def test_wrong_requests_are_found(contract: Contract, seen: list[Exchange | WebhookSent]) -> None:
    good = posted(seen)
    assert complaints(contract, replace(good, request_body=b'{"bodyy": "x"}'))
    assert complaints(contract, replace(good, request_body=b'{"body": "x", "color": "red"}'))
    assert complaints(contract, replace(good, query={"sort_by": "date"}))
    assert complaints(contract, replace(good, request_headers={"Content-Type": "text/plain"}))


def test_an_answer_made_up_by_a_fault_is_not_judged(
    contract: Contract, seen: list[Exchange | WebhookSent]
) -> None:
    assert not complaints(
        contract, replace(posted(seen), status=502, response_body=b"", injected=True)
    )


def test_wrong_webhooks_are_found(contract: Contract, seen: list[Exchange | WebhookSent]) -> None:
    sent = next(
        one for one in seen if isinstance(one, WebhookSent) and one.event == "issue_comment"
    )
    payload = copy.deepcopy(sent.payload)
    del payload["issue"]["url"]
    assert complaints(contract, replace(sent, payload=payload))
    assert complaints(contract, replace(sent, event="no_such_event"))
