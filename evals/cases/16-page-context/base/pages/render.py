"""Rendering."""

from __future__ import annotations

from html import escape

from pages.context import SITE
from pages.templates import LAYOUT


def render_page(title: str, body: str) -> str:
    """A page with the site's layout; `body` is HTML, everything else is text."""
    values = {name: escape(value) for name, value in {**SITE, "title": title}.items()}
    return LAYOUT.substitute(values, body=body)
