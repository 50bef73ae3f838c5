"""Comments are looked at in a real browser: nothing sticks out, the first screen is short."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.pictures import png
from tests.pictures.page import PICTURES, browser, digest, html, look, shown
from tests.pictures.scenes import scenes

SCENES = scenes()
needs_browser = pytest.mark.skipif(
    browser() is None, reason="no chromium on PATH: apt-get install chromium"
)


@needs_browser
@pytest.mark.long
@pytest.mark.parametrize("name", SCENES)
def test_no_comment_is_wider_than_its_box(name: str) -> None:
    program = browser()
    assert program is not None
    height, wide = look(program, html(SCENES[name], "light"))
    assert not wide
    assert 60 < height < 1600


def test_the_pictures_that_pages_show_are_there_and_no_others() -> None:
    assert {path.name for path in PICTURES.glob("*.png")} == shown()
    assert {name.rpartition("-")[0] for name in shown()} <= set(SCENES)


def faults(picture: png.Picture) -> list[str]:
    """What is wrong with a picture of a comment: it must end with the box's lower border, and not be blank above."""
    height, middle = len(picture.rows), picture.width // 2
    back = picture.pixel(0, 0)
    edge = next((y for y in range(height) if picture.pixel(middle, y) != back), None)
    if edge is None:
        return ["nothing is shown"]
    found = []
    border = picture.pixel(middle, edge)
    lowest = max(y for y in range(height) if picture.pixel(middle, y) != back)
    if picture.pixel(middle, lowest) != border or height - lowest > 60:
        found.append("the lower border is missing")
    inside = picture.rows[height // 2 : lowest - 2]
    if not any(len(set(_colours(picture, row))) > 2 for row in inside):
        found.append("the lower half is blank")
    return found


def _colours(picture: png.Picture, row: bytes) -> list[bytes]:
    step = picture.samples
    return [row[i : i + 3] for i in range(0, len(row), step)]


@pytest.mark.parametrize("name", sorted(shown()))
def test_no_picture_is_cut_off_or_blank_or_of_other_words(name: str) -> None:
    taken = png.read(PICTURES / name)
    assert faults(taken) == []
    assert taken.of == digest(SCENES[name.rpartition("-")[0]]), (
        "its words have changed: make pictures"
    )


def drawn(height: int, *, text: range, border: bool = True) -> png.Picture:
    """A box with a line of text, as a picture."""
    white, grey, black = b"\xff\xff\xff", b"\xd0\xd7\xde", b"\x10\x10\x10"
    rows = [white * 100 for _ in range(height)]
    rows[10] = white * 10 + grey * 80 + white * 10
    for y in text:
        rows[y] = white * 10 + grey + white * 20 + black * 20 + white * 38 + grey + white * 10
    if border:
        rows[height - 10] = rows[10]
    return png.Picture(100, 3, tuple(rows))


def test_this_test_sees_what_is_blank_or_cut_off_and_pictures_can_be_read_back(
    tmp_path: Path,
) -> None:
    whole = replace(drawn(100, text=range(15, 85)), of=digest("words"))
    assert digest("words") != digest("other words")
    assert faults(whole) == []
    assert faults(drawn(100, text=range(15, 40))) == ["the lower half is blank"]
    assert "the lower border is missing" in faults(drawn(100, text=range(15, 30), border=False))
    assert "the lower border is missing" in faults(whole.top(60))
    png.write(tmp_path / "a.png", whole)
    assert png.read(tmp_path / "a.png") == whole
