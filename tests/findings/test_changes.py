"""A diff, file by file, as git writes it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claude_pool_gh.findings.changes import (
    GROUP_CHARACTERS,
    GROUP_FILES,
    GROUP_LINES,
    GROUPS_LIMIT,
    Change,
    ReadChanges,
    Selection,
    group,
    read,
    worth_reading,
)
from claude_pool_gh.findings.diffs import (
    Entry,
    dealt,
    entries,
    path_of,
    pieces_of,
    sections,
    shown,
)

PARTS = [
    "a",
    "b",
    "x b",
    "é",
    "Über uns",
    'q"q',
    "back\\",
    "tab\t",
    "new\nline",
    " lead",
    "trail ",
    "a => b",
    "-d",
    "日 本",
]
NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=3).map("/".join)
NUMBERED = st.integers(1, 60).map(lambda n: b"".join(b"%d\n" % each for each in range(n)))
CONTENTS = st.one_of(
    NUMBERED,
    st.lists(
        st.sampled_from([b"1", b"7", b"", b"@@ -1 +1 @@", b"diff --git a/x b/x", b"--- a", b"\r"])
    ).map(b"\n".join),
    NUMBERED.map(lambda text: text.replace(b"\n", b"\r\n")),
    st.just(b"\0binary"),
)


def is_a_tree(files: Mapping[str, object]) -> bool:
    """Whether no name is a folder of another."""
    return not any(a != b and b.startswith(f"{a}/") for a in files for b in files)


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
    return git(folder, "diff", "--find-renames", "--unified=3", "HEAD~1", "HEAD").decode(
        errors="replace"
    )


def listed_and_read(folder: Path) -> tuple[list[Entry], ReadChanges]:
    """The last commit as the product reads it: git's list, and the text of the files that it names."""
    both = ("HEAD~1", "HEAD")
    options = ("diff", "--find-renames", "--full-index")
    found = entries(git(folder, *options, "--raw", "--numstat", "--no-abbrev", "-z", *both))
    text = git(folder, *options, "--unified=10", *both)
    return found, read(found, dealt(text, found))


def only(folder: Path) -> Change:
    [change] = listed_and_read(folder)[1].changes
    return change


def test_a_changed_file_tells_what_github_shows_of_it(tmp_path: Path) -> None:
    old = b"".join(b"%d\n" % n for n in range(1, 31))
    diff_of(
        tmp_path,
        {"a.py": old},
        {"a.py": old.replace(b"5\n", b"five\nmore\n", 1).replace(b"20\n", b"")},
    )
    change = only(tmp_path)
    assert (change.path, change.added, change.removed, change.size) == ("a.py", 2, 2, 4)
    assert change.hunks == ((2, 8, 2, 9), (17, 23, 18, 23))
    assert "@@ -1,30 +1,30 @@" in change.text  # ten lines for whoever reads it


@pytest.mark.parametrize(
    "path",
    [
        "a b/c d.txt",
        "ü/日本.txt",
        'quo"te.txt',
        "back\\slash",
        "tab\there",
        "new\nline",
        "a",
        "b/b",
        "a/a",
        "x b/x",
        "-dash",
        "é b/é",
        "bell\a",
        "oct\x01al",
        "+++ x",
        "dev/null",
        "trailing ",
        "a\tb c",
        "docs/Über uns.md",
        "plan b/notes.md",
        "a => b",
        "{a => b}/c",
        "x\n+++ b/y",
        ":(glob)x",
        "*",
        " lead",
    ],
)
def test_a_path_is_the_repositorys_own_however_git_quotes_it(tmp_path: Path, path: str) -> None:
    diff = diff_of(tmp_path, {path: b"x\n"}, {path: b"y\n", "n " + path: b"new\n"})
    found, text = listed_and_read(tmp_path)
    assert sorted(entry.path for entry in found) == sorted([path, "n " + path])
    assert text.unreadable == ()
    assert sorted((change.path, change.size) for change in text.changes) == sorted(
        [(path, 2), ("n " + path, 1)]
    )
    assert sorted(map(path_of, sections(diff))) == sorted([path, "n " + path])


@pytest.mark.parametrize("path", ["plain", "a b", "ü b/ü", 'q"q'])
def test_what_changes_no_line_is_listed_and_has_its_path(tmp_path: Path, path: str) -> None:
    git(tmp_path, "init", "-q")
    diff_of(
        tmp_path,
        {f"{path}.bin": b"\0\1", path: b"x\n", f"{path}.gone": b""},
        {f"{path}.bin": b"\0\2"},
    )
    [entry] = listed_and_read(tmp_path)[0]
    assert (entry.path, entry.binary, entry.size) == (f"{path}.bin", True, 0)
    (tmp_path / path).chmod(0o755)
    (tmp_path / f"{path}.gone").unlink()
    git(tmp_path, "commit", "-qam", "mode")
    found, _ = listed_and_read(tmp_path)
    assert [(e.path, e.status, e.size, e.binary) for e in found] == [
        (path, "M", 0, False),
        (f"{path}.gone", "D", 0, False),
    ]
    assert worth_reading(found) == Selection([], [path, f"{path}.gone"], [])


