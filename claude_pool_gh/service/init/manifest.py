"""The manifest of a server's GitHub App: from what the product declares, never typed a second time."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from claude_pool_gh.github.access import PERMISSIONS, PUSHING, RESOLVING
from claude_pool_gh.github.effects import registry
from claude_pool_gh.service.doctor.doctor_github import EVENTS

NAME_LIMIT: Final = 34
_RANK: Final = {"": 0, "read": 1, "write": 2, "admin": 3}
_ABOUT: Final = "Runs pools of Claude agents on this account's repositories. Comment `/pool help`."


def permissions() -> dict[str, str]:
    """The strongest level that a token of ours or an effect of ours needs, by permission; optional ones aside."""
    found: dict[str, str] = {}
    usual = [kind for kind in registry.kinds().values() if not kind.optional]
    effects = [dict(declared(kind.permission)) for kind in usual]
    for needed in (PERMISSIONS, PUSHING, RESOLVING, *effects):
        for name, level in needed.items():
            found[name] = max(found.get(name, ""), level, key=_RANK.__getitem__)
    return dict(sorted(found.items()))


def declared(needs: str) -> Iterator[tuple[str, str]]:
    """The permissions of an effect. Of alternatives each is needed: which one depends on issue or pull request."""
    for each in re.split(r"[;,]", needs):
        name, _, level = each.strip().partition("=")
        yield name, level


def manifest(name: str, public_url: str, redirect_url: str) -> dict[str, Any]:
    """The App's manifest. `public_url`: where GitHub reaches the server; "": nowhere, the server asks GitHub itself."""
    wanted: dict[str, Any] = {
        "name": name,
        "url": public_url or "https://github.com",
        "description": _ABOUT,
        "public": False,
        "redirect_url": redirect_url,
        "default_permissions": permissions(),
    }
    if public_url:
        wanted |= {"hook_attributes": {"url": f"{public_url}/webhook", "active": True}}
        wanted |= {"default_events": list(EVENTS)}
    return wanted


def usual_name(organization: str) -> str:
    """A name that hardly anybody has: it is unique on the whole GitHub, and can be changed on the page there."""
    return f"claude-pool-{organization or secrets.token_hex(3)}"[:NAME_LIMIT].rstrip("-")


def checked_url(text: str) -> str:
    """An address at which GitHub can reach a server. Raises ValueError."""
    parts = urlsplit(text)
    host = parts.hostname or ""
    if parts.scheme != "https" or not host or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is not an address such as https://pool.example.com")
    if host == "localhost" or host.startswith("127.") or host == "::1":
        raise ValueError(
            f"GitHub cannot reach {host}: give the address of the TLS proxy in front of the server"
        )
    return text.rstrip("/").removesuffix("/webhook")


def shown(wanted: Mapping[str, Any]) -> str:
    """The permissions and events of the App, for people."""
    levels = ", ".join(f"{name}: {level}" for name, level in wanted["default_permissions"].items())
    events = ", ".join(wanted.get("default_events") or ()) or "none: the server asks GitHub"
    return f"permissions: {levels}\nevents: {events}"
