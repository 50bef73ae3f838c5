"""One bare repository on disk, spoken to through git's plumbing."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ZERO = "0" * 40
READING = {
    "cat-file",
    "diff",
    "diff-tree",
    "log",
    "ls-tree",
    "merge-base",
    "merge-tree",
    "rev-list",
    "rev-parse",
}
OBJECT = re.compile(r"[0-9a-f]{40}(?:\^\{(?:commit|tree)\}|\.\.[0-9a-f]{40}|:.*)?", re.DOTALL)
MAY_WORKFLOWS = "SIMULATED_MAY_WRITE_WORKFLOWS"

# An App without the `workflows` permission may push anything but workflow files.
PRE_RECEIVE = f"""#!/bin/sh
[ "${MAY_WORKFLOWS}" = no ] || exit 0
while read -r old new ref; do
    case "$new" in *[!0]*) ;; *) continue ;; esac
    found=$(git log --name-only --format= "$new" --not --all -- .github/workflows | head -n 1)
    if [ -n "$found" ]; then
        echo "refusing to allow a GitHub App to create or update workflow \\`$found\\`" \\
            "without \\`workflows\\` permission"
        exit 1
    fi
done
"""


class GitError(Exception):
    """A git command that should have worked did not."""


@dataclass(frozen=True, slots=True)
class Executable:
    """A file with its executable bit set."""

    data: bytes | str


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link."""

    target: str


Content = str | bytes | Executable | Symlink
Files = Mapping[str, Content | None]


@dataclass(frozen=True, slots=True)
class Signature:
    """The author or committer of a commit, with the time."""

    name: str
    email: str
    at: float

    def line(self) -> bytes:
        """The form git wants."""
        return f"{self.name} <{self.email}> {int(self.at)} +0000".encode()


def environment(home: Path) -> dict[str, str]:
    """A process environment in which only the bare repository's own configuration counts."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }


@dataclass(frozen=True, slots=True)
class GitDir:
    """The bare repository under `path`."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> GitDir:
        """Make an empty one that serves what GitHub's would."""
        path.mkdir(parents=True)
        git = cls(path)
        git.run("init", "--quiet", "--bare", "--template=", "--initial-branch=main", ".")
        git._settle()
        return git

    def copy(self, path: Path) -> GitDir:
        """Make another one with the same branches and tags."""
        path.parent.mkdir(parents=True, exist_ok=True)
        other = ("refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*")
        git = GitDir.create(path)
        git.run("fetch", "--quiet", str(self.path), *other)
        return git

    def _settle(self) -> None:
        settings = (
            "[http]\n\treceivepack = true\n"
            "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n"
            "[receive]\n\thideRefs = refs/pull\n"
            "[gc]\n\tauto = 0\n"
            "[core]\n\tquotePath = false\n"
        )
        with (self.path / "config").open("a") as config:
            config.write(settings)
        hook = self.path / "hooks" / "pre-receive"
        hook.parent.mkdir()
        hook.write_text(PRE_RECEIVE)
        hook.chmod(0o755)

    def run(self, *arguments: str, data: bytes | None = None) -> bytes:
        """Run one git command here and return what it printed."""
        return (
            _answered(self.path, arguments)
            if _is_fixed(arguments)
            else _git(self.path, arguments, data)
        )

    def text(self, *arguments: str) -> str:
        """Run one git command and return its output as one stripped line or text."""
        return self.run(*arguments).decode(errors="replace").strip()

    def resolve(self, name: str) -> str | None:
        """The commit that a branch, tag or id names, or None."""
        full = re.fullmatch(r"[0-9a-f]{40}", name)
        with suppress(OSError, ValueError):  # as git writes a branch: to start git takes longer
            found = (self.path / "refs" / "heads" / name).read_text("ascii").strip()
            if not full and re.fullmatch(r"[0-9a-f]{40}", found):
                return found
        for candidate in (name,) if full else (f"refs/heads/{name}", f"refs/tags/{name}", name):
            try:
                return self.text(
                    "rev-parse", "--verify", "--quiet", "--end-of-options", candidate + "^{commit}"
                )
            except GitError:
                continue
        return None

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """Every ref below the prefix with the object it names."""
        lines = self.text("for-each-ref", "--format=%(objectname) %(refname)", prefix).splitlines()
        return {name: sha for sha, _, name in (line.partition(" ") for line in lines)}

    def set_ref(self, ref: str, sha: str | None) -> None:
        """Point a ref at a commit, or remove it."""
        if sha is None:
            self.run("update-ref", "-d", ref)
        else:
            self.run("update-ref", ref, sha)

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor of two commits."""
        try:
            return self.text("merge-base", one, other) or None
        except GitError:
            return None

    def commit(
        self,
        branch: str,
        files: Files,
        *,
        parent: str | None,
        message: str,
        author: Signature,
        committer: Signature,
    ) -> str:
        """Put one commit on a branch: the parent's tree with these changes."""
        stream = [
            f"commit refs/heads/{branch}\nmark :1\n".encode(),
            b"author " + author.line() + b"\ncommitter " + committer.line() + b"\n",
            _data(message.encode()),
            f"from {parent}\n".encode() if parent else b"",
            *(_change(path, content) for path, content in files.items()),
            b"\nget-mark :1\n",
        ]
        return self.run("fast-import", "--quiet", "--force", data=b"".join(stream)).decode().strip()

    def commit_tree(
        self, tree: str, *, parents: tuple[str, ...], message: str, who: Signature
    ) -> str:
        """Make a commit out of a tree, on no branch."""
        lines = [b"tree " + tree.encode(), *(b"parent " + parent.encode() for parent in parents)]
        lines += [b"author " + who.line(), b"committer " + who.line(), b"", message.encode(), b""]
        return (
            self.run("hash-object", "-t", "commit", "-w", "--stdin", data=b"\n".join(lines))
            .decode()
            .strip()
        )

    def merge_tree(self, ours: str, theirs: str) -> str | None:
        """The tree that merging two commits gives, or None where they conflict."""
        try:
            return self.text("merge-tree", "--write-tree", ours, theirs).splitlines()[0]
        except GitError:
            return None


def _git(path: Path, arguments: tuple[str, ...], data: bytes | None = None) -> bytes:
    done = subprocess.run(
        ["git", "-C", str(path), *arguments],
        input=data if data is not None else b"",
        capture_output=True,
        env=environment(path),
        check=False,
    )
    if done.returncode:
        raise GitError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


@lru_cache(maxsize=4096)
def _answered(path: Path, arguments: tuple[str, ...]) -> bytes:
    """An answer of git that is kept: every request of a client asks the same things of the same commits."""
    return _git(path, arguments)


def _is_fixed(arguments: tuple[str, ...]) -> bool:
    """True if only objects are asked for, by their ids: the answer never changes."""
    command, *rest = arguments
    before_paths = rest[: rest.index("--")] if "--" in rest else rest
    named = [each for each in before_paths if not each.startswith("-")]
    return command in READING and bool(named) and all(map(OBJECT.fullmatch, named))


def _data(data: bytes) -> bytes:
    return f"data {len(data)}\n".encode() + data + b"\n"


def _change(path: str, content: Content | None) -> bytes:
    quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if content is None:
        return f"D {quoted}\n".encode()
    mode, data = "100644", content
    if isinstance(content, Symlink):
        mode, data = "120000", content.target
    elif isinstance(content, Executable):
        mode, data = "100755", content.data
    raw = data.encode() if isinstance(data, str) else data
    assert isinstance(raw, bytes)  # noqa: S101  (narrowing for the type checker)
    return f"M {mode} inline {quoted}\n".encode() + _data(raw)