def test_a_renamed_file_has_both_paths(tmp_path: Path) -> None:
    text = b"1\n2\n3\n4\n5\n"
    diff_of(
        tmp_path,
        {"old one": text, "ölt": text.replace(b"1", b"9")},
        {"old one": None, "new one": text, "ölt": None, "neu ö": text.replace(b"1", b"8")},
    )
    found = {entry.path: entry for entry in listed_and_read(tmp_path)[0]}
    assert set(found) == {"new one", "neu ö"}
    assert (found["new one"].size, found["neu ö"].size) == (0, 2)
    assert (found["new one"].before, found["neu ö"].before) == ("old one", "ölt")
    texts = {"neu ö": git(tmp_path, "diff", "-M", "HEAD~1", "HEAD", "--", "ölt", "neu ö")}
    assert read([found["neu ö"]], texts).changes[0].before == "ölt"


def test_new_and_deleted_files_show_one_side(tmp_path: Path) -> None:
    diff_of(tmp_path, {"gone": b"x\n"}, {"gone": None, "new": b"a\nb\n", "empty": b""})
    found, text = listed_and_read(tmp_path)
    assert [(entry.path, entry.status, entry.size) for entry in found] == [
        ("empty", "A", 0),
        ("gone", "D", 1),
        ("new", "A", 2),
    ]
    assert [(change.path, change.hunks) for change in text.changes] == [
        ("gone", ((1, 1, 0, -1),)),
        ("new", ((0, -1, 1, 2),)),
    ]


def test_a_file_that_became_a_link_is_one_change_with_both_parts(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, {"x": b"a\nb\n", "y": b"1\n"})
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "old")
    (tmp_path / "x").unlink()
    (tmp_path / "x").symlink_to("/etc/passwd")
    write(tmp_path, {"y": b"2\n"})
    git(tmp_path, "commit", "-qam", "new")
    found, text = listed_and_read(tmp_path)
    assert [(entry.path, entry.status) for entry in found] == [("x", "T"), ("y", "M")]
    assert [(c.path, c.added, c.removed) for c in text.changes] == [("x", 1, 2), ("y", 1, 1)]


def test_a_missing_newline_at_the_end_is_no_line(tmp_path: Path) -> None:
    diff_of(tmp_path, {"a": b"x\ny"}, {"a": b"x\nz"})
    change = only(tmp_path)
    assert (change.added, change.removed, change.hunks) == (1, 1, ((1, 2, 1, 2),))
    assert change.text.count("\\ No newline at end of file") == 2


@pytest.mark.parametrize(
    "line",
    [
        b"-- a/x",
        b"--- a/x",
        b"++ b/x",
        b"+++ b/x",
        b"diff --git a/x b/x",
        b"@@ -1 +1 @@",
        b"Binary files a and b differ",
        b"new file mode 100644",
        b"rename to y",
        b"\\ No newline at end of file",
        b"",
        b"\r",
        b"\x0c",
        b"a\rb",
        b" ",
        b"GIT binary patch",
        "a\u2028b\x85c".encode(),
    ],
)
def test_content_that_looks_like_a_diff_stays_content(tmp_path: Path, line: bytes) -> None:
    old, new = b"1\n" + line + b"\n3\n", b"1\n2\n" + line + b"\n" + line + b"!\n"
    diff_of(tmp_path, {"a.py": old}, {"a.py": new})
    change = only(tmp_path)
    assert (change.path, change.added, change.removed) == ("a.py", 2, 1)
    assert change.hunks == ((1, 3, 1, 4),)


def test_bytes_that_are_no_utf_8_are_shown_as_replacements(tmp_path: Path) -> None:
    diff_of(tmp_path, {"a": b"caf\xe9\n"}, {"a": b"caf\xe9s\n"})
    change = only(tmp_path)
    assert (change.size, "+caf\ufffds" in change.text) == (2, True)


