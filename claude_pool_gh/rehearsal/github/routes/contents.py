"""Files and directories at a ref."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from claude_pool_gh.rehearsal.github.errors import RefusedError, missing
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes.repositories import api, page
from claude_pool_gh.rehearsal.github.state.repository import Repository

Json = dict[str, Any]
KINDS = {"040000": "dir", "160000": "submodule", "120000": "symlink"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree."""

    mode: str
    sha: str
    size: int
    path: str

    @property
    def kind(self) -> str:
        """GitHub's word for what it is."""
        return KINDS.get(self.mode, "file")


def entries(repository: Repository, tree: str) -> list[Entry]:
    """The direct entries of a tree."""
    listing = repository.git.run("ls-tree", "-z", "--long", tree).decode(errors="replace")
    found = []
    for line in listing.split("\0")[:-1]:
        head, _, path = line.partition("\t")
        mode, _, sha, size = head.split()
        found.append(Entry(mode, sha, 0 if size == "-" else int(size), path))
    return found


def find(repository: Repository, commit: str, path: str) -> Entry | None:
    """The entry of a path, step by step."""
    at = Entry("040000", f"{commit}^{{tree}}", 0, "")
    for part in path.split("/"):
        if at.kind != "dir":
            return None
        below = next((one for one in entries(repository, at.sha) if one.path == part), None)
        if below is None:
            return None
        at = below
    return at


def shape(repository: Repository, entry: Entry, path: str, ref: str) -> Json:
    """The fields that every kind of entry has."""
    url, name = (
        f"{api(repository)}/contents/{quote(path)}?ref={quote(ref, safe='')}",
        path.rpartition("/")[2],
    )
    directory = entry.kind == "dir"
    git = f"{api(repository)}/git/{'trees' if directory else 'blobs'}/{entry.sha}"
    web = f"{page(repository)}/{'tree' if directory else 'blob'}/{quote(ref)}/{quote(path)}"
    raw = None if directory else f"{page(repository)}/raw/{quote(ref)}/{quote(path)}"
    return {
        "type": entry.kind,
        "size": entry.size,
        "name": name,
        "path": path,
        "sha": entry.sha,
        "url": url,
        "git_url": git,
        "html_url": web,
        "download_url": raw,
        "_links": {"self": url, "git": git, "html": web},
    }


def get_contents(call: Call) -> Answer:
    """A file, a link or a directory."""
    repository, path = call.repository, call.params["path"].strip("/")
    ref = call.query.get("ref") or repository.default_branch
    commit = repository.git.resolve(ref)
    if commit is None:
        raise RefusedError(404, f"No commit found for the ref {ref}")
    entry = find(repository, commit, path) if path else Entry("040000", f"{commit}^{{tree}}", 0, "")
    if entry is None:
        raise missing()
    if entry.kind == "dir":
        below = entries(repository, entry.sha)
        return Answer(
            json=[shape(repository, one, f"{path}/{one.path}".lstrip("/"), ref) for one in below]
        )
    return _file(call, repository, entry, path, ref)


def _file(call: Call, repository: Repository, entry: Entry, path: str, ref: str) -> Answer:
    limits = call.site.limits
    data = repository.git.run("cat-file", "blob", entry.sha)
    if call.accepts("raw"):
        if entry.size > limits.raw_bytes:
            raise RefusedError(403, "This API returns blobs up to 100 MB in size.")
        return Answer(raw=data, content_type="application/vnd.github.raw+json; charset=utf-8")
    common = shape(repository, entry, path, ref)
    if entry.kind == "symlink":
        return Answer(json={**common, "target": data.decode(errors="replace")})
    if entry.size > limits.contents_bytes:
        return Answer(json={**common, "encoding": "none", "content": ""})
    return Answer(
        json={**common, "encoding": "base64", "content": base64.encodebytes(data).decode()}
    )


ROUTES = (Route("GET", "/repos/{owner}/{repo}/contents/{path}", get_contents, "contents:read"),)
