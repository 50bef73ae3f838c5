"""Which lines of a comment are commands: what a person reads as a line of its own, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.commands.lines import command_lines

VALID = {
    "alone": ("/pool", ["/pool"]),
    "with a verb": ("/pool review", ["/pool review"]),
    "with a tab": ("/pool\treview", ["/pool\treview"]),
    "with trailing spaces": ("/pool review  ", ["/pool review  "]),
    "after a blank line": ("\n\n/pool review", ["/pool review"]),
    "after text": ("Please look.\n/pool review", ["/pool review"]),
    "before text": ("/pool review\nThank you.", ["/pool review"]),
    "between paragraphs": ("one\n\n/pool review\n\ntwo", ["/pool review"]),
    "twice": ("/pool review\n/pool help", ["/pool review", "/pool help"]),
    "the same line twice": ("/pool review\n\n/pool review", ["/pool review", "/pool review"]),
    "after a fence": ("```\n/pool help\n```\n/pool review", ["/pool review"]),
    "after an HTML comment": ("<!-- x -->\n\n/pool review", ["/pool review"]),
    "after a quote and a blank line": ("> why\n\n/pool review", ["/pool review"]),
    "after a list and a blank line": ("- a\n\n/pool review", ["/pool review"]),
    "with CRLF": ("hello\r\n/pool review\r\nbye\r\n", ["/pool review"]),
    "with CR alone": ("hello\r\r/pool review", ["/pool review"]),
    "with code in it": (
        '/pool review --focus "the `x` case"',
        ['/pool review --focus "the `x` case"'],
    ),
    "with escapes in it": (
        '/pool review --focus "a\\*b & c_d"',
        ['/pool review --focus "a\\*b & c_d"'],
    ),
    "with markup in it": ("/pool review **now** <b>", ["/pool review **now** <b>"]),
    "within bold text": ("**note\n/pool review\nnote**", ["/pool review"]),
    "beside an image of the same words": ("/pool help\n\n![/pool help](x)", ["/pool help"]),
    "above a rule": ("/pool review\n---", ["/pool review"]),
    "after an unclosed comment that shows": ("a <!-- b\n/pool review", ["/pool review"]),
    "with a mistake, which is answered": ("/pool reviw", ["/pool reviw"]),
    "after NUL": ("\0\n\n/pool review", ["/pool review"]),
    "with a large letter": ("/Pool review", ["/pool review"]),
    "without what its comment hides": ("/pool fix a <!-- b --> c", ["/pool fix a  c"]),
    "after a hard break": ("one\\\n/pool review", ["/pool review"]),
}

NEAR = [
    # not the word
    "/poolx review",
    "pool review",
    "//pool review",
    "/ pool review",
    "\\/pool review",
    "/pool-review",
    "/pool:review",
    "/pool/review",
    "/pool, review",
    "/pools",
    "@pool review",
    "!pool review",
    "/pool\u00a0review",
    "/pool\u2003review",
    "/pool\u200breview",
    "\u200b/pool review",
    "\ufeff/pool review",
    "/po\u200bol review",
    "/\u0440ool review",
    "/p\u043e\u043el review",
    "/\uff50ool review",
    "\u2215pool review",
    "\uff0fpool review",
    "&#47;pool review",
    "/pool\u2028review",
    "/pool\x0breview",
    "x\u2028/pool review",
    "x\x0b/pool review",
    # not at the beginning of the line
    " /pool review",
    "  /pool review",
    "   /pool review",
    "\t/pool review",
    "please /pool review",
    "`x` /pool review",
    "*/pool review*",
    "**/pool review**",
    "~~/pool review~~",
    '"/pool review"',
    "(/pool review)",
    "one\n /pool review",
    # quoted
    "> /pool review",
    ">/pool review",
    "> > /pool review",
    "> why\n/pool review",
    "> ```\n> /pool review\n> ```",
    # lists
    "- /pool review",
    "* /pool review",
    "1. /pool review",
    "- a\n/pool review",
    "- a\n\n  /pool review",
    "- [ ] /pool review",
    # code
    "`/pool review`",
    "```\n/pool review\n```",
    "~~~\n/pool review\n~~~",
    "```\n/pool review",
    "~~~\n/pool review",
    "````\n```\n/pool review\n```\n````",
    "```sh\n/pool review\n```",
    "    /pool review",
    "a\n\n    /pool review",
    "```\n~~~\n/pool review",
    "~~~\n```\n/pool review\n```\n~~~",
    "   ```\n/pool review\n   ```",
    "see `a\n/pool review\nb` there",
    "see ``a\n/pool review\nb`` there",
    "\\`a `b\n/pool review\nc`",
    "```\r\n/pool review\r\n```",
    "```\r/pool review\r```",
    # HTML
    "<!-- /pool review -->",
    "<!--\n/pool review\n-->",
    "<!--\n/pool review",
    "a <!--\n/pool review\n--> b",
    "<!--\n\n/pool review\n\n",
    "<div>\n/pool review\n</div>",
    "<pre>\n\n/pool review\n\n</pre>",
    "<div\n/pool review\n>",
    "<?x\n/pool review\n?>",
    "<![CDATA[\n/pool review\n]]>",
    "<script>\n\n/pool review\n</script>",
    "<style>\n\n/pool review",
    "a <b title='\n/pool review\n'> c",
    "<details>\n/pool review\n</details>",
    # links, images, tables, headings, definitions
    "[a](b '\n/pool review\n')",
    "[a](\n/pool\n)",
    "[a][\n/pool review\n]\n\n[/pool review]: u",
    "![a\n/pool review\n](b)",
    "[a\n/pool review\nb](c)",
    "[/pool review](x)",
    "![/pool review](x)",
    "| a |\n|---|\n| /pool review |",
    "a | b\n--|--\n/pool review | c",
    "# /pool review",
    "[x]: /pool",
    "[x]:\n/pool",
    "[x]: y '\n/pool review\n'",
]


@pytest.mark.parametrize("case", VALID)
def test_a_line_of_its_own_is_a_command(case: str) -> None:
    body, wanted = VALID[case]
    assert command_lines(body) == wanted


def test_near_commands_are_none() -> None:
    assert len(NEAR) >= 60
    assert {body: found for body in NEAR if (found := command_lines(body))} == {}


@pytest.mark.parametrize("body", [body for body in NEAR if "```" not in body and "~~~" not in body])
def test_a_near_command_beside_a_command_stays_none(body: str) -> None:
    assert command_lines(f"/pool help\n\n{body}") == ["/pool help"]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("/pool help `x\n/pool help me\n`", ["/pool help `x"]),
        ("/pool\n`\n/pool review\n`", ["/pool"]),
        ("/pool review\n<!--\n/pool review it\n-->", ["/pool review"]),
    ],
)
def test_a_living_line_does_not_wake_a_dead_one_in_its_paragraph(
    body: str, wanted: list[str]
) -> None:
    assert command_lines(body) == wanted


def test_at_most_five_commands_are_read() -> None:
    body = "\n".join(f"/pool ask {number}" for number in range(9))
    assert command_lines(body) == [f"/pool ask {number}" for number in range(5)]


def test_what_stands_beyond_the_limit_of_a_comment_is_not_read() -> None:
    assert command_lines("x\n" * 40_000 + "\n/pool review") == []


@settings(deadline=None)
@given(st.text(st.sampled_from("/pol \t\n\r`~>-<!*[]()#\\x|:&"), max_size=60))
def test_every_command_is_a_line_of_the_comment_as_it_was_written(body: str) -> None:
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for found in command_lines(body):
        assert found in lines
        assert found.split()[0] == "/pool"


@settings(deadline=None)
@given(st.text(max_size=200), st.sampled_from(["```", "~~~"]))
def test_nothing_in_a_fence_is_a_command(text: str, fence: str) -> None:
    inside = text.replace("`", "").replace("~", "")
    assert command_lines(f"{fence}\n/pool review\n{inside}\n/pool help\n{fence}") == []
