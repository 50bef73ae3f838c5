"""Reads the configuration files and, where one is faulty, says what and where.

An organization may have defaults in its repository `.github`; a repository's own file goes before them, key by key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.pool.recipes.yaml_file import Fault, Loaded, no_such, read

PATH: Final = ".github/claude-pool.yml"
HOME: Final = ".github"
"""The repository of an organization in which its defaults lie, under the same path."""
DEFAULT: Final = "default"
_MEANT: Final = re.compile(
    r"(?:[.]github/)?[.]?claude-?pool(?:-gh|-bot)?(?:[.-]config)?[.](?:ya?ml|json|toml)"
)

Overlay = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """One file: what to call it, its text, and the id of its content on GitHub."""

    name: str
    text: str
    blob: str = ""


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of a file."""

    file: str
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration that holds, and where each value that is not the default came from."""

    value: RepositoryConfig
    sources: Mapping[str, str] = field(default_factory=dict)
    """Dotted key -> name of the layer."""
    blob: str = ""
    """Changes when any of the files does."""

    def source(self, key: str) -> str:
        """The origin of a value."""
        return self.sources.get(key, DEFAULT)


def misnamed(names: Iterable[str]) -> Faults | None:
    """The fault where there is no file with the right name, but one that was surely meant to be it."""
    found = sorted(
        name for name in names if name != PATH and _MEANT.fullmatch(name.replace("_", "-").lower())
    )
    if not found:
        return None
    return Faults(found[0], (Fault(1, f"a file of this name is not read; rename it to {PATH}"),))


def load(text: str, verbs: frozenset[str]) -> RepositoryConfig | list[Fault]:
    """The configuration, or everything that is wrong with it. Empty text is the default configuration."""
    found = _read(text, verbs)
    return found if isinstance(found, list) else found.value


def merge(layers: list[Layer], verbs: frozenset[str]) -> Configuration | Faults:
    """The configuration of several files, each going before those ahead of it, or what is wrong with the first."""
    values: Overlay = {}
    sources: dict[str, str] = {}
    for layer in layers:
        found = _read(layer.text, verbs)
        if isinstance(found, list):
            return Faults(layer.name, tuple(found))
        _lay_over(values, _given(found.value), layer.name, sources, "")
    value = RepositoryConfig.model_validate(values)
    return Configuration(value, sources, ":".join(layer.blob for layer in layers if layer.blob))


def flat(config: RepositoryConfig) -> dict[str, Any]:
    """Every value by its dotted key, in the order of the file."""
    return dict(_flat(config.model_dump(mode="json"), ""))


def _read(text: str, verbs: frozenset[str]) -> Loaded[RepositoryConfig] | list[Fault]:
    found = read(text, RepositoryConfig)
    if isinstance(found, list):
        return found
    unknown = [name for name in found.value.permissions if name not in verbs]
    if unknown:
        return [
            Fault(found.line("permissions", n), no_such("key", n, sorted(verbs))) for n in unknown
        ]
    return found


def _given(model: BaseModel) -> Overlay:
    """The values in a file, without what it leaves to the defaults."""
    return model.model_dump(mode="json", exclude_unset=True)


def _lay_over(
    under: Overlay, over: Overlay, name: str, sources: dict[str, str], prefix: str
) -> None:
    for key, value in over.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            # There is nothing yet, or a section that was given as null.
            if not isinstance(under.get(key), dict):
                under[key] = {}
                sources.pop(path, None)
            _lay_over(under[key], value, name, sources, f"{path}.")
        else:
            for inner in [each for each in sources if each.startswith(f"{path}.")]:
                del sources[inner]
            under[key] = value
            sources[path] = name


def _flat(values: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            found += _flat(value, f"{path}.")
        else:
            found.append((path, value))
    return found
