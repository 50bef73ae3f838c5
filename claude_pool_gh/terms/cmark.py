"""GitHub's own Markdown renderer, cmark-gfm, as it is in the wheel `cmarkgfm`.

The wheel's Python functions free neither the tree nor the text that they make: some ninety times a text's length, for
ever. So both are freed here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from cmarkgfm import _cmark, cmark  # type: ignore[import-untyped, unused-ignore]

FOOTNOTES: Final = int(cmark.Options.CMARK_OPT_FOOTNOTES)
UNSAFE: Final = int(cmark.Options.CMARK_OPT_UNSAFE)
"""Keep the HTML in a text. Without it, a comment of the renderer's stands in its place."""
PRE_LANG: Final = int(cmark.Options.CMARK_OPT_GITHUB_PRE_LANG)


def render(text: str, extensions: Sequence[str], *options: int) -> list[str]:
    """A text as HTML, once for each of the options. Other threads run meanwhile."""
    parser = cmark.parser_new(options[0])
    try:
        for name in extensions:
            cmark.parser_attach_syntax_extension(parser, _extension(name))
        cmark.parser_feed(parser, text.encode(errors="replace").decode())
        tree = cmark.parser_finish(parser)
        try:
            used = cmark.parser_get_syntax_extensions(parser)
            return [_html(tree, each, used) for each in options]
        finally:
            _free_tree(_address(tree))
    finally:
        cmark.parser_free(parser)


@cache
def _extension(name: str) -> Any:
    """One of GitHub's extensions, which lives as long as the process: to look for it takes as long as a short text."""
    cmark.core_extensions_ensure_registered()
    return cmark.find_syntax_extension(name)


def _html(tree: Any, options: int, extensions: Any) -> str:
    made = _cmark.lib.cmark_render_html(tree, options, extensions)
    try:
        return bytes(_cmark.ffi.string(made)).decode(errors="replace")
    finally:
        _free(_address(made))


def _address(pointer: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(int(_cmark.ffi.cast("intptr_t", pointer)))


def _freeing(library: str | None, name: str) -> Any:
    """A C function that takes a pointer. A build may hide the tree's: then its memory stays taken."""
    try:
        function = getattr(ctypes.CDLL(library), name)
    except (AttributeError, OSError):
        return lambda _pointer: None
    function.restype, function.argtypes = None, [ctypes.c_void_p]
    return function


_free: Final = _freeing(None, "free")
_free_tree: Final = _freeing(_cmark.__file__, "cmark_node_free")
