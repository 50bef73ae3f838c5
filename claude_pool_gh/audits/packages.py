"""Finds the packages of a repository by their manifests, which are read as data and never run. Pure.

Where the root's manifest names the members of a workspace, these are the packages. Else every folder with a manifest is
one. A file belongs to the deepest package around it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from claude_pool_gh.terms import patterns

MANIFESTS: Final = (
    "package.json",
    "Cargo.toml",
    "go.mod",
    "pyproject.toml",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
)
ROOT_MANIFESTS: Final = (
    "package.json",
    "pnpm-workspace.yaml",
    "Cargo.toml",
    "go.work",
    "pyproject.toml",
    "pom.xml",
)
"""Files at the root that may name the members of a workspace."""
_LARGEST: Final = 256 * 1024
"""Characters of a manifest that are read."""
_MOST_MEMBERS: Final = 1_000
_GO_USE: Final = re.compile(r"^\s*(?:use\s+)?\(?\s*(\.{0,2}/[^\s()]*|\.)\s*\)?\s*$", re.MULTILINE)
_MODULE: Final = re.compile(r"<(?:module|subproject)>\s*([^<]+?)\s*</")


def packages(paths: Iterable[str], texts: Mapping[str, str]) -> tuple[str, ...]:
    """Folders of the packages; "" is the root. `texts` holds those of `ROOT_MANIFESTS` that there are.

    A member outside the repository, or one that names no folder with a manifest, is passed over.
    """
    own = sorted(
        {path.rpartition("/")[0] for path in paths if path.rpartition("/")[2] in MANIFESTS}
    )
    members = [each for path, text in texts.items() for each in _members(path, text[:_LARGEST])]
    named = [each for each in members if not each.startswith("!")][:_MOST_MEMBERS]
    refused = [each[1:] for each in members if each.startswith("!")]
    if not named:
        return tuple(dict.fromkeys(("", *own)))
    chosen = [
        folder
        for folder in own
        if folder and _is_any(folder, named) and not _is_any(folder, refused)
    ]
    return ("", *chosen)


def package_of(folders: Sequence[str]) -> Callable[[str], str]:
    """Names the deepest of these folders around a path."""
    known = frozenset(folders)

    def find(path: str) -> str:
        folder = path
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            if folder in known:
                return folder
        return ""

    return find


def _is_any(folder: str, members: Sequence[str]) -> bool:
    return any(_is(folder, member) for member in members)


def _is(folder: str, member: str) -> bool:
    """True where a member of a workspace, which may be a pattern, is exactly this folder."""
    wanted = member.strip().removeprefix("./").rstrip("/")
    if not wanted or wanted.startswith(("/", "..")) or "/../" in wanted:
        return False
    if folder == wanted:
        return True
    within = wanted.endswith("**") or folder.count("/") == wanted.count("/") or "**" in wanted
    return "*" in wanted and within and patterns.matches(f"/{wanted}", folder)


def _members(path: str, text: str) -> Iterator[str]:
    """The members that a manifest at the root names; nothing where it is no valid file of its kind."""
    try:
        match path:
            case "package.json":
                yield from _texts(json.loads(text).get("workspaces"), "packages")
            case "pnpm-workspace.yaml":
                yield from _texts(yaml.safe_load(text), "packages")
            case "Cargo.toml":
                workspace = tomllib.loads(text).get("workspace", {})
                yield from _texts(workspace, "members")
                yield from (f"!{each}" for each in _texts(workspace, "exclude"))
            case "pyproject.toml":
                workspace = tomllib.loads(text).get("tool", {}).get("uv", {}).get("workspace", {})
                yield from _texts(workspace, "members")
                yield from (f"!{each}" for each in _texts(workspace, "exclude"))
            case "go.work":
                yield from _GO_USE.findall(text)
            case "pom.xml":
                yield from _MODULE.findall(text)
            case _:
                return
    except (ValueError, AttributeError, RecursionError, yaml.YAMLError):
        return


def _texts(value: Any, key: str) -> list[str]:
    """A list of texts, or that under `key` of a mapping."""
    found = value.get(key) if isinstance(value, Mapping) else value
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