def test_a_name_that_is_no_utf_8_costs_nothing(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "old")
    (tmp_path / os.fsdecode(b"caf\xe9.py")).write_bytes(b"x\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "new")
    found, text = listed_and_read(tmp_path)
    assert [(entry.path, os.fsencode(entry.names[0])) for entry in found] == [
        ("caf\ufffd.py", b"caf\xe9.py")
    ]
    assert [change.path for change in text.changes] == ["caf\ufffd.py"]


def test_an_empty_diff_has_no_files() -> None:
    assert (entries(b""), dealt(b"", []), sections("")) == ([], {}, [])


@pytest.mark.parametrize("text", ["hello", "<html>", "@@ -1 +1 @@\n-a\n+b\n"])
def test_what_is_no_diff_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a unified diff"):
        sections(text)
    with pytest.raises(ValueError, match="not a list"):
        entries(text.encode())
    with pytest.raises(ValueError, match="not a unified diff"):
        dealt(text.encode(), [])


BLOBS = ("1" * 40, "2" * 40)


def entry(path: str, lines: int = 1, *, binary: bool = False) -> Entry:
    return Entry("M", path, None, BLOBS, lines, 0, binary, (path,))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("@@ -1,5 +1,5 @@\n a\n", "a hunk has fewer lines than it says"),
        ("@@ -1 +1 @@\n-a\n+b\n+c\n", "a hunk has more lines than it says"),
        ("@@ -1 +1,2 @@\n-a\n-b\n+c\n+d\n", "a hunk's lines are not those that it says"),
        ("", "git shows no lines of it"),
        (f"@@ -0,0 +1 @@\n+{'x' * 1_000_000}\n", "its diff has 1,000,016 bytes"),
    ],
)
def test_a_part_that_cannot_be_read_costs_only_its_file(body: str, reason: str) -> None:
    good = "@@ -1 +1 @@\n-a\n+b\n"
    found = read([entry("odd"), entry("even")], {"odd": body.encode(), "even": good.encode()})
    assert found.unreadable == (("odd", reason),)
    assert [change.path for change in found.changes] == ["even"]


def test_a_diff_of_other_files_than_are_listed_is_refused() -> None:
    one = f"diff --git a/x b/x\nindex {'1' * 40}..{'2' * 40} 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
    assert dealt(one.encode(), [entry("x")]) == {"x": one.encode()}
    for text, listed in (
        (one, []),
        (one + one, [entry("x")]),
        ("", [entry("x")]),
        (one.replace("2" * 40, "3" * 40), [entry("x")]),
    ):
        with pytest.raises(ValueError, match="listed"):
            dealt(text.encode(), listed)


def test_three_thousand_files_are_read() -> None:
    body = "@@ -1 +1 @@\n-a\n+b\n"
    names = [f"f{number}" for number in range(3_000)]
    found = read([entry(name) for name in names], dict.fromkeys(names, body.encode()))
    assert len({change.path for change in found.changes}) == 3_000
    groups, beyond = group(found.changes)
    assert (len(groups), len(beyond)) == (GROUPS_LIMIT, 3_000 - GROUPS_LIMIT * GROUP_FILES)


def test_a_long_diff_of_one_file_is_read_in_parts_and_nothing_of_it_is_lost() -> None:
    lines = [f"+{number} {'x' * 90}" for number in range(2_000)]
    text = "\n".join(
        ["diff --git a/x b/x", "--- /dev/null", "+++ b/x", "@@ -0,0 +1,2000 @@", *lines, ""]
    )
    found = read([entry("x", 2_000)], {"x": text.encode()})
    assert (len(found.changes), found.unreadable) == (4, ())
    assert [line for change in found.changes for line in change.text.split("\n")[4:-1]] == lines
    assert found.changes[1].text.split("\n")[3].startswith("@@ -0,0 +")
    assert {change.hunks for change in found.changes} == {((0, -1, 1, 2_000),)}
    assert sum(change.added for change in found.changes) == 2_000
    groups, _ = group(found.changes)
    assert {some.title for some in groups} == {"x"}


def test_a_line_without_end_is_cut_and_said() -> None:
    text = f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+{'x' * 9_000}\n"
    found = read([entry("x")], {"x": text.encode()})
    assert found.unreadable == (("x", "it has lines of more than 5,000 characters"),)
    assert len(found.changes[0].text) < 6_000


