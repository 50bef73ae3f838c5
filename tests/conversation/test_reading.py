"""What is read of a pull request, from real repositories."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from claude_pool_gh.conversation.review.reading import (
    Difference,
    difference,
    held,
    nothing_to_read,
)
from claude_pool_gh.findings.anchor import DroppedFinding
from claude_pool_gh.findings.model import Finding
from tests.findings.make import finding


def git(folder: Path, *arguments: str) -> str:
    own = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": str(folder)}
    command = [
        "git",
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@x",
        "-c",
        "init.defaultBranch=main",
        *arguments,
    ]
    return subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"]} | own,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def commit(folder: Path, files: dict[str, bytes | None]) -> str:
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True) if content is None else file.write_bytes(content)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


async def read(
    repository: Path, base: str, head: str, *exclude: str, paths: tuple[str, ...] = ()
) -> Difference:
    return await difference(
        repository / ".git", base, head, exclude=exclude, paths=paths, since=None
    )


LOOKS = "looks generated, is binary or is excluded; to have it read, name it:"
LINES = b"".join(b"line %d\n" % n for n in range(30))


async def test_odd_names_renames_and_modes_are_read_beside_each_other(repository: Path) -> None:
    base = commit(
        repository, {"old one.py": LINES, "plain.py": b"x\n", "gone.py": b"y\n", "run": b"z\n"}
    )
    git(repository, "mv", "old one.py", "neu ö.py")
    (repository / "run").chmod(0o755)
    (repository / "link").symlink_to("plain.py")
    changed: dict[str, bytes | None] = {
        "neu ö.py": LINES + b"more\n",
        "plan b/notes.md": b"a\n",
        "docs/Über uns.md": b"a\n",
        "tab\there": b"a\n",
        "gone.py": None,
        "data.bin": b"\0",
        "yarn.lock": b"1\n",
    }
    found = await read(repository, base, commit(repository, changed))
    assert {(change.path, change.before, change.size) for change in found.changes} == {
        ("neu ö.py", "old one.py", 1),
        ("plan b/notes.md", None, 1),
        ("docs/Über uns.md", None, 1),
        ("tab\there", None, 1),
        ("gone.py", None, 1),
        ("link", None, 1),
    }
    assert (found.left_out, found.generated, found.unreadable) == (
        ("data.bin",),
        ("yarn.lock",),
        (),
    )
    assert found.without_lines == ("run (executable now)",)


async def test_code_that_a_nul_hides_from_git_is_not_left_out_unsaid(repository: Path) -> None:
    base = commit(repository, {"a.py": b"x = 1\n", "old.php": b"<?php\0"})
    more: dict[str, bytes | None] = {
        "a.py": b"x = 2\n",
        "run.php": b"<?php /* \0 */ run();\n",
        "Makefile": b"all:\n\tdownload | sh\n# \0\n",
        "old.php": None,
    }
    found = await read(repository, base, commit(repository, more | {"logo.png": b"\x89PNG\0"}))
    assert [change.path for change in found.changes] == ["a.py"]
    unread = [(path, "git shows no lines of it") for path in ("Makefile", "run.php")]
    assert found.unreadable == tuple(unread)
    assert sorted(found.left_out) == ["logo.png", "old.php"]


async def test_only_what_was_asked_for_is_read(repository: Path) -> None:
    base = commit(
        repository, {"app/[id]/page.tsx": b"1\n", "app/i/page.tsx": b"1\n", "a.gen.py": b"1\n"}
    )
    head = commit(
        repository, {"app/[id]/page.tsx": b"2\n", "app/i/page.tsx": b"2\n", "a.gen.py": b"2\n"}
    )
    found = await read(repository, base, head, "**/*.gen.py", paths=("app/[id]/page.tsx",))
    assert [change.path for change in found.changes] == ["app/[id]/page.tsx"]
    assert found.left_out == ("a.gen.py",)


@pytest.mark.parametrize("named", ["web/yarn.lock", "./web/yarn.lock", "/web/yarn.lock"])
async def test_a_file_that_looks_generated_is_read_where_the_command_names_it(
    repository: Path, named: str
) -> None:
    base = commit(repository, {"web/a.js": b"1\n", "web/yarn.lock": b"1\n", "go.sum": b"1\n"})
    head = commit(repository, {"web/a.js": b"2\n", "web/yarn.lock": b"2\n", "go.sum": b"2\n"})
    found = await read(repository, base, head, paths=(named,))
    assert [change.path for change in found.changes] == ["web/yarn.lock"]
    assert found.generated == ("go.sum",)
    found = await read(repository, base, head, paths=("web/",))
    assert [change.path for change in found.changes] == ["web/a.js"]
    assert found.generated == ("go.sum", "web/yarn.lock")
    excluded = await read(repository, base, head, "*.lock", paths=(named,))
    assert (excluded.changes, excluded.left_out) == ((), ("web/yarn.lock",))


@pytest.mark.parametrize(
    ("changed", "paths", "reason"),
    [
        (("a.py", "go.sum"), ("b.py",), "no changed file matches the paths that were given"),
        (
            ("go.sum", "x.png"),
            (),
            f"every changed file {LOOKS} go.sum",
        ),
        (
            ("web/go.sum", "a.py"),
            ("web/",),
            f"every changed file that matches {LOOKS} web/go.sum",
        ),
        (("x.png", "docs/a.md"), (), "every changed file is binary or excluded"),
        (("docs/a.md",), ("docs/a.md",), "every changed file that matches is binary or excluded"),
        (("app/new", "a.py"), ("app/",), "no line is changed: app/new (new, empty)"),
        (
            ("app/new", "app/x.png", "b/new"),
            ("app/",),
            "no line is changed: app/new (new, empty); what else is changed is binary or excluded",
        ),
    ],
)
async def test_where_there_is_nothing_to_read_the_reason_is_true(
    repository: Path, changed: tuple[str, ...], paths: tuple[str, ...], reason: str
) -> None:
    base = commit(repository, {"README": b"x\n"})
    texts = {"png": b"\0\n", "new": b""}
    head = commit(repository, {path: texts.get(path[-3:], b"1\n") for path in changed})
    found = await read(repository, base, head, "docs/", paths=paths)
    assert found.changes == ()
    assert nothing_to_read(found, paths) == reason


async def test_a_very_large_file_costs_itself_and_little_time_of_this_process(
    repository: Path,
) -> None:
    base = commit(repository, {"a.py": b"x = 1\n"})
    large = b"".join(b'{"id": %d, "name": "generated"},\n' % n for n in range(300_000))
    head = commit(repository, {"a.py": b"x = 2\n", "large.json": large})
    began = time.process_time()
    found = await read(repository, base, head)
    assert time.process_time() - began < 1
    assert [change.path for change in found.changes] == ["a.py"]
    [(path, reason)] = found.unreadable
    assert (path, reason.startswith("its diff has 1")) == ("large.json", True)
    assert (await read(repository, base, head, "*.json")).unreadable == ()


async def test_claims_are_held_against_both_sides(repository: Path) -> None:
    base = commit(repository, {"old.py": LINES + b"guard(user)\n", "gone.py": b"def gone():\n"})
    git(repository, "mv", "old.py", "new.py")
    head = commit(repository, {"new.py": LINES, "gone.py": None})
    stated = [
        finding(path="/tmp/lease/new.py:9", evidence="8\tline 7"),
        finding(path="new.py", evidence="guard(user)", side="LEFT"),
        finding(path="gone.py", evidence="def gone():", side="LEFT"),
        finding(path="new.py", evidence="guard(user)"),
    ]
    found = await held(repository / ".git", base, head, stated, {"new.py": "old.py"})
    assert [(one.path, one.side, one.start_line) for one in found if isinstance(one, Finding)] == [
        ("new.py", "RIGHT", 8),
        ("new.py", "LEFT", 31),
        ("gone.py", "LEFT", 1),
    ]
    assert isinstance(found[3], DroppedFinding)
