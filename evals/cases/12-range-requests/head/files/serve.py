"""Answers to GET and HEAD."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

from files.ranges import Unsatisfiable, parse_range
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
    answer = {"ETag": found.etag, "Content-Type": found.media_type, "Accept-Ranges": "bytes"}
    if headers.get("If-None-Match") == found.etag:
        return Response(304, answer)
    size = len(found.data)
    same = headers.get("If-Range", found.etag) == found.etag
    if method == "GET" and "Range" in headers and same:
        try:
            wanted = parse_range(headers["Range"], size)
        except Unsatisfiable:
            return Response(416, {"Content-Range": f"bytes */{size}"})
        if wanted is not None:
            body = found.data[wanted.first : wanted.last]
            answer["Content-Range"] = wanted.content_range(size)
            answer["Content-Length"] = str(len(body))
            return Response(206, answer, body)
    answer["Content-Length"] = str(size)
    return Response(200, answer, found.data if method == "GET" else b"")
