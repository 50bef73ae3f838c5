"""A check run of ours is known by its key, and nobody else's is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_pool_gh.github.check_key import CheckKey, is_ours
from claude_pool_gh.terms.ids import Repository, Thread

HEAD = "a" * 40


def test_a_key_is_read_back_as_it_was_written() -> None:
    thread = Thread(repository=Repository(id=5, owner="octo", name="shop"), number=3)
    key = CheckKey.of(thread, "review", HEAD)
    assert key.format() == f"check:5:3:review:{HEAD}"
    assert key.format().startswith(key.prefix())
    assert CheckKey.parse(key.format()) == key
    assert is_ours(key.format())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "check",
        "check:5:3:review",
        f"check:5:3:review:{HEAD}:y",
        "ci:5:3:review:x",
        "check:x:3:review:x",
        "check:5:-3:review:x",
        "check:05:3:review:x",
        "check:5:0:review:x",
        "check:5:\u0663:review:x",
        f"check:{'9' * 5000}:3:review:x",
    ],
)
def test_what_is_no_key_is_none(text: str) -> None:
    assert CheckKey.parse(text) is None


@given(st.text(alphabet="check:0123456789ab\u0663 \n", max_size=30))
def test_no_text_is_two_keys_and_none_breaks_it(text: str) -> None:
    key = CheckKey.parse(f"check:{text}")
    assert key is None or key.format() == f"check:{text}"
