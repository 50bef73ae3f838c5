"""Addresses of downloads that nobody can guess: what is too long for a comment, and patches for forks."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, Literal

from claude_pool_gh.terms.links import Links

What = Literal["patch", "report"]
SUFFIXES: Final[dict[What, str]] = {"patch": "patch", "report": "md"}


def url_of(links: Links, chain_id: str, what: What) -> str:
    """The address of a chain's patch or whole report; "" where this server hands out nothing."""
    if links.public is None:
        return ""
    return f"{links.public}/chains/{chain_id}.{SUFFIXES[what]}?key={key_of(links, chain_id, what)}"


def key_of(links: Links, chain_id: str, what: What) -> str:
    """Whoever was shown the address may have it; it stands in the repository's own thread."""
    return hmac.new(links.download_key, f"{what}\0{chain_id}".encode(), hashlib.sha256).hexdigest()[
        :40
    ]


def may_have(links: Links, chain_id: str, what: What, given: str) -> bool:
    """True where a key belongs to a download, compared in constant time."""
    right = key_of(links, chain_id, what)
    return links.public is not None and hmac.compare_digest(right.encode(), given.encode())
