"""A diff, file by file, as git writes it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.findings.changes import (
    GROUP_CHARACTERS,
    GROUP_FILES,
    GROUP_LINES,
    GROUPS_LIMIT,
    Change,
    group,
    parse,
    worth_reading,
)


def git(folder: Path, *arguments: str) -> bytes:
    own = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": str(folder)}
    names = ["-c", "user.name=x", "-c", "user.email=x@x", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", *names, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"]} | own,
        check=True,
        capture_output=True,
    ).stdout


def write(folder: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def diff_of(folder: Path, old: dict[str, bytes], new: dict[str, bytes | None]) -> str:
    """What git says between two trees; None removes a file."""
    git(folder, "init", "-q")
    write(folder, {"keep": b"", **old})
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "old")
    for path in new:
        (folder / path).unlink(missing_ok=True)
    write(folder, {path: content for path, content in new.items() if content is not None})
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "new")
    return git(folder, "diff", "--find-renames", "--unified=3", "HEAD~1", "HEAD").decode(errors="replace")


def only(diff: str) -> Change:
    [change] = parse(diff)
    return change


def test_a_changed_file_tells_what_can_carry_a_comment(tmp_path: Path) -> None:
    old = b"".join(b"%d\n" % n for n in range(1, 31))
    diff = diff_of(
        tmp_path, {"a.py": old}, {"a.py": old.replace(b"5\n", b"five\nmore\n", 1).replace(b"20\n", b"")}
    )
    change = only(diff)
    assert (change.path, change.added, change.removed, change.size, change.binary) == ("a.py", 2, 2, 4, False)
    assert change.commentable == frozenset([2, 3, 4, 5, 6, 7, 8, 9, 18, 19, 20, 21, 22, 23])
    assert change.text == diff


@pytest.mark.parametrize(
    "path",
    [
        "a b/c d.txt", "ü/日本.txt", 'quo"te.txt', "back\\slash", "tab\there", "new\nline", "a", "b/b", "a/a", "x b/x",
        "-dash", "é b/é", "bell\a", "oct\x01al", "+++ x", "dev/null", "trailing ", "a\tb c",
    ],
)  # fmt: skip
def test_a_path_is_the_repositorys_own_however_git_quotes_it(tmp_path: Path, path: str) -> None:
    assert [change.path for change in parse(diff_of(tmp_path, {path: b"x\n"}, {path: b"y\n"}))] == [path]


@pytest.mark.parametrize("path", ["plain", "a b", "ü b/ü", 'q"q'])
def test_a_path_is_known_where_the_content_does_not_change(tmp_path: Path, path: str) -> None:
    git(tmp_path, "init", "-q")
    diff = diff_of(
        tmp_path, {f"{path}.bin": b"\0\1", path: b"x\n", f"{path}.gone": b""}, {f"{path}.bin": b"\0\2"}
    )
    change = only(diff)
    assert (change.path, change.binary, change.size) == (f"{path}.bin", True, 0)
    (tmp_path / path).chmod(0o755)
    (tmp_path / f"{path}.gone").unlink()
    git(tmp_path, "commit", "-qam", "mode")
    found = parse(git(tmp_path, "diff", "HEAD~1", "HEAD").decode())
    assert [(change.path, change.size, change.binary) for change in found] == [
        (path, 0, False),
        (f"{path}.gone", 0, False),
    ]


def test_a_renamed_file_has_its_new_path(tmp_path: Path) -> None:
    text = b"1\n2\n3\n4\n5\n"
    diff = diff_of(
        tmp_path,
        {"old one": text, "ölt": text.replace(b"1", b"9")},
        {"old one": None, "new one": text, "ölt": None, "neu ö": text.replace(b"1", b"8")},
    )
    assert "rename from old one" in diff
    found = {change.path: change for change in parse(diff)}
    assert set(found) == {"new one", "neu ö"}
    assert (found["new one"].size, found["neu ö"].size) == (0, 2)


def test_new_and_deleted_files_have_their_only_path(tmp_path: Path) -> None:
    found = parse(diff_of(tmp_path, {"gone": b"x\n"}, {"gone": None, "new": b"a\nb\n", "empty": b""}))
    assert [(c.path, c.added, c.removed, sorted(c.commentable)) for c in found] == [
        ("empty", 0, 0, []),
        ("gone", 0, 1, []),
        ("new", 2, 0, [1, 2]),
    ]


def test_a_file_that_became_a_link_is_two_changes_of_one_path(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, {"x": b"a\nb\n"})
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "old")
    (tmp_path / "x").unlink()
    (tmp_path / "x").symlink_to("/etc/passwd")
    git(tmp_path, "commit", "-qam", "new")
    found = parse(git(tmp_path, "diff", "HEAD~1", "HEAD").decode())
    assert [(change.path, change.added, change.removed) for change in found] == [("x", 0, 2), ("x", 1, 0)]


def test_a_missing_newline_at_the_end_is_no_line(tmp_path: Path) -> None:
    change = only(diff_of(tmp_path, {"a": b"x\ny"}, {"a": b"x\nz"}))
    assert (change.added, change.removed, change.commentable) == (1, 1, frozenset([1, 2]))
    assert "\\ No newline at end of file" in change.text


@pytest.mark.parametrize(
    "line",
    [
        b"-- a/x", b"--- a/x", b"++ b/x", b"+++ b/x", b"diff --git a/x b/x", b"@@ -1 +1 @@",
        b"Binary files a and b differ",
        b"new file mode 100644", b"rename to y", b"\\ No newline at end of file", b"", b"\r", b"\x0c", b"a\rb", b" ",
        b"GIT binary patch", "a\u2028b\x85c".encode(),
    ],
)  # fmt: skip
def test_content_that_looks_like_a_diff_stays_content(tmp_path: Path, line: bytes) -> None:
    old, new = b"1\n" + line + b"\n3\n", b"1\n2\n" + line + b"\n" + line + b"!\n"
    change = only(diff_of(tmp_path, {"a.py": old}, {"a.py": new}))
    assert (change.path, change.added, change.removed, change.binary) == ("a.py", 2, 1, False)
    assert change.commentable == frozenset([1, 2, 3, 4])


def test_bytes_that_are_no_utf_8_are_shown_as_replacements(tmp_path: Path) -> None:
    change = only(diff_of(tmp_path, {"a": b"caf\xe9\n"}, {"a": b"caf\xe9s\n"}))
    assert (change.size, "+caf\ufffds" in change.text) == (2, True)


def test_an_empty_diff_has_no_files() -> None:
    assert parse("") == []


@pytest.mark.parametrize(
    "text",
    [
        "hello", "<html>", "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n a\n", "@@ -1 +1 @@\n-a\n+b\n",
    ],
)  # fmt: skip
def test_what_is_no_diff_or_was_cut_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a unified diff"):
        parse(text)


def test_three_thousand_files_are_read() -> None:
    one = "diff --git a/f{0} b/f{0}\nindex 1..2 100644\n--- a/f{0}\n+++ b/f{0}\n@@ -1 +1 @@\n-a\n+b\n"
    found = parse("".join(one.format(number) for number in range(3_000)))
    assert len({change.path for change in found}) == 3_000
    groups, beyond = group(found)
    assert (len(groups), len(beyond)) == (GROUPS_LIMIT, 3_000 - GROUPS_LIMIT * GROUP_FILES)


def test_a_very_long_diff_of_one_file_is_cut_and_says_so() -> None:
    body = "".join(f"+{'x' * 98}\n" for _ in range(1_000))
    change = only(f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,1000 @@\n{body}")
    assert 60_000 < len(change.text) < 60_100
    assert change.text.endswith("read the file itself]\n")
    assert (change.added, len(change.commentable)) == (1_000, 1_000)


def change(path: str, lines: int = 1, text: str = "", *, binary: bool = False) -> Change:
    return Change(path, text, lines, 0, frozenset(), binary)


@pytest.mark.parametrize(
    "path",
    [
        "yarn.lock", "a/Cargo.lock", "package-lock.json", "a/b-lock.yaml", "x.min.js", "x.min.css", "x.js.map",
        "a.snap",
        "logo.svg", "x.pb.go", "go.sum", "vendor/x.go", "a/vendor/b/x.go", "a/node_modules/x.js", "docs/a.md",
    ],
)  # fmt: skip
def test_generated_and_excluded_files_are_left_out(path: str) -> None:
    assert worth_reading([change(path)], ("docs/*",)) == ([], [path])


def test_everything_else_that_changed_is_read() -> None:
    paths = ["a.py", "block.py", "vendored.py", "my-lock.jsonc", "docs.md", "a/docs/x.md", "go.summary"]
    changes = [change(path) for path in paths]
    assert worth_reading(changes, ("docs/*",)) == (changes, [])


def test_binary_files_and_those_without_a_changed_line_are_left_out() -> None:
    assert worth_reading([change("a", binary=True), change("b", 0)]) == ([], ["a", "b"])


def test_neighbours_are_read_together() -> None:
    groups, beyond = group([change("b/x"), change("a/y"), change("a/x")])
    assert ([c.path for c in groups[0].changes], len(groups), beyond) == (["a/x", "a/y", "b/x"], 1, [])
    assert (groups[0].title, group([change("a")])[0][0].title) == ("a/x and 2 more", "a")
    assert group([]) == ([], [])


@pytest.mark.parametrize(
    ("one", "most"),
    [
        (change("f", 1), GROUP_FILES),
        (change("f", 100), GROUP_LINES // 100),
        (change("f", 1, "x" * (GROUP_CHARACTERS // 3)), 3),
    ],
)
def test_a_group_ends_at_the_first_limit_it_meets(one: Change, most: int) -> None:
    changes = [Change(f"f{n:03}", one.text, one.added, 0, frozenset()) for n in range(most + 1)]
    assert [len(some.changes) for some in group(changes)[0]] == [most, 1]


def test_a_file_larger_than_a_group_has_one_for_itself() -> None:
    groups, beyond = group([change("a"), change("b", 10_000), change("c")])
    assert [[c.path for c in some.changes] for some in groups] == [["a"], ["b"], ["c"]]
    assert beyond == []


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.text("ab/", min_size=1, max_size=5), st.integers(0, 300)),
        max_size=80,
        unique_by=lambda x: x[0],
    )
)
def test_no_file_is_lost_or_read_twice(files: list[tuple[str, int]]) -> None:
    changes = [change(path, lines) for path, lines in files]
    groups, beyond = group(changes)
    read = [c for some in groups for c in some.changes]
    assert sorted(c.path for c in read + beyond) == sorted(path for path, _ in files)
    assert len(groups) <= GROUPS_LIMIT
    assert all(len(some.changes) == 1 or sum(c.size for c in some.changes) <= GROUP_LINES for some in groups)
