"""Text of an agent's or a stranger's is dead after it was neutralized, however it was dressed up."""

from __future__ import annotations

import re

import psutil
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from claude_pool_gh.commands.lines import command_lines
from claude_pool_gh.reports.neutralize import (
    cell,
    code,
    fence,
    neutralize,
    neutralize_line,
    proven,
    summary,
)
from claude_pool_gh.reports.rendered import acts, acts_in_a_line, html_of
from tests.reports.judge import ALIVE, Tree, as_read, hidden, life, outline, strange, within
from tests.rotation import examples


def test_the_judge_of_these_tests_sees_life() -> None:
    for text in (
        "@mona",
        "é@mona",
        "#1",
        "o/r#1",
        "gh-1",
        "https://x",
        "www.x",
        "[a](b)",
        "![a](b)",
        "<b>",
        "<b>\n",
        "# a",
        "a\n===",
        "```suggestion\n```",
        "- [ ] a",
        "> [!NOTE]",
        "a[^1]",
        "/pool x",
        "a\n/pool x",
        "- /pool",
        "> !x",
        "<http://x>",
        "|a|\n|-|\n|/x|",
    ):
        assert life(text), text
    assert life("`@mona` a@b /pool\n\n```\n#1\n```") == []


HOSTILE = {
    "@mona": "`@mona`",
    "hi @octo/team.": "hi `@octo/team.`",
    "请@mona": "请`@mona`",
    "é@mona": "é`@mona`",
    "_@mona": "\\_`@mona`",
    "\\`@mona": "\\``@mona`",
    "&#64;mona &commat;mona @&#109;ona": "`@mona` `@mona` `@mona`",
    "@\u200bmona": "`@mona`",
    "@a@b.co": "`@a` `@b.co`",
    "[@](u)mona": "`u` `@mona`",
    "[#](u)1": "`u` `#1`",
    "[https:](u)//evil.example": "`u` `https://evil.example`",
    "fixes #1, octo/widgets#2, GH-3, Gh-4": "fixes `#1`, `octo/widgets#2`, `GH-3`, `Gh-4`",
    "gh-1gh-1 #1#2": "`gh-1` `gh-1` `#1` `#2`",
    "https://a.example/x?y HTTPS://b.example": "`https://a.example/x?y` `HTTPS://b.example`",
    "www.a.example _www.b.example": "`www.a.example` \\_`www.b.example`",
    "https&#58;//a.example https\\://b.example": "`https://a.example` `https://b.example`",
    "mona@octo.example": "`mona@octo.example`",
    "[docs](http://a.example 'see')": "`http://a.example` docs",
    "[docs][d]\n\n[d]: http://a.example": "`http://a.example` docs",
    "<http://a.example>": "`http://a.example` `http://a.example`",
    "![beacon](http://a.example/x.png)": "`image: beacon`",
    "![](http://a.example/x.png)": "`image: http://a.example/x.png`",
    "a <b>c</b>": "a `<b>`c`</b>`",
    "<img src=x>": "```\n<img src=x>\n```",
    "<!-- claude-pool:mark -->": "```\n<!-- claude-pool :mark -->\n```",
    "a <!-- b --> c": "a `<!-- b -->` c",
    '<b title="@mona `"><i>': '`` <b title="@mona `"> `` `<i>`',
    "/pool review": "`/pool` review",
    "a\n/pool review": "a\n`/pool` review",
    "a  \n/assign me": "a\\\n`/assign` me",
    "- /pool\n- !merge": "- `/pool`\n- `!merge`",
    "> /pool": "> `/pool`",
    "# /pool": "`/pool`",
    "bors r+\nthe bors bot, recheck": "bors r+\nthe bors bot, recheck",
    "Rechecking it": "Rechecking it",
    "\\/pool &#47;pool": "`/pool` /pool",
    "\u00a0/pool": "`/pool`",
    "a&#10;/pool review": "a /pool review",
    "a&NewLine;&NewLine;/pool": "a /pool",
    "x\u2028/pool": "x/pool",
    "&#8203;a&#x202e;b&ZeroWidthSpace;&shy;c": "abc",
    "# Heading": "Heading",
    "a\n===": "a",
    "```suggestion\nx\n```": "```\nx\n```",
    "``` Suggestion\nx\n```": "```\nx\n```",
    "```SUGGESTION:-0+1\nx": "```\nx\n```",
    "~~~mermaid\nx\n~~~": "```\nx\n```",
    "\\~~~suggestion\nx\n\\~~~": "`~~~suggestion`\nx\n`~~~`",
    "```python\nx": "```python\nx\n```",
    "a[^1] [^2]: b": "a`[^`1\\] `[^`2\\]: b",
    "- [ ] a\n- [x] b\n- [X] c": "- `[` \\] a\n- `[`x\\] b\n- `[`X\\] c",
    "> [!WARNING]\n> a": "> `[`!WARNING\\]\n> a",
    "|`a` (https://x|\n|--|\n|/pool|": "|`a` (`https://x|`\n`|--|`\n|/pool|",
    "    /pool": "```\n/pool\n```",
    "plain *text* with **marks**, `code` and a_b": "plain *text* with **marks**, `code` and a_b",
    "1. one\n2. two": "1. one\n1. two",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_trick_comes_to_nothing_and_stays_readable(text: str) -> None:
    out = neutralize(text)
    assert as_read(out) == HOSTILE[text]
    assert life(out) == []


BITS = st.sampled_from(
    [
        "@mona",
        "@",
        " ",
        "\n",
        "\n\n",
        "`",
        "``",
        "```",
        "~~~",
        "[",
        "]",
        "(",
        ")",
        "!",
        "<",
        ">",
        "<b>",
        "<!--",
        "-->",
        "&#64;",
        "&#10;",
        "&#x202e;",
        "&nbsp;",
        "&#96;",
        "&#92;",
        "\\",
        "*",
        "_",
        "**",
        "#1",
        "#",
        "1",
        "- ",
        "> ",
        "1. ",
        "    ",
        "\t",
        "/pool",
        "/x ",
        "https://e.x",
        "https:",
        "//e.x",
        "www.e.x",
        "a",
        "é",
        "mona",
        "<img src=x>",
        '<b title="`">',
        "[x](u)",
        "![x](u)",
        "[a]: u",
        "suggestion",
        "$",
        "|",
        "\n-|-\n",
        "~~",
        "\u200b",
        "\u2028",
        "\u202e",
        "===",
        "---",
        "gh-1",
        "a@b.co",
        "[^1]",
        "[x]",
        "+",
        "=",
        "<a",
        "\r",
        "&",
        "\0",
        "{",
        "<details>",
        "</details>",
    ]
)
TEXT = st.lists(BITS, max_size=14).map("".join) | st.text(max_size=40)


@settings(max_examples=examples(700), deadline=None)
@given(TEXT)
@example("*@mona*`<b>``")
@example("1. *&#x202e;*")
@example("][x](u)\u202e*//e.x*")
@example("\\~~~\n@mona\n")
@example("~~https:*~~~*")
@example("a ~~@mona~~ b")
def test_whatever_comes_in_nothing_alive_comes_out(text: str) -> None:
    out = neutralize(text)
    assert life(out) == []
    assert "table" not in outline(out)
    assert hidden(out) == []
    assert neutralize(out) == out
    assert command_lines(out) == []


@settings(max_examples=150, deadline=None)
@given(TEXT)
@example("- ```\n  atlantis apply\n  ```\n\nok to test")
@example("> ```\n> /lgtm\n> ```")
@example("*a* b **c**d")
@example("2 * 3 * 4")
@example("a _b_ c")
def test_what_keeps_other_bots_from_reading_it_does_not_change_the_page(text: str) -> None:
    out = neutralize(text)
    plain = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), out)
    if "&amp;#" not in html_of(out):  # an entity of the text's own, in code
        assert html_of(out) == html_of(plain)


