"""Signed tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any


class TokenError(Exception):
    """The token cannot be parsed."""


@dataclass(frozen=True)
class Claims:
    subject: str
    audience: str
    expires: float


@dataclass(frozen=True)
class Verdict:
    """The claims of a good token, or the reason why it was refused."""

    claims: Claims | None = None
    reason: str = ""


def _signature(secret: bytes, payload: str) -> str:
    return hmac.new(secret, payload.encode(), hashlib.sha256).hexdigest()


def issue(secret: bytes, claims: Claims) -> str:
    fields = {"sub": claims.subject, "aud": claims.audience, "exp": claims.expires}
    payload = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()
    return f"{payload}.{_signature(secret, payload)}"


def _read(payload: str) -> Claims:
    try:
        fields: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload))
        return Claims(str(fields["sub"]), str(fields["aud"]), float(fields["exp"]))
    except (ValueError, KeyError, TypeError):
        raise TokenError("malformed") from None


def check(secret: bytes, token: str, *, audience: str, now: float) -> Verdict:
    """Whether a token is good; raises TokenError when it cannot be parsed."""
    payload, _, signature = token.partition(".")
    claims = _read(payload)
    if not hmac.compare_digest(signature.encode(), _signature(secret, payload).encode()):
        return Verdict(reason="signature")
    if claims.expires <= now:
        return Verdict(reason="expired")
    if claims.audience != audience:
        return Verdict(reason="audience")
    return Verdict(claims=claims)
