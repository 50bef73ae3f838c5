"""Operators' endpoints."""

from __future__ import annotations

import time
from typing import Any, Mapping, MutableMapping

from portal.tokens import TokenError, check


def purge_users(
    users: MutableMapping[str, dict[str, Any]], secret: bytes, headers: Mapping[str, str]
) -> tuple[int, Any]:
    """Status and body for POST /admin/purge: removes the users who asked for it."""
    try:
        check(secret, headers.get("X-Token", ""), audience="admin", now=time.time())
    except TokenError:
        return 401, {"error": "token"}
    leaving = [name for name, user in users.items() if user.get("leaving")]
    for name in leaving:
        del users[name]
    return 200, {"removed": len(leaving)}
