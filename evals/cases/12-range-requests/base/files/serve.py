"""Answers to GET and HEAD."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

from files.storage import Storage


@dataclass
class Response:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def serve(storage: Storage, method: str, name: str, headers: Mapping[str, str]) -> Response:
    """The answer to a request for a file."""
    if method not in ("GET", "HEAD"):
        return Response(405, {"Allow": "GET, HEAD"})
    found = storage.get(name)
    if found is None:
        return Response(404)
    answer = {"ETag": found.etag, "Content-Type": found.media_type}
    if headers.get("If-None-Match") == found.etag:
        return Response(304, answer)
    answer["Content-Length"] = str(len(found.data))
    return Response(200, answer, found.data if method == "GET" else b"")