@pytest.mark.parametrize(
    "line",
    [
        "atlantis apply",
        "ok to test",
        "jenkins test this please",
        "run ci",
        "build this please",
        "r? octocat",
        "recheck",
        "atlantis apply -- -target=module.a -target=module.b -lock=false -no-color.",
        "LGTM",
        "Rerun failed tests",
    ],
)
def test_no_line_is_a_bare_command_whichever_bot_it_is_for(line: str) -> None:
    for text in (line, f"Some words.\n\n{line}", f"Some words,\n{line}\nand more.", f"- {line}"):
        raw = neutralize(text)
        assert line not in raw
        assert as_read(raw) == text
        assert not re.search(
            r"(?im)^\W*(?:atlantis|ok|jenkins|run|build|r\?|recheck|lgtm|rerun)\b", raw
        )
        assert not re.search(r"(?i)test\W+this\W+please|ok\W+to\W+test", raw)


def test_sentences_and_ordinary_markup_are_written_as_they_were() -> None:
    for text in (
        "It divides by zero.",
        "See `a.py`, line 3: it *is* wrong.",
        "1. First.\n1. Second.",
        "> Said.",
        "Nothing in this part of the file reads the value that was written there before",
    ):
        assert neutralize(text) == text


@pytest.mark.parametrize("ticks", [17, 79, 80, 81, 100, 255, 256, 300, 4_000])
def test_long_runs_of_backticks_end_no_code(ticks: int) -> None:
    run = "`" * ticks
    for text in (
        f"@octocat {run} x.bin",
        f"x\n{run}\n@octocat fixes #12",
        f"{run}@mona{run}",
        f"    {run}\n    @mona",
    ):
        assert life(neutralize(text, 9_000)) == []
        assert life(code(text)) == []
        assert life(fence(text)) == []
        assert strange(f"| a |\n|---|\n| {cell(code(text))} |") == []


