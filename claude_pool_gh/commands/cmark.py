"""GitHub's own Markdown renderer, cmark-gfm, as it is in the wheel `cmarkgfm`.

The wheel's Python functions free neither the tree nor the text that they make: ten megabytes for one large comment. So
the C functions are called here, and what they allocate is freed.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Final

from cmarkgfm import _cmark  # type: ignore[import-untyped]

UNSAFE: Final = 1 << 17
_FOOTNOTES: Final = 1 << 13
_EXTENSIONS: Final = (b"table", b"strikethrough")


@dataclass(frozen=True, slots=True)
class Page:
    """A comment as HTML, twice."""

    safe: str
    """Without any HTML of its author's: a comment of the renderer's stands in its place."""
    whole: str
    """With it."""


def render(text: str) -> Page:
    """Render a comment. Other threads run meanwhile."""
    library, extensions = _library()
    encoded = text.encode(errors="replace")
    parser = library.cmark_parser_new(_FOOTNOTES)
    try:
        for extension in extensions:
            library.cmark_parser_attach_syntax_extension(parser, extension)
        library.cmark_parser_feed(parser, encoded, len(encoded))
        tree = library.cmark_parser_finish(parser)
        try:
            used = library.cmark_parser_get_syntax_extensions(parser)
            return Page(
                *(_html(library, tree, options, used) for options in (_FOOTNOTES, _FOOTNOTES | UNSAFE))
            )
        finally:
            library.cmark_node_free(tree)
    finally:
        library.cmark_parser_free(parser)


def _html(library: ctypes.CDLL, tree: int, options: int, extensions: int) -> str:
    made = library.cmark_render_html(tree, options, extensions)
    try:
        return ctypes.string_at(made).decode(errors="replace")
    finally:
        library.free(made)  # the C library's, which the process has loaded before everything else


@cache
def _library() -> tuple[ctypes.CDLL, tuple[int, ...]]:
    library, pointer, number = ctypes.CDLL(_cmark.__file__), ctypes.c_void_p, ctypes.c_int
    taken: dict[str, tuple[object, list[object]]] = {
        "cmark_gfm_core_extensions_ensure_registered": (None, []),
        "cmark_find_syntax_extension": (pointer, [ctypes.c_char_p]),
        "cmark_parser_new": (pointer, [number]),
        "cmark_parser_attach_syntax_extension": (number, [pointer, pointer]),
        "cmark_parser_feed": (None, [pointer, ctypes.c_char_p, ctypes.c_size_t]),
        "cmark_parser_finish": (pointer, [pointer]),
        "cmark_parser_get_syntax_extensions": (pointer, [pointer]),
        "cmark_parser_free": (None, [pointer]),
        "cmark_render_html": (pointer, [pointer, number, pointer]),
        "cmark_node_free": (None, [pointer]),
        "free": (None, [pointer]),
    }
    for name, (gives, takes) in taken.items():
        function = getattr(library, name)
        function.restype, function.argtypes = gives, takes
    library.cmark_gfm_core_extensions_ensure_registered()
    return library, tuple(library.cmark_find_syntax_extension(name) for name in _EXTENSIONS)
