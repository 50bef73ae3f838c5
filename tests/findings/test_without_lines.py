"""Changes without a changed line: other modes and names, empty files, links and submodules."""

from __future__ import annotations

import pytest

from claude_pool_gh.findings.changes import without_lines
from claude_pool_gh.findings.diffs import Entry, entries, is_pointer

A, B = "1" * 40, "2" * 40
FILE, RUNS, LINK, SUBMODULE, NONE = "100644", "100755", "120000", "160000", "000000"


def entry(status: str, before: str, after: str, path: str = "x.sh", lines: int = 0) -> Entry:
    old = "old.sh" if status in "RC" else None
    names = (old, path) if old else (path,)
    return Entry(
        status, path, old, (A, A), lines, 0, binary=False, names=names, modes=(before, after)
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (entry("M", FILE, RUNS), ["x.sh (executable now)"]),
        (entry("M", RUNS, FILE), ["x.sh (not executable any more)"]),
        (entry("A", NONE, FILE), ["x.sh (new, empty)"]),
        (entry("A", NONE, RUNS), ["x.sh (new, empty, executable now)"]),
        (entry("D", FILE, NONE), ["x.sh (empty, deleted)"]),
        (entry("D", RUNS, NONE), ["x.sh (empty, deleted)"]),
        (entry("R", FILE, FILE), ["x.sh (renamed from old.sh)"]),
        (entry("R", FILE, RUNS), ["x.sh (renamed from old.sh, executable now)"]),
        (entry("C", RUNS, RUNS), ["x.sh (copied from old.sh)"]),
        (entry("M", FILE, RUNS, lines=1), []),
        (entry("M", FILE, RUNS, path="vendor/x.sh"), ["vendor/x.sh (executable now)"]),
        (entry("M", FILE, RUNS, path="docs/x.sh"), []),
    ],
)
def test_each_is_told_by_what_happened_and_excluded_ones_are_not(
    changed: Entry, told: list[str]
) -> None:
    assert without_lines([changed], ["docs/"]) == told


@pytest.mark.parametrize(
    ("mode", "has_file"), [(FILE, True), (RUNS, True), (LINK, False), (SUBMODULE, False)]
)
def test_links_and_submodules_have_no_file_to_open(mode: str, has_file: bool) -> None:
    listing = f":{FILE} {mode} {A} {B} M\0x\0" + "1\t1\tx\0"
    [found] = entries(listing.encode())
    assert (found.modes, found.has_file) == ((FILE, mode), has_file)
    header = f"diff --git a/x b/x\nindex {A}..{B} {mode}\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
    assert is_pointer(header) is not has_file
    new = f"diff --git a/x b/x\nnew file mode {mode}\nindex {A}..{B}\n--- /dev/null\n+++ b/x\n"
    assert is_pointer(new) is not has_file


def test_what_a_line_of_code_says_of_modes_makes_no_link() -> None:
    section = (
        f"diff --git a/x b/x\nindex {A}..{B} {FILE}\n--- a/x\n+++ b/x\n"
        "@@ -1 +1 @@\n-a\n+new file mode 120000\n"
    )
    assert not is_pointer(section)
