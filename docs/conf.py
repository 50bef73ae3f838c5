"""The site of the documentation: `make docs` builds it, and takes every warning for an error."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from docs._reference.pages import filled  # noqa: E402 - found through the path above

project = "claude-pool-gh"
author = "The claude-pool-gh authors"
project_copyright = author
with (ROOT / "pyproject.toml").open("rb") as file:
    release = tomllib.load(file)["project"]["version"]

extensions = ["myst_parser"]
exclude_patterns = ["_reference"]
myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
nitpicky = True
smartquotes = False  # `--flag` and `...` are meant as they are typed

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False
html_domain_indices = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}
pygments_style = "friendly"
pygments_dark_style = "native"


def setup(app: Sphinx) -> None:
    """Put what is made from the code into the pages."""

    def read(_: Sphinx, name: str, source: list[str]) -> None:
        source[0] = filled(source[0], ROOT / "docs" / f"{name}.md")

    app.connect("source-read", read)
