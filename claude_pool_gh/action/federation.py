"""Workload identity federation: the job's own identity, exchanged for a short-lived token of the model's API.

As documented by Anthropic and done by its SDKs: GitHub signs who the job is, `POST /v1/oauth/token` answers with a
token that goes where a key would. It was not tried against the real service. All of it happens in the process of the
gateway; no agent sees the identity, the token, or what they are asked for with.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

import aiohttp

from claude_pool_gh.action.look import Fault, Inputs
from claude_pool_gh.terms import network_errors

logger = logging.getLogger(__name__)

AUDIENCE: Final = "https://api.anthropic.com"
OAUTH: Final = "oauth-2025-04-20"
"""The beta feature that an API request with such a token names."""
_EXCHANGE: Final = f"{OAUTH},oidc-federation-2026-04-01"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_REQUEST_URL: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
_REQUEST_TOKEN: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
_SOON: Final = 120.0
"""Seconds before its end from which on a token is renewed."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_SAID: Final = 300
_MOST_BYTES: Final = 1 << 20


class ExchangeRefused(aiohttp.ClientError):
    """No token was given, and why, in words that hold no secret."""


@dataclass(slots=True, kw_only=True)
class Federation:
    """A job's identity, as the credential of its requests to the model's API."""

    rule: str
    organization: str
    service_account: str
    workspace: str
    api: str
    request_url: str
    request_token: str = field(repr=False)
    _token: str = field(default="", repr=False)
    _until: float = 0.0
    """When the token ends, by this process's clock."""
    _one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def headers(self) -> Mapping[str, str]:
        """The headers of a request to the API, in place of a key. Raises ExchangeRefused, and other ClientErrors."""
        async with self._one_by_one:
            if time.monotonic() > self._until - _SOON:
                await self._renew()
        return {"authorization": f"Bearer {self._token}", "anthropic-beta": OAUTH}

    async def _renew(self) -> None:
        """Exchange a new identity each time: one is good for one exchange."""
        began = time.monotonic()
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            try:
                self._token, lasts = await self._exchange(session, await self._identity(session))
                self._until = began + lasts
            except (aiohttp.ClientError, TimeoutError) as error:
                if began >= self._until:
                    raise
                logger.warning("the API's token is not renewed yet: %s", network_errors.told(error))

    async def _identity(self, session: aiohttp.ClientSession) -> str:
        url = f"{self.request_url}&audience={quote(AUDIENCE, safe='')}"
        headers = {"authorization": f"Bearer {self.request_token}", "accept": "application/json"}
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            told = await _object(answer, "GitHub gave the job no identity")
        value = told.get("value")
        if not isinstance(value, str) or not value:
            raise ExchangeRefused("GitHub gave the job no identity: its answer has no `value`")
        return value

    async def _exchange(self, session: aiohttp.ClientSession, identity: str) -> tuple[str, float]:
        body = {
            "grant_type": _GRANT,
            "assertion": identity,
            "federation_rule_id": self.rule,
            "organization_id": self.organization,
            "service_account_id": self.service_account,
            "workspace_id": self.workspace,
        }
        given = {name: value for name, value in body.items() if value}
        url, headers = f"{self.api.rstrip('/')}/v1/oauth/token", {"anthropic-beta": _EXCHANGE}
        async with session.post(url, json=given, headers=headers, allow_redirects=False) as answer:
            told = await _object(answer, "the model's API gave no token for the job's identity")
        token, lasts = told.get("access_token"), told.get("expires_in")
        kind = told.get("token_type") or "Bearer"
        if not isinstance(token, str) or not token or str(kind).lower() != "bearer":
            raise ExchangeRefused(
                "the model's API gave no token for the job's identity, only another answer"
            )
        if not isinstance(lasts, int | float) or isinstance(lasts, bool) or lasts <= 0:
            raise ExchangeRefused("the model's API did not say how long its token lasts")
        return token, float(lasts)


async def _object(answer: aiohttp.ClientResponse, what: str) -> dict[str, Any]:
    """An answer's JSON object. Of a refusal only the two fields are told that OAuth has for that."""
    raw = await answer.content.read(_MOST_BYTES)
    try:
        parsed = json.loads(raw)
        told = parsed if isinstance(parsed, dict) else {}
    except ValueError:
        told = {}
    if answer.status == 200 and told:
        return told
    said = [told.get(name) for name in ("error", "error_description")]
    why = ": ".join(each[:_SAID] for each in said if isinstance(each, str))
    raise ExchangeRefused(f"{what} (HTTP {answer.status}{f', {why}' if why else ''})")


def federation_of(inputs: Inputs, api: str) -> Federation | None:
    """The job's identity, where its workflow names a rule for it; no child's environment has it. Raises Fault."""
    url, token = os.environ.pop(_REQUEST_URL, ""), os.environ.pop(_REQUEST_TOKEN, "")
    if not inputs.is_federated:
        return None
    for address in (url, api):
        parts = urlsplit(address)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise Fault(
                f"an identity is sent over https only, and not to {parts.scheme}://{parts.hostname}"
            )
    return Federation(
        rule=inputs.federation_rule_id,
        organization=inputs.organization_id,
        service_account=inputs.service_account_id,
        workspace=inputs.workspace_id,
        api=api,
        request_url=url,
        request_token=token,
    )


async def exchanged(federation: Federation) -> None:
    """Check whether there is a token for the job, before anything is begun. Raises Fault."""
    try:
        await federation.headers()
    except (aiohttp.ClientError, TimeoutError) as error:
        why = network_errors.told(error)
        raise Fault(
            f"anthropic_federation_rule_id: {why}. Compare the rule in the Claude Console with this repository and "
            "event, and name the workspace where the rule covers several"
        ) from None
