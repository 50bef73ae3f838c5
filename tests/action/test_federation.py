"""A job without a key: its own identity is exchanged for a token, in the gateway's process and nowhere else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from claude_pool_gh.action import federation, look
from claude_pool_gh.action.federation import ExchangeRefused, Federation
from claude_pool_gh.action.look import Fault, Inputs
from claude_pool_gh.reports.secrets import secrets
from tests.action.conftest import STATE_KEY, WRITE, Stage

IDS = {
    "anthropic_api_key": "",
    "anthropic_federation_rule_id": "fdrl_1",
    "anthropic_organization_id": "00000000-0000-0000-0000-000000000001",
    "anthropic_service_account_id": "svac_1",
}
REQUEST_TOKEN = "runner-request-token"
IDENTITY = "head.claims.signature"
TOKEN = "sk-ant-oat01-" + "a1B2c3D4e5" * 8


@dataclass
class Service:
    """GitHub's endpoint of identities and Anthropic's of tokens, as they are documented; all else goes to a model."""

    model: str = ""
    lasts: float = 3600
    refuses: Mapping[str, str] | None = None
    url: str = ""
    identities: list[Mapping[str, str]] = field(default_factory=list)
    exchanges: list[tuple[Mapping[str, str], Mapping[str, str]]] = field(default_factory=list)
    asked: list[Mapping[str, str]] = field(default_factory=list)

    async def identity(self, request: web.Request) -> web.Response:
        self.identities.append({**request.query, "authorization": request.headers["Authorization"]})
        return web.json_response({"value": f"{IDENTITY}{len(self.identities)}", "count": 1})

    async def exchange(self, request: web.Request) -> web.Response:
        self.exchanges.append((await request.json(), dict(request.headers)))
        if self.refuses is not None:
            return web.json_response(self.refuses, status=401)
        return web.json_response(
            {"access_token": TOKEN, "expires_in": self.lasts, "token_type": "Bearer"}
        )

    async def forward(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.headers))
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, self.model + request.path_qs, data=await request.read()
            ) as answer,
        ):
            return web.Response(
                body=await answer.read(), status=answer.status, content_type=answer.content_type
            )


@asynccontextmanager
async def serving(service: Service) -> AsyncIterator[Service]:
    app = web.Application(client_max_size=2**26)
    app.router.add_get("/oidc", service.identity)
    app.router.add_post("/v1/oauth/token", service.exchange)
    app.router.add_route("*", "/{rest:.*}", service.forward)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()


def around(service: Service) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": service.url,
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{service.url}/oidc?api-version=2",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
    }


async def test_a_job_reviews_with_its_identity_and_no_key(scene: Stage) -> None:
    async with serving(Service(scene.model.url)) as service:
        done = await scene.say("/pool review", inputs=IDS, environment=around(service))
        assert (done.red, done.outputs["outcome"]) == (False, "clean"), done.log
    assert service.identities == [
        {
            "api-version": "2",
            "audience": federation.AUDIENCE,
            "authorization": f"Bearer {REQUEST_TOKEN}",
        }
    ]
    ((body, headers),) = service.exchanges
    assert body == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": f"{IDENTITY}1",
        "federation_rule_id": "fdrl_1",
        "organization_id": IDS["anthropic_organization_id"],
        "service_account_id": "svac_1",
    }
    assert headers["anthropic-beta"] == "oauth-2025-04-20,oidc-federation-2026-04-01"
    asked = [{name.lower(): value for name, value in each.items()} for each in service.asked]
    assert asked
    for each in asked:
        assert each["authorization"] == f"Bearer {TOKEN}"
        assert "x-api-key" not in each
        assert "oauth-2025-04-20" in each["anthropic-beta"].split(",")
    seen = json.dumps([each.body for each in scene.model.requests]) + done.log + done.summary
    for secret in (TOKEN, IDENTITY, REQUEST_TOKEN):
        assert secret not in seen


async def test_with_its_identity_alone_a_job_keeps_no_state_and_goes_on_with_none(
    scene: Stage,
) -> None:
    """Nothing would tell its states from those of whoever may push."""
    keeping = WRITE | {"contents": "write"}
    git, name = scene.repository.git, f"refs/claude-pool/threads/{scene.pull.number}"
    git.set_ref(name, git.resolve("main"))
    async with serving(Service(scene.model.url)) as service:
        for key, kept in (("", False), (STATE_KEY, True)):
            done = await scene.say(
                "/pool help",
                inputs=IDS | {"state_key": key},
                environment=around(service),
                permissions=keeping,
            )
            assert done.outputs["outcome"] == "answered", done.log
            assert (git.resolve(name) != git.resolve("main")) is kept
            assert ("input `state_key`" in done.summary) is not kept
            assert ("nothing to sign a state with" in done.log) is not kept


async def test_a_rule_that_does_not_fit_is_told_before_anything_is_begun(scene: Stage) -> None:
    told = {"error": "invalid_grant", "error_description": "no rule matches", "assertion": IDENTITY}
    async with serving(Service(scene.model.url, refuses=told)) as service:
        done = await scene.say("/pool review", inputs=IDS, environment=around(service))
    assert (done.red, done.outputs["outcome"], scene.paid) == (True, "misconfigured", 0)
    assert "invalid_grant: no rule matches" in done.errors[0]
    assert IDENTITY not in done.log


async def test_a_token_is_renewed_with_a_new_identity_before_it_ends() -> None:
    async with serving(Service(lasts=100)) as service:  # less than is left when one is renewed
        job = federated(service)
        await job.headers()
        await job.headers()
        assert [body["assertion"] for body, _ in service.exchanges] == [
            f"{IDENTITY}1",
            f"{IDENTITY}2",
        ]
        service.refuses = {"error": "server_error"}
        assert (await job.headers())["authorization"] == f"Bearer {TOKEN}", (
            "the old one holds until its end"
        )
    async with serving(Service()) as service:
        job = federated(service)
        await job.headers()
        await job.headers()
        assert len(service.exchanges) == 1, "the control: a fresh one is used again"


async def test_an_answer_that_is_no_token_is_none() -> None:
    async with serving(Service(lasts=-1)) as service:
        with pytest.raises(ExchangeRefused, match="how long"):
            await federated(service).headers()


def federated(service: Service) -> Federation:
    return Federation(
        rule="fdrl_1",
        organization="o",
        service_account="",
        workspace="",
        api=service.url,
        request_url=f"{service.url}/oidc?api-version=2",
        request_token=REQUEST_TOKEN,
    )


HAS = Inputs(has_token=True, federation_rule_id="fdrl_1", organization_id="o")
EVENT = {"issue": {"number": 1}}


@pytest.mark.parametrize(
    ("inputs", "environment", "named"),
    [
        (HAS, {}, "id-token: write"),
        (HAS._replace(organization_id=""), {}, "anthropic_organization_id: it is empty"),
        (HAS._replace(federation_rule_id=""), {}, "anthropic_federation_rule_id: it is empty"),
        (HAS._replace(has_key=True), {}, "both are given"),
    ],
)
def test_what_a_federated_job_lacks_is_named(
    inputs: Inputs, environment: Mapping[str, str], named: str
) -> None:
    with pytest.raises(Fault, match=named):
        look.check("issue_comment", EVENT, inputs, environment)
    look.check("issue_comment", EVENT, HAS, {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x"})


def test_an_identity_goes_over_https_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://runner.example/x?a=b")
    with pytest.raises(Fault, match="https only"):
        federation.federation_of(HAS, "http://api.example")


def test_such_a_token_is_taken_out_of_what_leaves() -> None:
    assert secrets(f"it said {TOKEN} there")
