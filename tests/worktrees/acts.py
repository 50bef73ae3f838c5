"""What a hostile agent can do to its files so that something of it is there for the next run."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

Act = Callable[[Path, Path], None]
"""Does it to the first folder; the second lies outside."""


def same_size_and_time(tree: Path, _: Path) -> None:
    file = tree / "src" / "a.py"
    before, content = file.stat(), file.read_bytes()
    file.write_bytes(content.swapcase())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def store_through_memory(tree: Path, _: Path) -> None:
    file = tree / "data.bin"
    before = file.stat()
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as pages:
        first = pages[0]
        pages[0] = first ^ 1
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced_by_rename(tree: Path, _: Path) -> None:
    (tree / "new").write_text("print('b')\n")
    (tree / "new").rename(tree / "src" / "b.py")


def swapped_files(tree: Path, outside: Path) -> None:
    a, b = tree / "src" / "a.py", tree / "src" / "b.py"
    a.rename(outside / "aside")
    b.rename(a)
    (outside / "aside").rename(b)


def git_folder_at_the_top(tree: Path, _: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tree)], check=True)


def git_folder_in_a_folder(tree: Path, _: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tree / "src")], check=True)


def git_file(tree: Path, outside: Path) -> None:
    (tree / ".git").write_text(f"gitdir: {outside}\n")


def named_pipe(tree: Path, _: Path) -> None:
    os.mkfifo(tree / "src" / "pipe")


def mode_of_a_file(tree: Path, _: Path) -> None:
    (tree / "README.md").chmod(0o666)


def set_user_id(tree: Path, _: Path) -> None:
    (tree / "run.sh").chmod(0o4755)


def mode_of_a_folder(tree: Path, _: Path) -> None:
    (tree / "src").chmod(0o777)


def folder_without_rights(tree: Path, _: Path) -> None:
    (tree / "src").chmod(0)


def file_without_rights(tree: Path, _: Path) -> None:
    (tree / "README.md").chmod(0)


def hard_link_out(tree: Path, outside: Path) -> None:
    os.link(tree / "src" / "a.py", outside / "a.py")


def hard_link_in(tree: Path, outside: Path) -> None:
    (outside / "theirs").write_text("x")
    os.link(outside / "theirs", tree / "theirs")


def attribute(tree: Path, _: Path) -> None:
    os.setxattr(tree / "src", "user.mark", b"1")


def attribute_of_a_file(tree: Path, _: Path) -> None:
    os.setxattr(tree / "README.md", "user.mark", b"1")


def ignored_files(tree: Path, _: Path) -> None:
    (tree / ".gitignore").write_text("*\n")
    (tree / "ignored.o").write_text("x")
    (tree / "empty").mkdir()


def attributes_of_git(tree: Path, _: Path) -> None:
    (tree / ".gitattributes").write_text("* eol=crlf working-tree-encoding=UTF-16\n")


def odd_names(tree: Path, _: Path) -> None:
    for name in (b"\xff\xfe", b"new\nline", b'quo"te', b"-rf", b" "):
        (tree / os.fsdecode(name)).write_text("x")


def file_to_link(tree: Path, outside: Path) -> None:
    (outside / "target").write_text("x")
    (tree / "README.md").unlink()
    (tree / "README.md").symlink_to(outside / "target")


def folder_to_link(tree: Path, outside: Path) -> None:
    shutil.copytree(tree / "src", outside / "src")
    shutil.rmtree(tree / "src")
    (tree / "src").symlink_to(outside / "src")


def file_to_folder(tree: Path, _: Path) -> None:
    (tree / "README.md").unlink()
    (tree / "README.md").mkdir()
    (tree / "README.md" / "inside").write_text("x")


def folder_to_file(tree: Path, _: Path) -> None:
    shutil.rmtree(tree / "src")
    (tree / "src").write_text("x")


def target_of_a_link(tree: Path, _: Path) -> None:
    (tree / "link").unlink()
    (tree / "link").symlink_to("crlf.txt")


def folder_made_anew(tree: Path, _: Path) -> None:
    shutil.copytree(tree / "src", tree / "copy")
    shutil.rmtree(tree / "src")
    (tree / "copy").rename(tree / "src")


def everything_deleted(tree: Path, _: Path) -> None:
    for path in tree.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def three_thousand_folders(tree: Path, _: Path) -> None:
    here = os.open(tree, os.O_RDONLY)
    for _number in range(3000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def replaced_by_a_link(tree: Path, outside: Path) -> None:
    shutil.copytree(tree, outside / "tree", symlinks=True)
    tree.rename(tree.parent / "aside")
    tree.symlink_to(outside / "tree")


def replaced_by_a_copy(tree: Path, _: Path) -> None:
    shutil.copytree(tree, tree.parent / "copy", symlinks=True)
    shutil.rmtree(tree)
    (tree.parent / "copy").rename(tree)


ACTS: list[Act] = [
    same_size_and_time,
    store_through_memory,
    replaced_by_rename,
    swapped_files,
    git_folder_at_the_top,
    git_folder_in_a_folder,
    git_file,
    named_pipe,
    mode_of_a_file,
    set_user_id,
    mode_of_a_folder,
    folder_without_rights,
    file_without_rights,
    hard_link_out,
    hard_link_in,
    attribute,
    attribute_of_a_file,
    ignored_files,
    attributes_of_git,
    odd_names,
    file_to_link,
    folder_to_link,
    file_to_folder,
    folder_to_file,
    target_of_a_link,
    folder_made_anew,
    everything_deleted,
    three_thousand_folders,
    replaced_by_a_link,
    replaced_by_a_copy,
]
