"""Text files of the default branch, all of one commit. Never called with a pull request's head.

What a query has listed is known without another request: a folder whose entries were listed holds
nothing else. The folder of the repository's own recipes is read whole, with one query, when one of its
files is asked for. REST reads a single file where GraphQL does not tell: a symbolic link, which REST
follows; a text that is not UTF-8; one that is cut; and everything, where the query was refused or its
answer has another form, as on an older server.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal

from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.client import checked
from claude_pool_gh.github.errors import ForgeRefused, NotFound, Unreadable
from claude_pool_gh.terms.ids import Repository

logger = logging.getLogger(__name__)

RECIPES: Final = ".github/claude-pool"
"""The folder in which a repository has recipes of its own."""
_FILE_LIMIT: Final = 256 * 1024
_LINK: Final = 0o120000
_BLOB: Final = "... on Blob { oid byteSize isBinary isTruncated text }"
FOLDER: Final = f"""
query TrustedFolder($owner: String!, $name: String!, $commit: GitObjectID!, $path: String!) {{
  repository(owner: $owner, name: $name) {{
    object(oid: $commit) {{
      __typename
      ... on Commit {{
        file(path: $path) {{
          object {{
            __typename
            ... on Tree {{
              entries {{
                name type mode
                object {{
                  __typename
                  {_BLOB}
                  ... on Tree {{
                    entries {{
                      name type mode
                      object {{
                        __typename
                        {_BLOB}
                        ... on Tree {{
                          entries {{ name type mode object {{ __typename {_BLOB} }} }}
                        }}
                      }}
                    }}
                  }}
                }}
              }}
            }}
          }}
        }}
      }}
    }}
  }}
}}
"""
"""A folder with the text of its files, down to `skills/NAME/SKILL.md`."""


@dataclass(frozen=True, slots=True)
class TrustedFile:
    """A file of the default branch, with the id of its content."""

    path: str
    text: str
    blob: str


class Listed(Enum):
    """The entry of a path in a listing, beside the file itself."""

    absent = "absent"
    unread = "unread"
    """It is there, or may be, and its text was not told."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a commit that queries have told of: folders with all their entries, and files with their texts."""

    folders: Mapping[str, Mapping[str, str]]
    """Folder (`""` the root) -> path of an entry -> `blob`, `tree`, `commit` or `link`."""
    files: Mapping[str, TrustedFile | None]
    """None: there is no text file of a size that is read."""

    def __or__(self, other: Listing) -> Listing:
        return Listing({**self.folders, **other.folders}, {**self.files, **other.files})

    def look(self, path: str) -> TrustedFile | Listed:
        """A file, that it is not there, or that this listing does not know."""
        if path in self.files:
            return self.files[path] or Listed.absent
        above = path
        while above:
            folder = above.rpartition("/")[0]
            if folder in self.folders:
                return Listed.unread if above in self.folders[folder] else Listed.absent
            above = folder
        return Listed.unread


NOTHING_LISTED: Final = Listing({}, {})


class TrustedFiles:
    """The files of a default branch, as one command sees them."""

    def __init__(
        self,
        forge: Forge,
        repository: Repository,
        *,
        branch: str,
        commit: str = "",
        listing: Listing = NOTHING_LISTED,
    ) -> None:
        """Take what is known already. `commit`: "" where only the branch's name is known."""
        self._forge, self._repository = forge, repository
        self.branch, self.commit, self._listing = branch, commit, listing
        self._lock, self._is_refused = asyncio.Lock(), False

    async def file(self, path: str) -> TrustedFile | None:
        """A text file; None when there is none. Raises ForgeError."""
        if (found := self._listing.look(path)) is Listed.unread and path.startswith(f"{RECIPES}/"):
            await self._read_recipes()
            found = self._listing.look(path)
        match found:
            case TrustedFile():
                return found
            case Listed.absent:
                return None
            case Listed.unread:
                at = self.commit or self.branch
                return await trusted_file(self._forge, self._repository, at, path)

    async def names(self, folder: str) -> list[str]:
        """The paths of the files directly in a folder, if there is one. Raises ForgeError."""
        if self._listing.look(folder) is Listed.absent:
            return []
        listed = self._listing.folders.get(folder)
        if listed is None:
            return await names_in(self._forge, self._repository, self.commit or self.branch, folder)
        return [path for path, kind in listed.items() if kind == "blob"]

    async def _read_recipes(self) -> None:
        """Read the recipes' folder whole, once; where that fails for good, its files are read singly."""
        async with self._lock:
            known, above = self._listing.folders, self._listing.folders.get(".github", {})
            if self._is_refused or RECIPES in known or above.get(RECIPES) != "tree":
                return
            try:
                self._listing |= await _folder(self._forge, self._repository, self.commit, RECIPES)
            except (ForgeRefused, Unreadable) as why:
                logger.warning("recipes are read singly: %s", why, extra={"action": "read_by_rest"})
                self._is_refused = True


