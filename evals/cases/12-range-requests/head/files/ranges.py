"""The Range header."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SINGLE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class Unsatisfiable(Exception):
    """The range has nothing in common with the file."""


@dataclass(frozen=True)
class ByteRange:
    """The first and the last byte, as in Content-Range."""

    first: int
    last: int

    def content_range(self, size: int) -> str:
        return f"bytes {self.first}-{self.last}/{size}"


def parse_range(header: str, size: int) -> ByteRange | None:
    """The range asked for, cut to the size of the file; None for a header to be ignored."""
    match = _SINGLE.fullmatch(header.strip())
    if match is None or match.group() == "bytes=-":
        return None
    start, end = match.groups()
    if not start:
        length = min(int(end), size)
        if length == 0:
            raise Unsatisfiable
        return ByteRange(size - length, size - 1)
    first = int(start)
    if end and int(end) < first:
        return None
    if first >= size:
        raise Unsatisfiable
    last = min(int(end), size - 1) if end else size - 1
    return ByteRange(first, last)
