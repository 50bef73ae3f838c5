"""Lists what an audit can read of one commit, from objects that are here: nothing is ever fetched for it.

Names are bytes to git. One that is not UTF-8 is left out and said so, since no agent could open it by its name.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from claude_pool_gh.audits import content_rules, path_rules
from claude_pool_gh.audits.model import SkippedFile, SkipReason, SourceFile
from claude_pool_gh.audits.reads import NOTHING_READ, Reads
from claude_pool_gh.audits.tokens import tokens_of
from claude_pool_gh.terms import patterns
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import git
from claude_pool_gh.worktrees.mirror import checked_commit

MOST_BYTES: Final = 2**20
"""Bytes of a file above which linguist does not look at it either."""
MOST_FILES: Final = 500_000
"""Files of a commit that are listed; a larger one is refused before anything is made of it."""
_AT_ONCE: Final = 24 * 2**20
"""Bytes of content that are held at a time."""
_SECONDS: Final = 300.0
_OFFLINE: Final = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
"""A mirror may lack contents that it could ask for: here it must not."""
_LINK, _SUBMODULE = b"120000", b"160000"
_ATTRIBUTES: Final = ("linguist-vendored", "linguist-generated")
_REASONS: Final = {
    "linguist-vendored": SkipReason.vendored,
    "linguist-generated": SkipReason.generated,
}
_UNSET: Final = ("unset", "false")
_SAID: Final = ("set", "true")


class TooManyFiles(ValueError):
    """A commit with more files than are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which of the files that could be read should be."""

    paths: tuple[str, ...] = ()
    """As the command names them; none: all."""
    within: tuple[str, ...] = ()
    """As the configuration names them; none: all."""
    exclude: tuple[str, ...] = ()
    read: Reads = NOTHING_READ
    """What need not be read again."""
    trusts_attributes: bool = True
    """Whether `.gitattributes` may hide what looks like source: not from an audit of security."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The files of one commit: what is read, and what is left out and why."""

    files: tuple[SourceFile, ...]
    skipped: tuple[SkippedFile, ...]
    total: int
    """Files, links and submodules of the commit, whatever becomes of them."""
    claimed: frozenset[str] = frozenset()
    """Paths of which `.gitattributes` says that they are neither vendored nor generated, whatever they look like."""

    @property
    def size(self) -> int:
        """Bytes of the files that are read."""
        return sum(each.size for each in self.files)


@dataclass(slots=True)
class _Entry:
    path: str
    blob: str
    size: int = -1


@dataclass(slots=True)
class _Sorting:
    """The files of a commit while they are sorted into read and left out."""

    kept: list[_Entry] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    folders: dict[str, SkippedFile | None] = field(default_factory=dict)
    """What is known of each folder: why nothing in it is read, or None."""
    counts: dict[str, int] = field(default_factory=dict)
    """Files below each folder of which nothing is read."""
    total: int = 0


async def list_files(git_dir: Path, commit: str, wanted: Wanted) -> Listing:
    """List a commit's files. Raises WorktreeError where it is not here, TooManyFiles where it has too many."""
    listed = await git(
        "ls-tree",
        "-r",
        "-z",
        "--full-tree",
        checked_commit(commit),
        git_dir=git_dir,
        environment=_OFFLINE,
        timeout=_SECONDS,
    )
    if (number := listed.count(b"\0")) > MOST_FILES:
        raise TooManyFiles(f"the commit has {number:,} files; at most {MOST_FILES:,} are listed")
    said = await _attributes(git_dir, commit, listed)
    sorting = await asyncio.to_thread(_by_path, listed, wanted, said)
    del listed
    await _measure(git_dir, sorting.kept)
    files, by_size = _by_size(sorting.kept)
    skipped = [*sorting.skipped, *by_size]
    skipped += [
        SkippedFile(
            path=f"{folder}/", reason=why.reason, detail=why.detail, files=sorting.counts[folder]
        )
        for folder, why in sorting.folders.items()
        if why is not None and sorting.counts.get(folder)
    ]
    return Listing(
        files=tuple(sorted(files, key=lambda each: each.path)),
        skipped=tuple(sorted(skipped, key=lambda each: each.path)),
        total=sorting.total,
        claimed=frozenset(
            path for path, named in said.items() if any(each in _UNSET for each in named.values())
        ),
    )