@checked
async def _folder(forge: Forge, repository: Repository, commit: str, path: str) -> Listing:
    answer = await forge.ask(
        repository, FOLDER, owner=repository.owner, name=repository.name, commit=commit, path=path
    )
    return listing_of(path, answer["repository"]["object"]["file"]["object"])


def listing_of(folder: str, tree: Any) -> Listing:
    """The listing in a tree of an answer, with all trees below whose entries were asked for. Pure."""
    folders: dict[str, dict[str, str]] = {}
    files: dict[str, TrustedFile | None] = {}
    for path, entry in _entries(folder, tree, folders):
        blob = entry.get("object") or {}
        if _kind(entry) == "blob" and (known := file_of(path, blob)) is not Listed.unread:
            files[path] = known
    return Listing(folders, files)


def _entries(
    folder: str, tree: Any, folders: dict[str, dict[str, str]]
) -> Iterator[tuple[str, Any]]:
    """Every entry with its path; notes each folder that is listed whole."""
    own = folders.setdefault(folder, {})
    for entry in tree["entries"] or ():
        path = f"{folder}/{entry['name']}".lstrip("/")
        own[path] = _kind(entry)
        yield path, entry
        below = entry.get("object") or {}
        if own[path] == "tree" and "entries" in below:
            yield from _entries(path, below, folders)


def _kind(entry: Any) -> str:
    return "link" if is_link(entry) else str(entry["type"])


def is_link(entry: Any) -> bool:
    """True where an entry of a tree is a symbolic link. Pure."""
    return int(entry["mode"]) == _LINK


def file_of(path: str, blob: Any) -> TrustedFile | Literal[Listed.unread] | None:
    """The text file that a blob is; None: too large; unread: only REST tells. Pure."""
    if "byteSize" not in blob:
        return Listed.unread
    if int(blob["byteSize"]) > _FILE_LIMIT:
        return None
    if blob["isTruncated"] or blob["text"] is None:
        return Listed.unread
    return TrustedFile(path, str(blob["text"]), str(blob["oid"]))


@checked
async def trusted_file(
    forge: Forge, repository: Repository, at: str | None, path: str
) -> TrustedFile | None:
    """A text file by REST, at a commit or a branch (None: the default one); None: there is none."""
    where = "/".join(segment(part) for part in path.split("/"))
    try:
        answer = await forge.read(repository, f"/contents/{where}", ref=at)
    except NotFound:
        return None
    is_file = isinstance(answer, dict) and answer.get("type") == "file"
    if not is_file or answer.get("size", 0) > _FILE_LIMIT:
        return None
    text = base64.b64decode(answer.get("content") or "").decode(errors="replace")
    return TrustedFile(path, text, str(answer["sha"]))


@checked
async def names_in(forge: Forge, repository: Repository, at: str, folder: str) -> list[str]:
    """The paths of the files directly in a folder, if there is one, by REST."""
    try:
        answer = await forge.read(repository, f"/contents/{folder}", ref=at)
    except NotFound:
        return []
    listed = answer if isinstance(answer, list) else []
    return [str(each["path"]) for each in listed if each.get("type") == "file"]
