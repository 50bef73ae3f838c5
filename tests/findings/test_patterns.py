"""One language of patterns: paths in commands, excluded files, owners, protected paths."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.terms.patterns import matches, names


@pytest.mark.parametrize(
    ("word", "named", "others"),
    [
        ("app/[id]/page.tsx", ["app/[id]/page.tsx"], ["app/i/page.tsx"]),
        ("./app", ["app/x.py", "app"], ["lib/app/x.py"]),
        ("app", ["app/x.py", "lib/app/x.py"], ["apple/x.py"]),
        ("/app.py", ["app.py"], ["x/app.py"]),
        ("app.py", ["app.py", "x/app.py"], ["my-app.py"]),
        ("app/", ["app/x.py"], ["app"[:2]]),
        ("lib/*.py", ["lib/a.py"], ["lib/x/a.py", "x/lib/a.py"]),
        (".", ["a", "x/y"], []),
        ("./", ["a", "x/y"], []),
        ("what?.txt", ["what?.txt", "whatX.txt"], ["what.txt"]),
        ("a*b/c", ["a*b/c", "axb/c"], ["a/c"]),
    ],
)
def test_a_path_of_a_command_is_literal_first(
    word: str, named: list[str], others: list[str]
) -> None:
    assert [path for path in named if not names(word, path)] == []
    assert [path for path in others if names(word, path)] == []


def plainly(pattern: str, path: str) -> bool:
    """The same language, written down as simply as it can be."""
    if not pattern:
        return not path
    if pattern.startswith("**/"):
        return plainly(pattern[3:], path) or any(
            plainly(pattern[3:], path[n + 1 :]) for n in range(len(path)) if path[n] == "/"
        )
    if pattern.startswith("**"):
        return any(plainly(pattern[2:], path[n:]) for n in range(len(path) + 1))
    if pattern.startswith("*"):
        longest = (path + "/").index("/")
        return any(plainly(pattern[1:], path[n:]) for n in range(longest + 1))
    same = bool(path) and (path[0] == pattern[0] or (pattern[0] == "?" and path[0] != "/"))
    return same and plainly(pattern[1:], path[1:])


@settings(deadline=None, max_examples=400)
@given(
    st.lists(
        st.sampled_from(["a", "b", "/", "*", "**", "**/", "?", "ab"]), min_size=1, max_size=9
    ).map("".join),
    st.lists(st.sampled_from(["a", "b", "ab", "ba"]), min_size=1, max_size=4).map("/".join),
)
def test_patterns_mean_what_their_signs_say(pattern: str, path: str) -> None:
    pattern = re.sub(r"\*{3,}", "**", re.sub(r"/+", "/", pattern)).strip("/")
    if not pattern or pattern.endswith("/*"):
        return
    body = pattern if "/" in pattern else f"**/{pattern}"
    parts = path.split("/")
    whole = [
        "/".join(parts[:n]) for n in range(1, len(parts) + 1)
    ]  # a folder's name is all that is in it
    assert matches(pattern, path) == any(plainly(body, each) for each in whole)


def test_no_pattern_takes_long() -> None:
    began = time.process_time()
    for pattern in ("*a" * 12 + "z", "**/" * 30 + "z", "**a" * 8 + "z", "?" * 200, "*" * 500 + "z"):
        matches(pattern, "a" * 120 + "/" + "a" * 120)
    assert time.process_time() - began < 1
