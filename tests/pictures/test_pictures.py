"""Comments are looked at in a real browser: nothing sticks out, the first screen is short."""

from __future__ import annotations

import pytest

from tests.pictures.page import browser, html, look
from tests.pictures.scenes import scenes

SCENES = scenes()
needs_browser = pytest.mark.skipif(browser() is None, reason="no chromium on PATH: apt-get install chromium")


@needs_browser
@pytest.mark.long
@pytest.mark.parametrize("name", SCENES)
def test_no_comment_is_wider_than_its_box(name: str) -> None:
    program = browser()
    assert program is not None
    height, wide = look(program, html(SCENES[name], "light"))
    assert not wide
    assert 60 < height < 1600


def test_the_pictures_of_every_scene_are_there() -> None:
    from pathlib import Path  # noqa: PLC0415

    folder = Path(__file__).parents[2] / "docs" / "pictures"
    assert {path.stem for path in folder.glob("*.png")} == {
        f"{n}-{t}" for n in SCENES for t in ("light", "dark")
    }
