"""Verifies a webhook delivery. Nothing else makes a `VerifiedDelivery`, and intake accepts nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

LEAST_SECRET: Final = 32
BODY_LIMIT: Final = 10 * 2**20
_SIGNATURE: Final = re.compile(rb"sha256=([0-9a-f]{64})")
_GUID: Final = re.compile(r"[0-9A-Za-z-]{8,64}")


@dataclass(frozen=True, slots=True)
class VerifiedDelivery:
    """A POST whose body GitHub signed. Its GUID and event name stand outside the signature: hints, no proof."""

    guid: str
    event: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The reason why a POST is none of GitHub's, as an HTTP status."""

    status: int
    reason: str


def check_secrets(secrets: Sequence[str]) -> None:
    """Raises ValueError unless every secret is long enough; a server without one must not start."""
    if not secrets:
        raise ValueError(
            "WEBHOOK_SECRET is not set; a server that cannot verify deliveries does not start"
        )
    if any(len(secret) < LEAST_SECRET for secret in secrets):
        raise ValueError(
            f"WEBHOOK_SECRET needs at least {LEAST_SECRET} characters; make one: openssl rand -hex 32"
        )


def verify(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes
) -> VerifiedDelivery | Rejected:
    """Check the signature over the raw bytes first, in constant time, SHA-256 only; then read the body."""
    check_secrets(secrets)
    given = _SIGNATURE.fullmatch(
        headers.get("X-Hub-Signature-256", "").encode("utf-8", "surrogateescape")
    )
    if given is None:
        return Rejected(401, "no SHA-256 signature")
    made = [
        hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode() for secret in secrets
    ]
    if not any([hmac.compare_digest(given[1], each) for each in made]):  # noqa: C419 - compare all of them
        return Rejected(401, "the signature does not match")
    return _read(headers, body)


def _read(headers: Mapping[str, str], body: bytes) -> VerifiedDelivery | Rejected:
    guid, event = headers.get("X-GitHub-Delivery", ""), headers.get("X-GitHub-Event", "")
    if not _GUID.fullmatch(guid) or not event:
        return Rejected(400, "no delivery id or event name")
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return Rejected(
            400, "the body is not JSON; set the webhook's content type to application/json"
        )
    if not isinstance(payload, dict):
        return Rejected(400, "the body is not a JSON object")
    return VerifiedDelivery(guid, event, payload)
