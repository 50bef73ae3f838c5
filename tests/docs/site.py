"""The site of the documentation, built once for all tests of a run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from tests import ours

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
_SECONDS: Final = 250


def build(docs: Path, target: Path) -> str:
    """Build strictly; what the generator complains of, "" for nothing."""
    arguments = ("-W", "--keep-going", "-q", "-E", "-b", "html", str(docs), str(target))
    done = subprocess.run(
        ours.program("sphinx", *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
        env=ours.environment(ROOT, PYTHONDONTWRITEBYTECODE=""),
    )
    return done.stdout + done.stderr if done.returncode else ""


def built(shared: Path) -> Path:
    """The built site in a folder that all workers of a run share. Raises AssertionError with every warning."""
    site, said = shared / "site", shared / "site.log"
    with FileLock(shared / "site.lock", timeout=_SECONDS):
        if not said.exists():
            said.write_text(build(DOCS, site))
    assert said.read_text() == "", said.read_text()
    return site


class _Reader(HTMLParser):
    """The anchors of a page, and where it leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def broken_links(site: Path) -> Iterator[str]:
    """Every link of a site that leads to no file or no anchor in it."""
    pages = {}
    for file in site.rglob("*.html"):
        pages[file.resolve()] = reader = _Reader()
        reader.feed(file.read_text("utf-8"))
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.is_file() or (
                parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].anchors
            ):
                yield f"{file.relative_to(site.resolve())}: {link}"
