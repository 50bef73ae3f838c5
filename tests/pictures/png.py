"""Just enough of PNG to cut and to look at screenshots: eight bits of RGB or RGBA, not interlaced."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

_HEAD: Final = b"\x89PNG\r\n\x1a\n"
_OF: Final = b"Source\0"
_SAMPLES: Final = {2: 3, 6: 4}
"""Bytes of a pixel by colour type."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows of pixels. `of`: what it is a picture of, as a digest of the text."""

    width: int
    samples: int
    rows: tuple[bytes, ...]
    of: str = ""

    def top(self, height: int) -> Picture:
        """Its upper part."""
        return replace(self, rows=self.rows[:height])

    def pixel(self, x: int, y: int) -> bytes:
        """The red, green and blue of a pixel."""
        return self.rows[y][x * self.samples : x * self.samples + 3]


def read(path: Path) -> Picture:
    """Read a file. Raises ValueError for one of another form."""
    data = path.read_bytes()
    if not data.startswith(_HEAD):
        raise ValueError(f"{path} is no PNG")
    packed, place = b"", len(_HEAD)
    width = height = samples = 0
    of = ""
    while place < len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            if depth != 8 or colour not in _SAMPLES or interlaced:
                raise ValueError(f"{path} has {depth} bits of colour type {colour}")
            samples = _SAMPLES[colour]
        packed += body if kind == b"IDAT" else b""
        if kind == b"tEXt" and body.startswith(_OF):
            of = body.removeprefix(_OF).decode("ascii")
        place += size + 12
    rows = _unfiltered(zlib.decompress(packed), width * samples, height, samples)
    return Picture(width, samples, rows, of)


def write(path: Path, picture: Picture) -> None:
    """Write a file."""
    colour = next(kind for kind, samples in _SAMPLES.items() if samples == picture.samples)
    head = struct.pack(">IIBBBBB", picture.width, len(picture.rows), 8, colour, 0, 0, 0)
    # unfiltered: quick to read, and flat colours pack well
    rows = b"".join(b"\0" + row for row in picture.rows)
    chunks = (
        (b"IHDR", head),
        (b"tEXt", _OF + picture.of.encode("ascii")),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    path.write_bytes(_HEAD + b"".join(_chunk(kind, body) for kind, body in chunks))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _unfiltered(data: bytes, length: int, height: int, samples: int) -> tuple[bytes, ...]:
    rows: list[bytes] = []
    above = bytes(length)
    for y in range(height):
        start = y * (length + 1)
        above = _row(data[start], bytearray(data[start + 1 : start + 1 + length]), above, samples)
        rows.append(above)
    return tuple(rows)


def _row(filtered_by: int, row: bytearray, above: bytes, samples: int) -> bytes:
    match filtered_by:
        case 0:
            pass
        case 1:
            for i in range(samples, len(row)):
                row[i] = (row[i] + row[i - samples]) & 255
        case 2:
            for i, up in enumerate(above):
                row[i] = (row[i] + up) & 255
        case 3:
            for i, up in enumerate(above):
                left = row[i - samples] if i >= samples else 0
                row[i] = (row[i] + (left + up) // 2) & 255
        case 4:
            for i, up in enumerate(above):
                left, corner = (row[i - samples], above[i - samples]) if i >= samples else (0, 0)
                row[i] = (row[i] + _nearest(left, up, corner)) & 255
        case _:
            raise ValueError(f"no filter {filtered_by}")
    return bytes(row)


def _nearest(left: int, up: int, corner: int) -> int:
    """Paeth's predictor."""
    guess = left + up - corner
    return min((left, up, corner), key=lambda each: abs(guess - each))
