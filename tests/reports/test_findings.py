"""Findings as people read them."""

from __future__ import annotations

import pytest

from claude_pool_gh.findings.identity import fingerprint
from claude_pool_gh.reports import findings as words
from claude_pool_gh.reports.words import fold
from tests.findings.make import finding
from tests.reports.judge import strange
from tests.reports.make import reviewed

INLINE = """\
**The rebate is taken twice** *(high, correctness)*

`total` has it already.

**When it goes wrong:** two items -> 8 instead of 9"""
SHORT = fingerprint(finding())[:8]
FOOT = f"\n\n<sub>`{SHORT}` · reply with `/pool fix` or `/pool dismiss REASON`</sub>"


def test_an_inline_comment_says_what_why_and_when() -> None:
    assert words.inline(finding()) == INLINE + FOOT


def test_a_suggestion_stands_in_the_one_living_block() -> None:
    shown = words.inline(finding(suggestion="    return total\n", category="data-loss"))
    assert "\n\n```suggestion\n    return total\n```\n\n<sub>" in shown
    assert "*(high, data-loss)*" in shown


def test_a_suggestion_that_would_hold_a_finding_back_is_none() -> None:
    """A line that is mended may hold a secret besides: the finding is told all the same."""
    shown = words.inline(
        finding(suggestion='    pay("sk_live_' + "4eC39HqLyjWDarjtT1zdp7dc" + '")')
    )
    assert shown == INLINE + FOOT


def test_a_suggestion_cannot_close_its_block() -> None:
    shown = words.inline(finding(suggestion="a\n``\u200b`\n@mona"))
    assert strange(shown.replace("suggestion", "taken")) == []


def test_a_finding_that_opens_a_fence_does_not_swallow_what_follows() -> None:
    for body in ("```\nx", "<img src=x>", "~~~\n\\~~~", "    x", "> ```\n> x"):
        assert "\n\n**When it goes wrong:** two" in words.inline(finding(body=body))
        assert strange(words.inline(finding(body=body))) == []


def test_a_review_counts_and_folds_what_is_not_inline() -> None:
    low = finding(severity="low", evidence="y")
    found = reviewed(inline=(finding(),), more=(low,), outside=(low, low))
    short = fingerprint(low)[:8]
    advice = f"comment `/pool fix {short}` or `/pool dismiss {short} REASON`"
    body = words.inline(low).replace("reply with `/pool fix` or `/pool dismiss REASON`", advice)
    one = fold("low: The rebate is taken twice", f"`shop/prices.py:2`\n\n{body}")
    assert words.review_body(found, "0123456789abcdef") == (
        "4 findings in 14 files read at `012345678`, each confirmed by a second run.\n\n"
        + fold("1 more in the diff", one)
        + "\n\n"
        + fold("2 outside the diff", f"{one}\n{one}")
    )


def test_where_no_reply_is_possible_the_commands_name_the_finding() -> None:
    found = reviewed(
        inline=(finding(suggestion="    return 0"),), more=(finding(),), outside=(finding(),)
    )
    for text in (words.whole(found, "0" * 40), words.listed([finding(suggestion="x")])):
        assert "reply with" not in text
        assert "```" not in text
        assert f"`/pool fix {SHORT}` or `/pool dismiss {SHORT} REASON`" in text


def test_a_comment_beside_its_lines_names_them_and_offers_no_suggestion() -> None:
    one = finding(suggestion="    return total", end_line=4)
    shown = words.inline(
        one, words.lines_link(one, "https://github.example/o/r/blob/abc/shop/prices.py")
    )
    page = "https://github.example/o/r/blob/abc/shop/prices.py#L2-L4"
    assert f"\n\nThis is about [`shop/prices.py:2-4`]({page}).\n\n" in shown
    assert "suggestion" not in shown
    removed = words.lines_link(finding(side="LEFT"), "https://x/y")
    assert removed == "[`shop/prices.py:2`](https://x/y#L2), in the file before the change"


def test_the_whole_text_holds_every_finding() -> None:
    found = reviewed(
        inline=(finding(),), more=(finding(title="More"),), outside=(finding(title="Outside"),)
    )
    shown = words.whole(found, "0123456789abcdef")
    assert shown.startswith("3 findings at `012345678`:\n\n<details><summary>high: The rebate")
    assert all(
        f"<summary>high: {title}</summary>" in shown
        for title in ("The rebate is taken twice", "More", "Outside")
    )


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("a < b & c", "a &lt; b &amp; c"),
        ("</summary><img src=x>", "&lt;/summary&gt;&lt;img src=x&gt;"),
        ("@mona, see GH-1", "<code>@mona</code>, see <code>GH-1</code>"),
        ("a\u202eb\nc", "ab c"),
    ],
)
def test_a_title_in_a_summary_is_dead_in_html_too(title: str, shown: str) -> None:
    assert words.listed([finding(title=title)]).startswith(
        f"<details><summary>high: {shown}</summary>"
    )
