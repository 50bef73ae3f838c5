"""The site is built without a warning, every link in it leads somewhere, and no page is wider than a telephone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import claude_pool_gh
from claude_pool_gh import Pool
from claude_pool_gh.conversation.registry import handlers
from claude_pool_gh.service.settings import Settings, variable
from docs._reference.library import public_members
from tests.docs.site import broken_links, build, built
from tests.service import browser

for package in ("sphinx", "myst_parser", "furo"):
    pytest.importorskip(package, reason="the group `docs` is not installed: make .venv/bin/.dev")
NARROW = 360
SCREENS = """
[...document.querySelectorAll('article *')].filter(each => {
  const box = each.getBoundingClientRect();
  const cut = each.matches('.table-wrapper') && each.scrollWidth > each.clientWidth + 1;
  return box.width && (cut || box.right > innerWidth + 1) && !each.closest('pre');
}).slice(0, 3).map(each => each.outerHTML.slice(0, 120)).join('\\n')
  + (document.documentElement.scrollWidth > innerWidth ? ' the page scrolls' : '')
"""


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    # With xdist each worker has a folder of its own below the one of the run.
    return built(base.parent if base.name.startswith("popen-") else base)


def test_every_link_and_anchor_leads_somewhere(site: Path) -> None:
    assert len(list(site.rglob("*.html"))) > 30
    assert list(broken_links(site)) == []


def test_the_reference_has_every_setting_and_every_command(site: Path) -> None:
    settings = (site / "reference/settings.html").read_text("utf-8")
    assert [name for name in Settings.model_fields if variable(name) not in settings] == []
    commands = (site / "reference/commands.html").read_text("utf-8")
    assert [name for name in handlers() if f'id="pool-{name}' not in commands] == []
    library = (site / "reference/library.html").read_text("utf-8")
    headings = re.findall(r'<h[23]><code[^>]*><span class="pre">([\w.]+)</span>', library)
    errors = re.findall(
        r'<td><p><code[^>]*><span class="pre">(\w+)</span></code></p></td>', library
    )
    names = {*claude_pool_gh.__all__, *(f"Pool.{each}" for each in public_members(Pool))}
    assert names - {*headings, *errors} == set()


def test_a_warning_and_a_broken_link_would_be_noticed(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "conf.py").write_text('extensions = ["myst_parser"]\nmyst_heading_anchors = 2\n')
    (docs / "index.md").write_text("# Here\n\n[there](there.md) and [below](#nowhere)\n")
    said = build(docs, tmp_path / "site")
    assert "there.md" in said
    assert "nowhere" in said
    page = tmp_path / "pages" / "index.html"
    page.parent.mkdir()
    page.write_text('<p id="here"><a href="#here">1</a><a href="#gone">2</a><a href="x.html">3</a>')
    assert list(broken_links(page.parent)) == ["index.html: #gone", "index.html: x.html"]


@pytest.mark.skipif(browser.installed() is None, reason="no chromium on PATH")
@pytest.mark.rotating(4)
async def test_no_page_and_no_table_is_wider_than_a_narrow_screen(
    site: Path, tmp_path: Path
) -> None:
    program = browser.installed()
    assert program is not None
    wide = {}
    async with browser.opened(program, tmp_path) as page:
        size = {"width": NARROW, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        await page.call("Emulation.setDeviceMetricsOverride", **size)
        for file in sorted(site.rglob("*.html")):
            await page.call("Page.navigate", url=file.as_uri())
            await page.until(
                f"location.href === {file.as_uri()!r} && document.readyState === 'complete'"
            )
            if sticks_out := await page.script(SCREENS):
                wide[str(file.relative_to(site))] = sticks_out
    assert wide == {}