@pytest.mark.timeout(300)
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_repository_is_read_and_shows_what_github_shows(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Real git, hostile names and contents; three lines are cut from ten as git itself shows three."""
    folder = tmp_path_factory.mktemp("r")
    trees = st.dictionaries(NAMES, CONTENTS, min_size=1, max_size=5).filter(is_a_tree)
    old, new = data.draw(trees), data.draw(trees)
    # some files only change a little, or move
    for path, content in list(old.items()):
        fate = data.draw(st.sampled_from(["gone", "same", "edited", "moved"]))
        if fate == "same":
            new[path] = content
        elif fate == "edited":
            new[path] = content.replace(b"7\n", b"seven\n", 1) + b"end"
        elif fate == "moved":
            new["moved " + path.replace("/", "_")] = content + b"\n1"
    if not is_a_tree(new):
        return
    git(folder, "init", "-q")
    for tree in (old, new):
        for standing in folder.iterdir():
            if standing.name != ".git":
                git(folder, "rm", "-rqf", "--", f":(literal){standing.name}")
        write(folder, tree)
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", "x", "--allow-empty")
    both = ("HEAD~1", "HEAD")
    found, text = listed_and_read(folder)
    assert text.unreadable == tuple(
        (e.path, "git shows no lines of it") for e in found if e.binary or not e.size
    )
    three = git(folder, "diff", "--find-renames", "--unified=3", *both).decode(errors="replace")
    for entry_, section in zip(found, sections(three), strict=True):
        assert path_of(section) == entry_.path
        hunks = next((c.hunks for c in text.changes if c.path == entry_.path), ())
        assert shown(pieces_of(section)) == hunks
        pieces = pieces_of(section)
        assert (sum(p.added for p in pieces), sum(p.removed for p in pieces)) == (
            entry_.added,
            entry_.removed,
        )


def change(path: str, lines: int = 1, text: str = "") -> Change:
    return Change(path, text, lines, 0)


@pytest.mark.parametrize(
    "path",
    [
        "yarn.lock",
        "a/Cargo.lock",
        "package-lock.json",
        "a/b-lock.yaml",
        "x.min.js",
        "x.min.css",
        "x.js.map",
        "a.snap",
        "logo.svg",
        "x.pb.go",
        "go.sum",
        "vendor/x.go",
        "a/vendor/b/x.go",
        "a/node_modules/x.js",
    ],
)
def test_what_looks_generated_is_left_out_and_only_the_repository_says_that_nobody_has_to_read_it(
    path: str,
) -> None:
    for changed in (entry(path), entry(path, 0, binary=True)):
        assert worth_reading([changed], ("docs/*",)) == Selection([], [], [changed])
        assert worth_reading([changed], ("docs/*", path)) == Selection([], [path], [])


def test_excluded_files_are_left_out() -> None:
    assert worth_reading([entry("docs/a.md")], ("docs/*",)) == Selection([], ["docs/a.md"], [])


def test_everything_else_that_changed_is_read() -> None:
    paths = [
        "a.py",
        "block.py",
        "vendored.py",
        "my-lock.jsonc",
        "docs.md",
        "a/docs/x.md",
        "go.summary",
    ]
    changes = [entry(path) for path in paths]
    assert worth_reading(changes, ("docs/*",)) == Selection(changes, [], [])


def test_binary_files_and_those_without_a_changed_line_are_left_out() -> None:
    found = [entry("a.PNG", binary=True), entry("b", 0), entry("vendor/a.png", binary=True)]
    assert worth_reading(found) == Selection([], ["a.PNG", "b", "vendor/a.png"], [])


@pytest.mark.parametrize(
    "path",
    ["Makefile", "deploy", "a/requirements.txt", "gradlew", "x.wasm", "x.jar", "png", ".png/x"],
)
def test_a_binary_file_that_may_be_run_is_not_left_out(path: str) -> None:
    hidden = entry(path, 0, binary=True)
    assert worth_reading([hidden]) == Selection([hidden], [], [])
    gone = dataclasses.replace(hidden, status="D")
    assert worth_reading([gone]) == Selection([], [path], [])


def test_neighbours_are_read_together() -> None:
    groups, beyond = group([change("b/x"), change("a/y"), change("a/x")])
    assert ([c.path for c in groups[0].changes], len(groups), beyond) == (
        ["a/x", "a/y", "b/x"],
        1,
        [],
    )
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
    changes = [Change(f"f{n:03}", one.text, one.added, 0) for n in range(most + 1)]
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
    assert all(
        len(some.changes) == 1 or sum(c.size for c in some.changes) <= GROUP_LINES
        for some in groups
    )


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("**/*.gen.py", "a.gen.py"),
        ("**/*.gen.py", "x/y/a.gen.py"),
        ("**/generated/**", "generated/x.py"),
        ("**/generated/**", "a/generated/b/x.py"),
        ("/docs/**", "docs/a/b.md"),
        ("docs/", "docs/a/b.md"),
        ("docs/", "x/docs/a.md"),
        ("app/**/[slug]/page.tsx", "app/a/b/[slug]/page.tsx"),
        ("app/[id]/**", "app/[id]/page.tsx"),
        ("(auth)/[[...sign-in]]", "(auth)/[[...sign-in]]/page.js"),
        ("./app/**", "app/x.py"),
        ("./docs", "docs/a.md"),
        ("*.gen.py", "a/b.gen.py"),
    ],
)
def test_patterns_mean_what_people_write(pattern: str, path: str) -> None:
    assert worth_reading([entry(path)], (pattern,)) == Selection([], [path], [])