def test_a_suggestion_that_would_have_to_be_changed_is_none() -> None:
    assert fence("`" * 100, "suggestion").startswith("`" * 101 + "suggestion\n")
    assert "suggestion" not in fence("`" * 101, "suggestion")
    for unseen in ("\u200b", "\ufeff", "\u202e", "\x0c", "\xad"):
        assert "suggestion" not in fence(f"strip('{unseen}')", "suggestion"), "it would be lost"
    assert fence("a\r\nb\r\n", "suggestion") == "```suggestion\na\nb\n```"


@pytest.mark.parametrize(
    "text", ["**Closes #**1**2**", "**see @**octo**cat now**", "@**octo**cat broke it"]
)
def test_texts_that_meet_when_github_drops_emphasis_are_read_together(text: str) -> None:
    assert life(text) + life(f"**{text}**")
    assert life(neutralize(text)) == []
    assert life(f"**{neutralize_line(text)}** *(high)*") == []


@pytest.mark.parametrize(
    "alive", ["**@mona**", "fixes #1", "<b>x</b>", "# x", "![a](b)", "- [ ] a", "0123456", "```\nx"]
)
def test_what_still_acts_when_it_is_rendered_is_shown_as_code(alive: str) -> None:
    assert proven(alive, acts, lambda: fence(alive, "text")) == fence(alive, "text")
    assert (
        proven("It *is* **dead**, `@mona`.", acts, lambda: fence("x"))
        == "It *is* **dead**, `@mona`."
    )


@pytest.mark.parametrize("alive", ["@mona", "# x", "- x", "***", "<b>", "www.a.example"])
def test_a_line_that_still_acts_or_changes_its_surroundings_is_shown_as_code(alive: str) -> None:
    assert proven(alive, lambda line: acts_in_a_line(line, line), lambda: code(alive)) == code(
        alive
    )


@pytest.mark.parametrize(
    "text",
    ["a|b", r"a\|b", r"a\\|b", r"\\\|", "|", "||", "\\", "`|`", r"`\|` @mona", "x |\n|---|\n| y"],
)
def test_a_bar_parts_no_cells(text: str) -> None:
    for shown in (code(text), neutralize_line(text), f"**{neutralize_line(text)}**"):
        row = f"| a | b |\n|---|---|\n| {cell(shown)} | end |\n\nafter"
        assert within(row, "td")[1:] == ["end"]
        assert strange(row) == []


