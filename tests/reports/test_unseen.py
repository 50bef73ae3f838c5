"""What a person cannot see goes, by its Unicode class; what changes what a person sees stays."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from claude_pool_gh.reports.neutralize import code, fence, neutralize, neutralize_line
from claude_pool_gh.reports.unseen import seen
from claude_pool_gh.reports.visible import visible_text

HIDDEN = {
    "a format character": "a\u200bb",
    "a direction mark": "a\u202eb\u2066c",
    "a soft hyphen": "a\u00adb",
    "a tag": "a\U000e0041b",
    "a private character": "a\ue000b",
    "an unassigned one": "a\u2065b\ufff0c\U000e0fffd",
    "a selector": "a\ufe0fb\ufe00c\U000e0100d",
    "a run of selectors after an emoji": "\u2764\ufe0f\ufe00\ufe01\U000e0101",
    "a run of joiners": "\u0645\u200c\u200c\u200d\u06cc",
    "a joiner between letters": "a\u200db\u200cc",
    "a joiner at the end": "\U0001f469\u200d",
    "a combining joiner": "a\u034fb",
    "Hangul fillers": "a\u115f\u1160\u3164\uffa0b",
    "Khmer vowels": "a\u17b4\u17b5b",
    "a Braille blank": "a\u2800b",
    "a Mongolian selector": "a\u180b\u180fb",
    "a line separator": "a\u2028b\u2029c",
    "a flag of hidden words": "\U0001f3f4\U000e0068\U000e0069\U000e007f",
    "a control": "a\x00\x08\x1b\x7f\x85b",
}
SHOWN = {
    "an emoji": "\u2764\ufe0f",
    "a family": "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "a person with a skin": "\U0001f468\U0001f3fd\u200d\U0001f4bb",
    "a rainbow flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "a woman healer": "\U0001f469\u200d\u2695\ufe0f",
    "a key cap": "1\ufe0f\u20e3",
    "the flag of Scotland": "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "an emoji of a later Unicode": "\U0001fae9",
    "Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "Hindi": "\u0915\u094d\u200d\u0937",
    "Malayalam": "\u0d28\u0d4d\u200c\u0d2e",
    "a variant of an ideograph": "\u845b\U000e0100",
    "a number in Arabic": "\u0600\u0661\u0662",
    "accents": "e\u0301 \u00e9",
    "a tab and a line": "a\tb\nc",
    "text style": "\u2194\ufe0e \u2122\ufe0f",
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_what_nobody_sees_is_gone(kind: str) -> None:
    left = seen(HIDDEN[kind])
    assert left != HIDDEN[kind]
    assert seen(left) == left
    assert [c for c in left if unicodedata.category(c) in ("Cc", "Cf", "Cn", "Co", "Zl", "Zp")] == [
        "\u200d"
    ] * (kind == "a run of joiners")


@pytest.mark.parametrize("kind", SHOWN)
def test_what_changes_what_is_seen_stays(kind: str) -> None:
    assert seen(SHOWN[kind]) == SHOWN[kind]


@pytest.mark.parametrize("kind", [*HIDDEN, *SHOWN])
def test_what_we_post_and_what_the_model_reads_is_cleaned_alike(kind: str) -> None:
    one = " ".join((HIDDEN | SHOWN)[kind].split()).replace("\x00", "").replace("\x85", "")
    left = " ".join(seen(one).split())
    for shown in (
        code(one).strip("`"),
        fence(f"_{one}").split("\n")[1][1:],
        visible_text(f"_{one}")[1:],
    ):
        assert " ".join(shown.split()) == left
    for shown in (neutralize(f"_{one}."), neutralize_line(f"_{one}.")):
        assert left.split(" ")[0] in shown


def test_every_character_of_every_class_that_is_not_drawn_goes() -> None:
    kept = [
        c
        for c in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(c) in ("Cf", "Co", "Cc", "Cs", "Zl", "Zp")
        and seen(f"a{c}b") != "ab"
    ]
    assert set(kept) == set(
        "\n\t\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
    )
