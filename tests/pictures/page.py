"""A comment as GitHub would show it: Markdown to HTML, GitHub's styles, a headless browser."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from markdown_it import MarkdownIt

from tests.pictures import png

Theme = Literal["light", "dark"]
HERE: Final = Path(__file__).parent
ROOT: Final = Path(__file__).parents[2]
PICTURES: Final = ROOT / "docs" / "pictures"
_SHOWN: Final = re.compile(r"pictures/([\w-]+)-(?:light|dark)\.png")
WIDTH: Final = 820
LEAST_HEIGHT: Final = 400
BARS: Final = 200
SCALE: Final = 1.5
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(
    ["table", "strikethrough"]
)
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def shown() -> set[str]:
    """The pictures that pages show, each light and dark: the site and GitHub take the one that fits."""
    pages = (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    names = (name for page in pages for name in _SHOWN.findall(page.read_text("utf-8")))
    return {f"{name}-{theme}.png" for name in names for theme in ("light", "dark")}


def browser() -> str | None:
    """The browser of this machine, if it has one."""
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def html(markdown: str, theme: Theme) -> str:
    """A page with one comment in it; a script writes its size where it can be read from outside."""
    visible = re.sub(r"<!--.*?-->", "", markdown, flags=re.DOTALL)
    body = _MARKDOWN.render(visible).replace(
        '<code class="language-suggestion">', "<em>Suggested change</em>\n<code>"
    )
    style = (HERE / f"{theme}.css").read_text()
    back = "#ffffff" if theme == "light" else "#0d1117"
    edge = "#d0d7de" if theme == "light" else "#30363d"
    return (
        f"<!doctype html><meta charset=utf-8><style>{style} body {{ margin: 0; background: {back}; }} "
        f".box {{ margin: 12px; padding: 16px 20px; border: 1px solid {edge}; border-radius: 6px; font-size: 14px; }}"
        "</style><article class='markdown-body box'>"
        f"{body}</article><script>const box = document.querySelector('.box'); "
        "const wide = [...box.querySelectorAll('*')].some(e => e.getBoundingClientRect().right > innerWidth - 12 && "
        "getComputedStyle(e.closest('table,pre') || e).overflowX === 'visible'); "
        "document.title = `${box.getBoundingClientRect().height} ${wide}`</script>"
    )


def look(program: str, page: str) -> tuple[int, bool]:
    """The height of a page's comment in pixels, and whether anything in it sticks out."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page)
        out = _run(program, folder, f"--window-size={WIDTH},400", "--dump-dom", file.as_uri())
    found = re.search(r"<title>([\d.]+) (true|false)</title>", out)
    if found is None:
        raise RuntimeError(f"the page did not say its size: {out[:300]}")
    return int(float(found[1])) + 26, found[2] == "true"


def digest(markdown: str) -> str:
    """What tells the picture of one text from that of another."""
    return hashlib.sha256(markdown.encode()).hexdigest()[:16]


def picture(program: str, markdown: str, theme: Theme, target: Path) -> None:
    """Take a picture of a comment, as high as it is.

    A browser takes the height of its own bars off the window, and refuses a low one: the window is higher than needed,
    and what is below the comment is cut off.
    """
    page = html(markdown, theme)
    height, _ = look(program, page)
    with tempfile.TemporaryDirectory() as folder:
        file, taken = Path(folder) / "page.html", Path(folder) / "taken.png"
        file.write_text(page)
        size = f"--window-size={WIDTH},{max(height, LEAST_HEIGHT) + BARS}"
        scale = f"--force-device-scale-factor={SCALE}"
        _run(program, folder, size, scale, f"--screenshot={taken}", file.as_uri())
        shown = png.read(taken).top(round(height * SCALE))
        png.write(target, replace(shown, of=digest(markdown)))


def _run(program: str, folder: str, *arguments: str) -> str:
    command = [program, *_FLAGS, f"--user-data-dir={folder}/profile", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