def test_rendering_takes_no_memory_for_good() -> None:
    text = "- a **b** `c` @mona\n" * 1_000
    html_of(text)
    before = psutil.Process().memory_info().rss
    for _ in range(40):
        html_of(text)
    assert psutil.Process().memory_info().rss - before < 20_000_000  # the binding alone: 70 MB


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_a_line_is_dead_too_wherever_it_is_put(text: str) -> None:
    out = neutralize_line(text)
    assert "\n" not in out
    assert hidden(out) == []
    assert neutralize_line(out).replace(" ", "") == out.replace(" ", "")
    around = ("the {}", "**{}**", "- {}", "1. {}", "> {}", "- line 1: {}")
    assert life("\n\n---\n\n".join(around).format(*[out] * len(around))) == []
    row = f"| a | b |\n|---|---|\n| **{cell(out)}** and {cell(out)} | c |"
    assert strange(row) == []
    assert outline(row).count("td") == 2


@settings(max_examples=300, deadline=None)
@given(TEXT, st.sampled_from(["", "suggestion", "python"]))
def test_a_fence_holds_whatever_is_put_into_it(text: str, language: str) -> None:
    out = fence(text, language) + "\n\nafter"
    assert outline(out) == ["pre", "code", "p"]
    assert within(out, "p") == ["after"]
    pre = next(node for node in Tree(out).nodes)
    lang = getattr(pre, "attrs", {}).get("lang", "")
    assert lang == language or (language, lang) == ("suggestion", "text")
    assert hidden(within(out, "pre")[0]) == []


def test_a_fence_is_longer_than_what_it_holds_once_hidden_characters_are_gone() -> None:
    assert fence("``\u200b`\n@everyone", "python") == " ````python\n ```\n @everyone\n ````"


def test_an_empty_suggestion_deletes_its_lines() -> None:
    assert fence("", "suggestion") == "```suggestion\n```"


@settings(max_examples=150, deadline=None)
@given(TEXT)
def test_code_holds_whatever_is_put_into_it(text: str) -> None:
    out = code(text)
    assert outline(f"a {out} b") == ["p", "code"]
    assert within(f"a {out} b", "p")[0].startswith("a ")
    assert within(f"a {out} b", "code")[0].strip() == " ".join(out.strip("`").split())
    assert hidden(out) == []


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_a_summary_holds_no_tag_but_code(text: str) -> None:
    out = summary(text)
    assert not re.search(r"<(?!/?code>)", out)
    assert hidden(out) == []
    assert not ALIVE.search(re.sub(r"<code>.*?</code>", "<code></code>", out).replace("&#", ""))


def test_a_summary_is_read_as_it_was_written() -> None:
    assert summary("a < b & @mona's #1 is\nhttps://x\u202e") == (
        "a &lt; b &amp; <code>@mona</code>'s <code>#1</code> is <code>https://x</code>"
    )


def test_what_is_written_as_code_is_code_in_a_summary() -> None:
    assert summary("`a<b>` @mona `@mona` a`b") == (
        "<code>a&lt;b&gt;</code> <code>@mona</code> <code>@mona</code> a`b"
    )


def test_texts_are_cut_at_their_limits() -> None:
    assert as_read(neutralize("a" * 9_000)) == "a" * 4_000
    assert as_read(neutralize("a" * 90, 50)) == "a" * 50
    assert neutralize_line("b" * 900) == "b" * 300
    assert code("c" * 900) == f"`{'c' * 300}`"
    assert len(summary("d" * 900)) == 160


def test_deep_nesting_does_not_break_the_reader() -> None:
    for text in (
        "> " * 900 + "@mona",
        "- " * 900 + "@mona",
        "[" * 2_000,
        "*" * 2_000 + "a",
        "<b>" * 900,
    ):
        assert life(neutralize(text)) == []


def test_a_comma_behind_a_path_is_no_part_of_it() -> None:
    assert (
        neutralize_line(".github/pool/odd.yml, line 2: it is odd")
        == "`.github/pool/odd.yml`, line 2: it is odd"
    )
