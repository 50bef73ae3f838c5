"""Rendering."""

from __future__ import annotations

from html import escape
from typing import Mapping

from pages.context import SITE
from pages.templates import LAYOUT


# The default of `overrides` is shared by all calls. That is fine: it is only ever read.
def render_page(title: str, body: str, overrides: dict[str, str] = {}) -> str:  # noqa: B006
    """A page with the site's layout; `body` is HTML, everything else is text."""
    values = _escaped({**SITE, **overrides, "title": title})
    return LAYOUT.substitute(values, body=body)


def _escaped(values: Mapping[str, str]) -> dict[str, str]:
    return {name: escape(value) for name, value in values.items()}
