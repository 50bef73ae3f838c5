"""Small phrases, and texts cut to what GitHub takes."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from claude_pool_gh.reports.figures import amounts, dollars, minutes
from claude_pool_gh.reports.neutralize import fence
from claude_pool_gh.reports.rendered import html_of
from claude_pool_gh.reports.words import count, fitting, fold, linked, operator_must_act, place
from claude_pool_gh.terms.markdown import COMMENT_LIMIT
from tests.findings.make import finding

CUT = "*Shortened:"


@pytest.mark.parametrize(
    ("microdollars", "text"),
    [
        (0, "$0.00"),
        (1_500, "$0.0015"),
        (9_999, "$0.0100"),
        (10_000, "$0.01"),
        (420_000, "$0.42"),
        (3_000_000, "$3.00"),
        (1_234_567_890, "$1234.57"),
    ],
)
def test_money_shows_fractions_of_a_cent_only_below_one(microdollars: int, text: str) -> None:
    assert dollars(microdollars) == text
    assert dollars(microdollars, upper_bound=True) == f"≤ {text}"


def test_one_is_one_and_others_are_many() -> None:
    assert [count(n, "file") for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert count(2, "entry", "entries") == "2 entries"


def test_a_place_is_a_path_with_one_line_or_a_range() -> None:
    assert place(finding(start_line=3, end_line=3)) == "`shop/prices.py:3`"
    assert place(finding(start_line=3, end_line=5, path="a`b")) == "``a`b:3-5``"


def test_a_text_that_fits_is_left_alone() -> None:
    text = "x" * COMMENT_LIMIT
    assert fitting(text) == text
    assert CUT not in fitting("")


@pytest.mark.parametrize("ticks", ["```", "````", "```suggestion", "``````python"])
def test_a_fence_that_was_cut_is_closed(ticks: str) -> None:
    text = fitting(f"before\n\n{ticks}\n" + "``\n```x\n@mona\n" * 9_000)
    tokens = MarkdownIt("commonmark").parse(text)
    assert [token.type for token in tokens if token.type in ("fence", "inline")] == [
        "inline",
        "fence",
        "inline",
    ]
    assert tokens[-2].content.startswith(CUT)


def test_folds_that_were_cut_are_closed() -> None:
    text = fitting(fold("one", "a") + "\n\n" + fold("two", fold("three", "line of it\n" * 9_000)))
    assert (text.count("<details>"), text.count("</details>")) == (3, 3)
    assert text.rstrip().endswith("has the whole text.*")
    assert text.index("</details>\n\n</details>") < text.index(CUT)


@pytest.mark.parametrize("inside", ["</details>", "<details>"])
def test_a_fold_that_code_speaks_of_is_none(inside: str) -> None:
    text = fitting(
        fold("one", f"```\n{inside}\n{inside}\n```\n\nsee `{inside}`\n\n" + "line of it\n" * 9_000)
    )
    after = text[text.rindex("line of it") :]
    assert after.count("</details>") == 1


def test_a_fence_within_a_fold_is_closed_before_it() -> None:
    text = fitting(fold("one", "````\n" + "code\n" * 20_000))
    assert text.index("\n````\n\n</details>") > text.rindex("code")


PARTS = st.sampled_from(
    [
        "words\n\n",
        "```\n",
        "````\n",
        "\n</details>\n\n",
        "<details><summary>x</summary>\n\n",
        "`<details>`\n",
        "  - a\n",
    ]
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(PARTS, min_size=1, max_size=8),
    st.sampled_from(["x" * 900, "`" * 3 + "x" * 900, "é" * 70_000]),
)
def test_whatever_is_cut_fits_and_says_that_it_was_cut(parts: list[str], tail: str) -> None:
    text = fitting("words\n\n" + "".join(parts) + (tail + "\n") * 90)
    assert len(text) <= COMMENT_LIMIT
    tokens = MarkdownIt("commonmark").parse(text)
    assert tokens[-2].content.startswith(CUT)


@pytest.mark.parametrize(
    ("parts", "shown", "total"),
    [
        ((44_900, 154_900), ["$0.05", "$0.15"], "$0.20"),
        ((35_000, 145_000, 20_400), ["$0.04", "$0.14", "$0.02"], "$0.20"),
        ((4_000, 190_000), ["$0.0040", "$0.1900"], "$0.1940"),
        ((50, 50), ["$0.0001", "$0.0000"], "$0.0001"),
        ((0, 420_000), ["$0.00", "$0.42"], "$0.42"),
        ((), [], "$0.00"),
    ],
)
def test_amounts_add_up_as_they_are_shown(
    parts: tuple[int, ...], shown: list[str], total: str
) -> None:
    assert amounts(parts) == (shown, total)


@given(st.lists(st.integers(0, 3_000_000), max_size=12))
def test_whatever_the_amounts_are_their_column_adds_up(parts: list[int]) -> None:
    shown, total = amounts(parts)
    assert sum(Decimal(each[1:]) for each in shown) == Decimal(total[1:])
    assert all(
        abs(Decimal(text[1:]) * 1_000_000 - part) < 10_000
        for text, part in zip(shown, parts, strict=True)
    )


def test_a_finding_is_linked_at_its_lines_at_the_commit_that_was_read() -> None:
    home = "https://github.com/octo/shop"
    one = linked(finding(path="a b/ü`.py"), home, "c" * 40)
    assert one.endswith(f"({home}/blob/{'c' * 40}/a%20b/%C3%BC%60.py#L2)")
    assert linked(finding(end_line=5), home, "c").endswith("/blob/c/shop/prices.py#L2-L5)")
    assert linked(finding(), "", "c") == "`shop/prices.py:2`"
    deleted = linked(finding(side="LEFT"), home, "c" * 40)
    assert deleted == "`shop/prices.py:2`, in the file before the change", (
        "the head has other lines there"
    )


def test_time_that_runs_is_shown_in_whole_minutes() -> None:
    assert [minutes(each) for each in (0, 59_999, 60_000, 3_599_999)] == [
        "under 1 min",
        "under 1 min",
        "1 min",
        "59 min",
    ]


def test_the_operators_trouble_is_told_as_that() -> None:
    said = operator_must_act("the model's API refuses its key")
    assert (
        said
        == "the bot's operator must act (the model's API refuses its key); there is nothing that you can do here"
    )


@pytest.mark.parametrize(
    "filler",
    [
        "A line of words.\n\n",
        "- an item\n\n  more of it\n\n",
        "> said\n> so\n",
        "| a | b |\n",
        "&amp;" * 40 + "\n",
        "<details><summary>x</summary>\n\n" + fence("y\n" * 40) + "\n\n</details>\n\n",
    ],
)
@pytest.mark.parametrize(
    "opening",
    [
        "",
        "```text\n",
        "<details><summary>s</summary>\n\n",
        "- item\n\n  ```text\n",
        "> ```\n",
        "- a\n\n  - b\n\n    ````\n",
    ],
)
def test_a_cut_leaves_no_fence_fold_or_item_open(opening: str, filler: str) -> None:
    indent = re.match(r" *", opening.split("\n")[-2] if "```" in opening else "")
    quote = "> " if opening.startswith("> ") else ""
    lead = quote or (indent[0] if indent else "")
    body = "\n".join(f"{lead}{line}" for line in (filler * (80_000 // len(filler))).split("\n"))
    shown = fitting(f"The first words.\n\n{opening}{body}", "https://pool.example/x")
    assert len(shown) <= COMMENT_LIMIT
    page = html_of(shown)
    assert page.rstrip().endswith("has the whole text.</em></p>")
    assert "<em>Shortened:" in page
    assert page.count("<details>") == page.count("</details>")
    assert page.startswith("<p>The first words.</p>")


def test_a_single_line_without_end_is_shown_as_code() -> None:
    page = html_of(fitting("`@mona " * 20_000))
    assert page.startswith('<pre lang="text">')
    assert page.rstrip().endswith("has the whole text.</em></p>")
