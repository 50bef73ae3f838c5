"""The reports as files: JSON with types, and HTML that nothing of an agent's is alive in, in a real browser too."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from claude_pool_gh.audits.model import AuditState, Completeness, Coverage, SkippedFile, SkipReason
from claude_pool_gh.audits.outputs import html, markdown
from claude_pool_gh.audits.outputs import json as typed
from claude_pool_gh.reports.secrets import secrets
from tests.audits.make import HOME, defect, partial, result, rich
from tests.service.browser import installed, opened

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)></style></pre><b onclick=x>&lt;script&gt; "
    "[a](javascript:alert(1)) ![p](https://evil.example/p.png) \u202e \"' --> ]]>"
)


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_json_says_all_that_the_result_holds_and_reads_back() -> None:
    of = rich()
    text = typed.document(of)
    assert typed.Report.model_validate_json(text) == typed.report(of)
    whole = json.loads(text)
    assert whole["open"] == {"critical": 1, "high": 3, "medium": 3, "low": 1}
    assert len(whole["findings"]) == len(of.findings)
    assert whole["not_listed"] == {
        "refuted": 5,
        "unplaced": 2,
        "malformed": 0,
        "beyond_limit": 0,
        "unverified": 0,
    }
    assert whole["clean"] is False
    assert [each["path"] for each in whole["coverage"]["left_out"]] == [
        "vendor/",
        "logo.png",
        "src/core.py",
    ]


def test_a_report_of_a_secret_holds_none() -> None:
    """Or it would be withheld whole, with all that it says of other lines."""
    stripe = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----"
    code = f"A = '{stripe}'\nB = '''{pem}'''\nC = 'harmless'"
    one = defect(1)
    found = one.finding.model_copy(update={"evidence": code, "suggestion": code})
    of = result(replace(one, finding=found))
    for text in (typed.document(of), html.document(of), markdown.document(of)):
        assert secrets(text) == ()
        assert "MIIabc" not in text
        assert "harmless" in text


def test_json_of_a_partial_run_is_not_clean() -> None:
    whole = json.loads(typed.document(partial()))
    assert (whole["clean"], whole["completeness"]) == (False, "partial")
    assert whole["coverage"]["files_not_read"] == 3
    assert "1 part of 3 failed." in whole["problems"]
    assert json.loads(typed.document(result()))["clean"] is True


def test_a_name_that_is_no_utf8_does_not_break_a_report() -> None:
    odd = SkippedFile(path="a\udcff.py", reason=SkipReason.odd_name, overridden=True)
    of = result()
    of = replace(of, coverage=Coverage(shards=of.coverage.shards, skipped=(odd,)))
    (left_out,) = json.loads(typed.document(of))["coverage"]["left_out"]
    assert left_out["path"] == "a\\udcff.py"
    assert html.document(of).encode()


@pytest.mark.parametrize("field", ["title", "body", "scenario", "evidence", "suggestion", "path"])
def test_nothing_that_an_agent_wrote_is_alive_in_the_page(field: str) -> None:
    calm = Tags(html.document(result(defect(1, stated={"suggestion": "x"})), HOME))
    said = HOSTILE[:190] if field == "title" else HOSTILE
    page = html.document(result(defect(1, stated={"suggestion": "x"} | {field: said})), HOME)
    found = Tags(page)
    own = set(calm.tags) | {("code", ()), ("em", ()), ("br", ())}
    assert set(found.tags) <= own
    assert not [each for each in found.addresses if not each.startswith(f"{HOME}/")]
    assert "\u202e" not in page
    assert "alert(1)" in found.text, "it can be read"


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = html.document(rich(), HOME)
    tags = {tag for tag, _ in Tags(page).tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "form"}
    assert "default-src 'none'" in page
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import", style)
    for rule in ("prefers-color-scheme: dark", "@media print", "overflow-wrap: anywhere"):
        assert rule in style


def test_the_page_says_what_the_issue_says() -> None:
    text = Tags(html.document(rich(), HOME)).text
    for words in (
        "8 findings open: 1 critical, 3 high, 3 medium, 1 low",
        "Critical: 1 finding",
        "A lock may be taken twice",
        "Fixed: 1",
        "dismissed by mona: the caller checks it",
        "vendored: 120 files",
        "Open findings after each of the last 7 runs, from 2 to 8",
    ):
        assert words in text
    missing = Tags(html.document(partial())).text
    for words in (
        "PARTLY AUDITED: 3 files not read",
        "The budget was used up.",
        "the model refused",
        "To go on with what is left: /pool continue c-0123456789",
    ):
        assert words in missing
    assert "verdict clean" in html.document(result())
    nothing = html.document(result(completeness=Completeness.nothing))
    assert 'class="verdict"' in nothing


def test_a_home_that_is_no_page_is_not_linked() -> None:
    page = html.document(result(defect(1, state=AuditState.new)), "javascript:alert(1)//")
    assert Tags(page).addresses == []


@pytest.mark.skipif(installed() is None, reason="no browser on this machine")
@pytest.mark.parametrize("width", [360, 1200])
async def test_a_browser_shows_it_without_scrolling_sideways(tmp_path: Path, width: int) -> None:
    long = defect(9, stated={"path": "d" * 300 + ".py", "evidence": "x" * 900, "title": "w" * 200})
    page = tmp_path / "report.html"
    page.write_text(html.document(replace(rich(), findings=(*rich().findings, long)), HOME))
    program = installed()
    assert program is not None
    async with opened(program, tmp_path / "profile") as browser:
        shape = {"width": width, "height": 1_000, "deviceScaleFactor": 1, "mobile": False}
        await browser.call("Emulation.setDeviceMetricsOverride", **shape)
        await browser.call("Page.navigate", url=page.as_uri())
        await browser.until("document.readyState === 'complete' && !!document.querySelector('h1')")
        assert await browser.script("document.documentElement.scrollWidth <= window.innerWidth")
        assert await browser.script("document.querySelectorAll('article').length") == 9
        assert await browser.script("performance.getEntriesByType('resource').length") == 0
