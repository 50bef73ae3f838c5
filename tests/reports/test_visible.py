"""What the model reads of a stranger's text is what a person sees of it on GitHub."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.reports.visible import visible_text

TRICKS = {
    "comment": "<!-- SECRET -->",
    "comment over lines": "<!--\nSECRET\n\nSECRET\n-->",
    "comment within a line": "a <!-- SECRET --> b",
    "comment without an end": "a\n\n<!-- SECRET\n\nSECRET",
    "comment in a block": "<div>\n<!-- SECRET -->\n</div>",
    "short comment": "<!--> SECRET -->",
    "declaration": "<!DOCTYPE SECRET>",
    "instruction": "<?php SECRET ?>",
    "instruction without an end": "<?php SECRET",
    "instruction within a line": "a <?php SECRET ?> b",
    "CDATA": "<![CDATA[ SECRET ]]>",
    "CDATA within a line": "a <![CDATA[ SECRET ]]> b",
    "attribute": "<b title='SECRET'>a</b>",
    "attribute of a block": "<div title='SECRET'>a</div>",
    "tag without an end": "<div title='SECRET",
    "tag of its own name": "a <SECRET> b",
    "alternative text": "![SECRET](x.png)",
    "title of an image": "![](x.png 'SECRET')",
    "source of an image": "![](https://x.example/SECRET)",
    "HTML image": "a <img alt='SECRET' src=x> b",
    "HTML image alone": "<img alt='SECRET' src='SECRET'>",
    "title of a link": "[a](x 'SECRET')",
    "target of a link": "[a](https://x.example/SECRET)",
    "label of a link": "[a][SECRET]\n\n[SECRET]: x",
    "definition": "[SECRET]: x",
    "definition as a remark": "[//]: # (SECRET)",
    "definition with a title": "[a]: x 'SECRET'",
    "definition over lines": "[a]:\nx\n'SECRET\nSECRET'",
    "info of a fence": "```python SECRET\na\n```",
    "script": "<script>SECRET</script>",
    "style": "<style>\nSECRET\n</style>",
    "textarea": "<textarea>SECRET</textarea>",
    "template": "<div><template>SECRET</template></div>",
    "title element": "<div><title>SECRET</title></div>",
    "hidden element": "<p hidden>SECRET</p>",
    "footnote": "a\n\n[^1]: SECRET words",
    "footnote of one word": "a\n\n[^1]: SECRET",
    "footnote over lines": "a\n\n[^1]: SECRET words\n    SECRET\n\n    SECRET words\n\nb",
    "lazy footnote": "a\n[^note]: x\nSECRET words\nSECRET words\n\nb",
    "footnote of a footnote": "[^1]: x [^2]\n\n[^2]: SECRET words",
    "footnote that code names": "`[^1]`\n\n[^1]: SECRET words",
    "footnote that a comment names": "<!-- [^1] -->\n\n[^1]: SECRET words",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_what_is_hidden_on_github_is_not_in_the_text(trick: str) -> None:
    assert len(TRICKS) >= 25
    assert "secret" not in visible_text(TRICKS[trick]).lower()


@pytest.mark.parametrize(
    "character",
    [
        "\u200b",
        "\u200d",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\u00ad",
        "\U000e0041",
        "\U000e007f",
        "\ufe0f",
        "\U000e0100",
        "\x00",
        "\x1b",
        "\x08",
        "\u2060",
        "\u3164",
        "\u115f",
        "\uffa0",
        "\u2800",
        "\ue000",
        "\u180e",
        "\u061c",
        "&#8203;",
        "&#x202e;",
        "&ZeroWidthSpace;",
        "&shy;",
        "&#xE0041;",
    ],
)
def test_characters_that_nobody_sees_are_gone(character: str) -> None:
    shown = visible_text(f"a{character}b")
    assert shown in ("ab", "a\ufffdb")


SHOWN = {
    "words": (
        "Plain *words* with **marks**, `code` and a_b",
        "Plain words with marks, code and a_b",
    ),
    "heading": ("# Title\n\ntext", "Title\n\ntext"),
    "lines": ("one\ntwo  \nthree", "one\ntwo\nthree"),
    "list": ("- one\n- two\n  - three", "one\n\ntwo\n\nthree"),
    "quote": ("> said", "said"),
    "fence": ("```python\nx = 1\n```", "x = 1"),
    "indented code": ("a\n\n    x = 1", "a\n\nx = 1"),
    "comment in code": ("`<!-- shown -->`", "<!-- shown -->"),
    "comment in a fence": ("```\n<!-- shown -->\n```", "<!-- shown -->"),
    "link": ("[words](https://x.example)", "words"),
    "bare link": ("see https://x.example now", "see https://x.example now"),
    "autolink": ("<https://x.example>", "https://x.example"),
    "table": ("| a | b |\n|---|---|\n| c | d |", "| a | b |\n|---|---|\n| c | d |"),
    "HTML": ("<div>a <b>b</b></div>", "a b"),
    "HTML within a line": ("press <kbd>x</kbd> &amp; wait", "press x & wait"),
    "fold": ("<details><summary>More</summary>\n\ninside\n\n</details>", "More\n\ninside"),
    "after a comment": ("<!-- a --> shown", "shown"),
    "entities": ("a &lt;b&gt; &amp; c", "a <b> & c"),
    "entities in HTML": ("<p>a &lt; b &amp; c", "a < b & c"),
    "ampersand at the end": ("<p>AT&T", "AT&T"),
    "less than": ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
    "unclosed comment in a line": ("a <!-- b", "a <!-- b"),
    "escapes": ("\\*a\\*", "*a*"),
    "other scripts": ("日本語 ü é אב", "日本語 ü é אב"),
    "emoji": ("done 🎉", "done 🎉"),
    "boxes": ("- [x] done", "[x] done"),
    "footnote": ("a[^1]\n\n[^1]: the note\n\nb", "a[^1]\n\nb\n\nthe note"),
    "after a footnote": ("a[^1]\n\n[^1]: x\n# Title\n- item", "a[^1]\n\nTitle\n\nitem\n\nx"),
    "CRLF": ("a\r\n\r\nb", "a\n\nb"),
}


@pytest.mark.parametrize("case", SHOWN)
def test_what_is_shown_stays(case: str) -> None:
    text, shown = SHOWN[case]
    assert visible_text(text).replace("\n\n\n", "\n\n") == shown


def test_labels_of_footnotes_that_never_end_take_little_time() -> None:
    began = time.process_time()
    visible_text("[^" * 24_000)
    assert time.process_time() - began < 3


def test_a_long_text_is_cut() -> None:
    assert visible_text("word " * 9_000, 100) == ("word " * 20)
    assert len(visible_text("a" * 50_000)) == 12_000


CLOSED = [text for name, text in TRICKS.items() if "without an end" not in name]


@settings(deadline=None)
@given(st.lists(st.sampled_from([*CLOSED, "words", "# a", "\n"]), max_size=5).map("\n\n".join))
def test_tricks_do_not_undo_each_other(text: str) -> None:
    assert "secret" not in visible_text(text).lower()


@settings(deadline=None)
@given(st.text(st.sampled_from("<!->?[]^:`#\n ab&;\"'/"), max_size=60) | st.text(max_size=60))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    assert isinstance(visible_text(text), str)