async def sift(
    git_dir: Path, files: Sequence[SourceFile], claimed: frozenset[str] = frozenset()
) -> tuple[list[SourceFile], list[SkippedFile]]:
    """Look at the content of files: those that people wrote, with better estimates, and those that are left out."""
    kept: list[SourceFile] = []
    skipped: list[SkippedFile] = []
    for some in _batches(files):
        contents = await _contents(git_dir, [each.blob for each in some])
        read, left = await asyncio.to_thread(_by_content, some, contents, claimed)
        kept += read
        skipped += left
    return kept, skipped


# ---- by path


def _by_path(listed: bytes, wanted: Wanted, said: Mapping[str, Mapping[str, str]]) -> _Sorting:
    sorting = _Sorting()
    for line in listed.split(b"\0"):
        meta, _, name = line.partition(b"\t")
        if not name:
            continue
        sorting.total += 1
        mode, _, blob = meta.split(b" ")
        try:
            path = name.decode()
        except UnicodeDecodeError:
            shown = name.decode(errors="backslashreplace")
            sorting.skipped.append(SkippedFile(path=shown, reason=SkipReason.odd_name))
            continue
        if not _is_wanted(path, wanted):
            continue
        if mode in (_LINK, _SUBMODULE):
            reason = SkipReason.link if mode == _LINK else SkipReason.submodule
            sorting.skipped.append(SkippedFile(path=path, reason=reason))
        else:
            _sort(sorting, _Entry(path, blob.decode()), wanted, said.get(path, {}))
    return sorting


def _is_wanted(path: str, wanted: Wanted) -> bool:
    """True where the audit is about a file at all; what it is not about is not even named as left out."""
    if wanted.paths and not any(patterns.names(each, path) for each in wanted.paths):
        return False
    return not wanted.within or any(patterns.names(each, path) for each in wanted.within)


def _sort(sorting: _Sorting, entry: _Entry, wanted: Wanted, said: Mapping[str, str]) -> None:
    path = entry.path
    pattern = next((each for each in wanted.exclude if patterns.matches(each, path)), None)
    if pattern is not None:
        detail = f"the configuration excludes {pattern}"
        sorting.skipped.append(SkippedFile(path=path, reason=SkipReason.excluded, detail=detail))
        return
    back_in = any(value in _UNSET for value in said.values())
    folder, _, name = path.rpartition("/")
    if folder and not back_in and (at := _left_out_folder(sorting, folder)) is not None:
        sorting.counts[at] = sorting.counts.get(at, 0) + 1
        return
    why = None if back_in else path_rules.of_file(name)
    if why is not None:
        sorting.skipped.append(SkippedFile(path=path, reason=why[0], detail=why[1]))
    elif wanted.read.have(path, entry.blob):
        sorting.skipped.append(SkippedFile(path=path, reason=SkipReason.unchanged))
    elif (attribute := _hidden_by(said)) and wanted.trusts_attributes:
        detail = f".gitattributes says {attribute}"
        sorting.skipped.append(
            SkippedFile(path=path, reason=_REASONS[attribute], detail=detail, overridden=True)
        )
    else:
        sorting.kept.append(entry)


def _hidden_by(said: Mapping[str, str]) -> str:
    return next((name for name, value in said.items() if value in _SAID), "")


def _left_out_folder(sorting: _Sorting, folder: str) -> str | None:
    """The folder at or above this one of which nothing is read; each folder is judged once."""
    parts = folder.split("/")
    for depth in range(1, len(parts) + 1):
        own = "/".join(parts[:depth])
        if own not in sorting.folders:
            why = path_rules.of_folder(own)
            sorting.folders[own] = (
                None if why is None else SkippedFile(path=own, reason=why[0], detail=why[1])
            )
        if sorting.folders[own] is not None:
            return own
    return None


# ---- what .gitattributes says


async def _attributes(git_dir: Path, commit: str, listed: bytes) -> Mapping[str, Mapping[str, str]]:
    """By path, what `.gitattributes` files say of linguist's attributes; only paths of which anything is said."""
    own = [
        meta.split(b" ")[2].decode()
        for line in listed.split(b"\0")
        for meta, _, name in [line.partition(b"\t")]
        if name == b".gitattributes" or name.endswith(b"/.gitattributes")
    ]
    texts = (await _contents(git_dir, own)).values() if own else ()
    if not any(b"linguist-" in text for text in texts):
        return {}
    with tempfile.TemporaryDirectory(prefix="audit-index-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")} | _OFFLINE
        await git(
            "read-tree",
            checked_commit(commit),
            git_dir=git_dir,
            environment=index,
            timeout=_SECONDS,
        )
        names = b"".join(line.partition(b"\t")[2] + b"\0" for line in listed.split(b"\0") if line)
        out = await git(
            "check-attr",
            "--cached",
            "--stdin",
            "-z",
            *_ATTRIBUTES,
            git_dir=git_dir,
            environment=index,
            stdin=names,
            timeout=_SECONDS,
        )
    said: dict[str, dict[str, str]] = {}
    parts = iter(out.split(b"\0"))
    for path, name, value in zip(parts, parts, parts, strict=False):
        if value != b"unspecified":
            said.setdefault(path.decode(errors="surrogateescape"), {})[name.decode()] = (
                value.decode(errors="replace")
            )
    return said


