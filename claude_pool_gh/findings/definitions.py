"""Which definition a line of code stands in, told from its indentation alone, so that it holds for any language.

The answer is a text: the headers around the line, outermost first. It is compared, never parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

_CONTROL: Final = re.compile(
    r"[})\]\s]*(?:async\s+|await\s+)?(?:if|elif|else|elsif|unless|for|foreach|while|until|loop|do|try|except|catch|rescue"
    r"|finally|ensure|with|switch|select|case|default|when|match|begin|then|using|lock|synchronized|return|yield)\b"
)
"""Begins a block that is no definition: its condition may change, and what stands in it is still the same."""
_DECORATION: Final = re.compile(r"(?:[^\w]*|@.*|#.*|//.*|/?\*.*|--.*|\[.*\])$")
"""Punctuation, a comment or a decorator: no header, whatever its indentation."""
_TAB: Final = 4
_HEADER_LIMIT: Final = 200
_DEPTH_LIMIT: Final = 8


def definition_of(lines: Sequence[str], line: int) -> str:
    """The headers of the definitions around a line (from 1), one below the other; "" at the top of a file."""
    found: list[str] = []
    level = _level(lines[line - 1])
    for at in range(line - 2, -1, -1):
        if not level or len(found) == _DEPTH_LIMIT:
            break
        text = lines[at]
        if not text.strip() or _level(text) >= level or _DECORATION.fullmatch(text.strip()):
            continue
        level = _level(text)
        if not _CONTROL.match(text):
            found.append(_header(text))
    return "\n".join(reversed(found))


def definitions_of(lines: Iterable[str]) -> Iterator[str]:
    """The same for each line, in one pass: to ask for each by itself takes the square of their number."""
    open_: list[tuple[int, tuple[str, ...]]] = []
    for text in lines:
        level = _level(text)
        outer = len(open_)
        while outer and open_[outer - 1][0] >= level:
            outer -= 1
        headers = open_[outer - 1][1] if outer else ()
        yield "\n".join(headers)
        if text.strip() and not _DECORATION.fullmatch(text.strip()):
            if not _CONTROL.match(text):
                headers = (*headers, _header(text))[-_DEPTH_LIMIT:]
            open_[outer:] = [(level, headers)]


def opens_definition(text: str) -> bool:
    """True where a line looks like the header of a definition: it opens a block, and that is no loop or condition."""
    opens = text.rstrip().endswith((":", "{", "("))
    return opens and not (_CONTROL.match(text) or _DECORATION.fullmatch(text.strip()))


def _header(text: str) -> str:
    return " ".join(text.split())[:_HEADER_LIMIT]


def _level(text: str) -> int:
    """The indentation of a line, in columns."""
    expanded = text.expandtabs(_TAB)
    return len(expanded) - len(expanded.lstrip())
