"""The profile endpoint."""

from __future__ import annotations

import time
from typing import Any, Mapping

from portal.tokens import TokenError, check


def get_profile(
    users: Mapping[str, dict[str, Any]], secret: bytes, headers: Mapping[str, str]
) -> tuple[int, Any]:
    """Status and body for GET /profile."""
    try:
        verdict = check(secret, headers.get("X-Token", ""), audience="app", now=time.time())
    except TokenError:
        return 401, {"error": "token", "reason": "malformed"}
    if verdict.claims is None:
        return 401, {"error": "token", "reason": verdict.reason}
    user = users.get(verdict.claims.subject)
    if user is None:
        return 404, {"error": "no such user"}
    return 200, {"name": user["name"], "email": user["email"]}
