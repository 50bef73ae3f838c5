"""The frame and the parts of our HTML pages: no script, no network, for any width and for paper, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from claude_pool_gh.reports.unseen import seen

_STYLE: Final = Path(__file__).with_name("report.css")
_CODE_SPAN: Final = re.compile(r"`([^`]+)`")
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)


def page(name: str, main: Iterable[str]) -> str:
    """A whole page. `main`: HTML that is safe already."""
    style = _STYLE.read_text("utf-8")
    inside = "\n".join(main)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{text(name)}</title>\n'
        f"<style>{style}</style>\n</head>\n<body>\n<main>\n{inside}\n</main>\n</body>\n</html>\n"
    )


def table(head: Sequence[str], numbers: int, rows: Sequence[Sequence[str]]) -> str:
    """A table of HTML that is safe already; its last `numbers` columns are numbers."""
    if not rows:
        return ""
    words = len(head) - numbers

    def row_of(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if at >= words else ''}>{each}</{tag}>"
            for at, each in enumerate(cells)
        )

    body = "".join(f"<tr>{row_of(row, 'td')}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{row_of(head, "th")}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def items(texts: Sequence[str]) -> str:
    """The items of a list, of texts of anybody's."""
    return "".join(f"<li>{text(each)}</li>" for each in texts)


def text(text: str) -> str:
    """A text of anybody's, as text."""
    return escape(seen(text))


def line(words: str) -> str:
    """A line of an agent's, as text; what it wrote as code is shown as code."""
    return _CODE_SPAN.sub(r"<code>\1</code>", text(words))
