"""Signed tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any


class TokenError(Exception):
    """The token is not to be trusted."""


@dataclass(frozen=True)
class Claims:
    subject: str
    audience: str
    expires: float


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


def check(secret: bytes, token: str, *, audience: str, now: float) -> Claims:
    """The claims of a good token; raises TokenError for any other."""
    payload, _, signature = token.partition(".")
    claims = _read(payload)
    if not hmac.compare_digest(signature.encode(), _signature(secret, payload).encode()):
        raise TokenError("signature")
    if claims.expires <= now:
        raise TokenError("expired")
    if claims.audience != audience:
        raise TokenError("audience")
    return claims
