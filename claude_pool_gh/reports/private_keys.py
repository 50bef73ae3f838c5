"""Takes private keys out of a text, and nothing that stands after them.

Where a key has no end, its lines end it: each holds one piece of base64, whatever a diff, a program or a comment puts
around that. What only speaks of keys, or begins one to have the rest left out, loses that beginning alone.
"""

from __future__ import annotations

import re
from typing import Final

BEGIN: Final = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END: Final = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_LINE: Final = re.compile(r"(.*?)(\\r\\n|\\n|\\r|\r?\n|\Z)")
"""A line, also of a text in which line breaks are escaped."""
_NUMBER: Final = re.compile(r"\s*(?:\S{1,300}[:-])?\d{1,6}(?:\s*[|→\t]|[:-])")
"""What stands before a line in listings: its number, and of `grep` its file."""
_AROUND: Final = "+-\"'`,;:>#*|\\ \t"
_PIECE: Final = re.compile(r"=?[A-Za-z0-9+/]*={0,2}")
_HEADER: Final = re.compile(r"(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset): .*")
_LONG: Final = 16
"""Characters that a piece of a key has, but for its last."""
_LONGEST_LINE: Final = 4_000
"""A key can also stand in one line."""
_MOST_LINES: Final = 500
_STRAY: Final = re.compile(r"[A-Za-z0-9+/]{32,}={0,2}")
"""What may be more of a key, beside something else."""


def without_keys(text: str, mark: str, begins: re.Pattern[str] = BEGIN) -> str:
    """The text with a mark in the place of each private key. `begins`: what one may begin with."""
    found = begins.search(text)
    if found is None:
        return text
    parts, at = [text[: found.start()]], found.start()
    while found is not None:
        parts += [_without_strays(text[at : found.start()], mark), mark]
        at = _end(text, found, begins)
        found = begins.search(text, at)
    return "".join([*parts, _without_strays(text[at:], mark)])


def _end(text: str, begun: re.Match[str], begins: re.Pattern[str]) -> int:
    """The end of the key, or of what begins it where no more of one follows."""
    is_marked = BEGIN.match(begun[0]) is not None
    at = begun.end() if is_marked else begun.start()
    end = begun.end()
    another = (BEGIN if is_marked else begins).search(text, end)
    limit = len(text) if another is None else another.start()
    for _ in range(_MOST_LINES):
        line = _LINE.match(text, at, min(at + _LONGEST_LINE, limit))
        if line is None:
            break
        last = _END.search(line[1])
        if not _is_of_a_key(line[1] if last is None else line[1][: last.start()]):
            break
        if last is not None:
            return at + last.end()
        if _is_long(line[1]):
            end = max(end, line.end(1))
        if not line[2]:
            break
        at = line.end()
    return end


def _is_of_a_key(line: str) -> bool:
    inner = _inner(line)
    return bool(_PIECE.fullmatch(inner) or _HEADER.fullmatch(inner))


def _inner(line: str) -> str:
    number = _NUMBER.match(line)
    return line[0 if number is None else number.end() :].strip(_AROUND)


def _is_long(line: str) -> bool:
    piece = _inner(line)
    return len(piece) >= _LONG and any(each.isdigit() for each in piece)


def _without_strays(text: str, mark: str) -> str:
    return _STRAY.sub(lambda found: mark if _is_mixed(found[0]) else found[0], text)


def _is_mixed(piece: str) -> bool:
    return (
        any(each.islower() for each in piece)
        and any(each.isupper() for each in piece)
        and any(each.isdigit() for each in piece)
    )