# ---- by size and content


async def _measure(git_dir: Path, entries: Sequence[_Entry]) -> None:
    """Note the size of each file; -1 stays where the content is not here."""
    if not entries:
        return
    asked, out = await _cat(
        git_dir, "--batch-check", list(dict.fromkeys(each.blob for each in entries))
    )
    lines = out.decode().splitlines()
    sizes = {
        blob: int(line) if line.isdecimal() else -1 for blob, line in zip(asked, lines, strict=True)
    }
    for each in entries:
        each.size = sizes.get(each.blob, -1)


def _by_size(entries: Sequence[_Entry]) -> tuple[list[SourceFile], list[SkippedFile]]:
    skipped: list[SkippedFile] = []
    small: list[SourceFile] = []
    for each in entries:
        if each.size < 0:
            skipped.append(SkippedFile(path=each.path, reason=SkipReason.missing))
        elif each.size == 0:
            skipped.append(SkippedFile(path=each.path, reason=SkipReason.empty))
        elif each.size > MOST_BYTES:
            detail = f"{each.size:,} bytes"
            skipped.append(SkippedFile(path=each.path, reason=SkipReason.too_large, detail=detail))
        else:
            tokens = tokens_of(each.path, each.size)
            small.append(SourceFile(path=each.path, blob=each.blob, size=each.size, tokens=tokens))
    return small, skipped


def _batches(entries: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    some: list[SourceFile] = []
    size = 0
    for each in entries:
        if some and size + each.size > _AT_ONCE:
            yield some
            some, size = [], 0
        some.append(each)
        size += each.size
    if some:
        yield some


async def _contents(git_dir: Path, blobs: Sequence[str]) -> dict[str, bytes]:
    """Contents by their ids; those that are not here are left out."""
    if not blobs:
        return {}
    asked, out = await _cat(git_dir, "--batch", list(dict.fromkeys(blobs)))
    found: dict[str, bytes] = {}
    at = 0
    for blob in asked:
        end = out.index(b"\n", at)
        said, at = out[at:end], end + 1
        if said.isdigit():
            found[blob] = out[at : at + int(said)]
            at += int(said) + 1
    return found


async def _cat(git_dir: Path, how: str, blobs: list[str]) -> tuple[list[str], bytes]:
    """The answer of `git cat-file` on contents, in their order: all, or those that are here. Raises WorktreeError.

    In a partial clone it stops at the first that it would have to fetch.
    """
    try:
        return blobs, await _ask(git_dir, f"{how}=%(objectsize)", blobs)
    except WorktreeError:
        every = await _ask(git_dir, "--batch-check=%(objectname)", [], "--batch-all-objects")
        here = frozenset(every.decode().split())
        own = [blob for blob in blobs if blob in here]
        if len(own) == len(blobs):
            raise
        return own, await _ask(git_dir, f"{how}=%(objectsize)", own) if own else b""


async def _ask(git_dir: Path, how: str, blobs: Sequence[str], *more: str) -> bytes:
    return await git(
        "-c",
        "core.deltaBaseCacheLimit=128m",  # long chains of deltas are else resolved again and again
        "cat-file",
        how,
        "--buffer",
        *more,
        git_dir=git_dir,
        environment=_OFFLINE,
        stdin="\n".join([*blobs, ""]).encode(),
        timeout=_SECONDS,
    )


def _by_content(
    entries: Sequence[SourceFile], contents: Mapping[str, bytes], claimed: frozenset[str]
) -> tuple[list[SourceFile], list[SkippedFile]]:
    files: list[SourceFile] = []
    skipped: list[SkippedFile] = []
    for each in entries:
        if (content := contents.get(each.blob)) is None:
            skipped.append(SkippedFile(path=each.path, reason=SkipReason.missing))
            continue
        why = content_rules.of_content(each.path, content)
        if why is None or (each.path in claimed and why[0] is SkipReason.generated):
            tokens = tokens_of(each.path, each.size, content)
            files.append(replace(each, tokens=tokens))
        else:
            skipped.append(SkippedFile(path=each.path, reason=why[0], detail=why[1]))
    return files, skipped
