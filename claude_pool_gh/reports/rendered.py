"""Markdown as GitHub renders it, and what in it acts: decided on the rendered page, not on our reading of the source.

GitHub renders with cmark-gfm, and only then looks for mentions and references in the texts of the page. So do we.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from claude_pool_gh.terms import cmark

_OPTIONS: Final = cmark.UNSAFE | cmark.FOOTNOTES | cmark.PRE_LANG
_EXTENSIONS: Final = ("table", "strikethrough", "autolink", "tasklist")
"""Without `tagfilter`: what it would escape must be seen."""
CODE: Final = "\ufffc"
"""Stands in a block's text where code stands: nothing in code acts, and what follows it begins anew."""
ACTING: Final = re.compile(
    r"""(?<![a-z0-9])@[a-z0-9][\w./-]*                               # a mention of a user or team
      | (?:(?<![\w.-])[\w.-]+/[\w.-]+)?\#\d+ | (?<![a-z0-9])gh-\d+  # a reference to an issue
      | (?<![0-9a-z_])[0-9a-f]{7,40}(?![0-9a-z_])                    # one to a commit
      | (?:https?|ftp|mailto|xmpp):[^\s\ufffc]\S* | (?<![a-z0-9])www\.[^\s\ufffc]\S*  # a link
      | (?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]+                        # an address
      | \[\^ | \[(?=!|x\]|\ \])                                     # footnotes, alerts and boxes
      | \[(?=(?:skip|no)[ ]|ci[ ]|actions[ ])                        # keeps builds from running, once it is squashed
      | \$\$ | (?<![\w$])\$(?=[^\s$])[^$\n]{0,300}(?<![\s$])\$(?!\w)      # a formula
    """,
    re.VERBOSE | re.IGNORECASE,
)
DRAWN: Final = frozenset({"suggestion", "mermaid", "math", "geojson", "topojson", "stl"})
"""Languages of fences that GitHub draws or offers to apply."""
_INLINE: Final = frozenset({"em", "strong", "del", "br", "code"})
_BLOCKS: Final = frozenset({"p", "ul", "ol", "li", "blockquote", "pre", "hr"})
_TABLE: Final = frozenset({"table", "thead", "tbody", "tr", "th", "td"})


def html_of(markdown: str) -> str:
    """The page that GitHub makes of it, before it links anything."""
    (page,) = cmark.render(markdown, _EXTENSIONS, _OPTIONS)
    return page


class Page(HTMLParser):
    """The parts of a rendered text: its blocks in order, what acts in it, and its texts."""

    def __init__(self, markdown: str, *, tables: bool = False) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[str] = []
        self.acting: list[str] = []
        self._known = _BLOCKS | _TABLE if tables else _BLOCKS
        self._code = 0
        self._text: list[str] = []
        self.feed(html_of(markdown))
        self.close()
        self._end_block()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a block, and whatever is neither a block nor emphasis nor code."""
        if tag in self._known:
            self._end_block()
            self.blocks.append(tag)
        elif tag not in _INLINE:
            self.acting.append(f"<{tag}>")
        if tag == "pre" and (dict(attrs).get("lang") or "").lower().split(":")[0] in DRAWN:
            self.acting.append(f"a drawn block: {dict(attrs)['lang']}")
        if tag in ("code", "pre"):
            self._code += 1
            self._text.append(CODE)
        elif tag == "br":
            self._text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """Note where code and blocks end."""
        if tag in ("code", "pre"):
            self._code -= 1
        if tag in self._known:
            self._end_block()
            self.blocks.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        """Look at a text alone, as GitHub does."""
        if not self._code:
            self._text.append(data)
            self._look(data)

    def handle_comment(self, data: str) -> None:
        """Note an HTML comment."""
        self.acting.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        """Note a declaration."""
        self.acting.append(f"<!{decl}>")

    def unknown_decl(self, data: str) -> None:
        """Note a declaration of another kind."""
        self.acting.append(f"<![{data}]>")

    def handle_pi(self, data: str) -> None:
        """Note an instruction."""
        self.acting.append(f"<?{data}>")

    def _end_block(self) -> None:
        """Look at a block's texts as one: GitHub's filters drop tags, and texts come to stand side by side."""
        if len(self._text) > 1:
            self._look("".join(self._text))
        self._text.clear()

    def _look(self, text: str) -> None:
        self.acting += [found[0] for found in ACTING.finditer(text)]


_END: Final = "END"


def acts(markdown: str) -> list[str]:
    """The parts of a text of blocks that act, or reach beyond its end."""
    page = Page(f"{markdown}\n\n{_END}")
    depth = sum(-1 if block.startswith("/") else 1 for block in page.blocks[:-2])
    if page.blocks[-2:] != ["p", "/p"] or depth:
        page.acting.append("a block that does not end")
    return page.acting


_LINE: Final = (
    "{0}\n\nthe {0}\n\n**{0}** *(high)*\n\n- {0}\n\n1. {0}\n\n> {0}\n\n"
    "| a | b |\n|---|---|\n| **c** {1} | d |\n"
)
"""Wherever the host puts a line of an agent's."""


def acts_in_a_line(line: str, cell: str) -> list[str]:
    """The parts of a line that act, or change the blocks around it, wherever it is put; `cell`: in a table."""
    page = Page(_LINE.format(line, cell), tables=True)
    if page.blocks != _AROUND:
        page.acting.append("a line that changes its surroundings")
    return page.acting


_AROUND: Final = Page(_LINE.format("x", "x"), tables=True).blocks
