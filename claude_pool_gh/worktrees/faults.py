"""Faults of objects in a repository's history: which of them a fetch tolerates, by git's own names (`git help fsck`).

Early versions of git, converters from other systems and other implementations wrote objects that git complains of
today, and GitHub serves them. A fetch checks strictly (`index-pack --strict`, where a warning counts as an error), so
one such object, however old, would make the whole repository unreadable.
"""

from __future__ import annotations

import re
from typing import Final

TOLERATED: Final = (
    # Names, addresses and dates of commits and tags. They are shown as text, if at all.
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "zeroPaddedDate",
    "multipleAuthors",
    # Form of commits and tags. Nothing of it decides what a tree contains.
    "nulInCommit",
    "badGpgsig",
    "badHeaderContinuation",
    "badTagName",
    "missingTaggerEntry",
    "extraHeaderEntry",
    # Modes of files: git reads only the bits that it knows.
    "zeroPaddedFilemode",
    "badFilemode",
    # Entries of trees that no check-out can write outside its folder: git checks each path once more when it writes.
    "fullPathname",
    "nullSha1",
    # Trees that can be read in two ways. In history they do no harm; what is checked out is looked at in `trees`.
    "duplicateEntries",
    "treeNotSorted",
    # Sizes and link targets that newer versions of git handle, or no longer complain of.
    "gitattributesLineLength",
    "symlinkTargetLength",
    "symlinkPointsToGitDir",
    "gitmodulesParse",
    "gitignoreSymlink",
    "gitattributesSymlink",
    "mailmapSymlink",
)
"""Not in this list, and so refused: names that git takes for its own directory (`hasDotgit`, `hasDot`, `hasDotdot`,
`emptyName`), everything about `.gitmodules` that has been used for attacks, and objects without a form (`badTree`,
`missingTree`, `nulInHeader`, ...). GitHub refuses to take those itself."""

_FAULTY: Final = re.compile(r"\bobject ([0-9a-f]{7,64}): (\w+):")


def named(err: str) -> str:
    """The fault that a fetch failed for, by object and git's name; "" where it failed for something else."""
    found = _FAULTY.search(err)
    return f"object {found[1][:12]}: {found[2]}" if found else ""
