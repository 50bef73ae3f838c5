"""Patches that nobody should be asked about, as git itself writes them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from claude_pool_gh.conversation.changes import patches
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.reports.changes import files_of
from claude_pool_gh.reports.redact import Redactor
from claude_pool_gh.reports.views import Suspect
from tests.reports.patches import Tree, patch

KEY = "sk-ant-api03-" + "Zx9Kq2Lm" * 6
OWN = "correct-horse-battery-staple-42"
HARMLESS = (
    b"mode 160000\nnew file mode 160000\nindex 1111111..2222222 120000\n"
    b"++ not a header\n-- neither\n@@ -1 +1 @@\n"
)


def look(text: bytes, most_files: int = 50, most_lines: int = 2_000) -> None:
    is_ours = Redactor([OWN]).holds
    patches.check(
        text, files_of(text), most_files=most_files, most_lines=most_lines, is_ours=is_ours
    )


@pytest.mark.parametrize(
    "target", ["../x", "./../../etc", "a/../../../x", "..", "/etc/passwd", "b.txt"]
)
def test_a_link_is_refused_wherever_it_leads(tmp_path: Path, target: str) -> None:
    with pytest.raises(StepFailed, match="symbolic link"):
        look(patch(tmp_path, {"b.txt": b"b\n"}, {"b.txt": b"b\n", "way": target}))


def test_a_link_that_is_there_may_not_be_turned_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="symbolic link"):
        look(patch(tmp_path, {"way": "a"}, {"way": "/etc"}))


def test_a_link_may_be_taken_away(tmp_path: Path) -> None:
    look(patch(tmp_path, {"way": "a", "b": b"b\n"}, {"b": b"b\n"}))


@pytest.mark.parametrize("before", ["", "1" * 40])
def test_a_submodule_may_be_neither_added_nor_moved(tmp_path: Path, before: str) -> None:
    def git(*arguments: str) -> bytes:
        named = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(tmp_path)}
        run = subprocess.run(
            ["git", *named, *arguments],
            cwd=tmp_path,
            env=environment,
            check=True,
            capture_output=True,
        )
        return run.stdout

    git("init", "-q")
    for commit in filter(None, (before, "2" * 40)):
        git("update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
        git("commit", "-q", "--allow-empty", "-m", "x")
    text = git("diff", "HEAD~1", "HEAD") if before else git("show", "--format=", "HEAD")
    assert b"160000" in text
    with pytest.raises(StepFailed, match="submodule"):
        look(text)


def test_a_file_that_only_writes_of_such_things_is_none(tmp_path: Path) -> None:
    look(patch(tmp_path, {"notes.txt": b"x\n"}, {"notes.txt": b"x\n" + HARMLESS}))


@pytest.mark.parametrize(
    "trees",
    [
        ({}, {"a.py": f"key = '{KEY}'\n".encode()}),
        ({}, {"a.txt": f"++ {KEY}\n".encode()}),
        ({}, {"a.txt": f"++{KEY}\n".encode()}),
        ({}, {f"{KEY}.txt": b"x\n"}),
    ],
    ids=["plain", "like a header", "after two signs", "as a name"],
)
def test_a_secret_is_seen_wherever_it_is_added(tmp_path: Path, trees: tuple[Tree, Tree]) -> None:
    with pytest.raises(StepFailed, match="looks like a secret"):
        look(patch(tmp_path, *trees))


def test_what_was_there_already_is_nobodys_fault_now(tmp_path: Path) -> None:
    old = f"key = '{KEY}'\n".encode()
    look(patch(tmp_path, {"a.py": old + b"x\n"}, {"a.py": old + b"y\n"}))


def test_a_random_token_is_no_reason_to_refuse_but_is_named_with_its_place(tmp_path: Path) -> None:
    token = "tZ8kQ2vN6xB4mW9cJ1hL7pR3sD5fG0yU"
    before = {"a.py": b"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "b": f"x = '{token}'\n".encode()}
    after = {
        "a.py": f"0\n1\n2\n3\n4\n5\n6\n7\n8\nx = '{token}'\n9\n".encode(),
        "b": before["b"] + b"y\n",
        "new/b.txt": f"{token}\n".encode(),
    }
    text = patch(tmp_path, before, after)
    look(text)
    assert patches.suspects(text) == (
        Suspect("a.py", 10, "tZ8k", 32),
        Suspect("new/b.txt", 1, "tZ8k", 32),
    )


@pytest.mark.parametrize(
    "line",
    [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a@b",
        "pay 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
        "x=data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYA0lEQVR42mNk",
    ],
)
def test_what_is_public_by_its_form_is_not_even_named(tmp_path: Path, line: str) -> None:
    text = patch(tmp_path, {}, {"a": f"{line}\n".encode()})
    look(text)
    assert patches.suspects(text) == ()


def test_a_key_of_this_server_is_known_by_itself(tmp_path: Path) -> None:
    text = patch(tmp_path, {}, {"a.py": f"x = '{OWN[::-1]}'\n".encode()})
    with pytest.raises(StepFailed, match="a key of this server"):
        look(text)
    patches.check(text, files_of(text), most_files=1, most_lines=1)  # without that guard it passes


def test_the_sizes_are_the_configurations(tmp_path: Path) -> None:
    text = patch(tmp_path, {}, {"a": b"1\n2\n", "b": b"1\n"})
    look(text, most_files=2, most_lines=3)
    with pytest.raises(StepFailed, match=r"touches 2 files; `changes.most_files` allows 1"):
        look(text, most_files=1)
    with pytest.raises(StepFailed, match=r"is 3 lines; `changes.most_lines` allows 2"):
        look(text, most_lines=2)
