"""Reads the configuration file and, where it is faulty, says what and where."""

from __future__ import annotations

from typing import Final

from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.pool.yaml_file import Fault, no_such, read

PATH: Final = ".github/claude-pool.yml"


def load(text: str, verbs: frozenset[str]) -> RepositoryConfig | list[Fault]:
    """The configuration, or everything that is wrong with it. Empty text is the default configuration."""
    found = read(text, RepositoryConfig)
    if isinstance(found, list):
        return found
    unknown = [name for name in found.value.permissions if name not in verbs]
    if unknown:
        return [Fault(found.line("permissions", n), no_such("key", n, sorted(verbs))) for n in unknown]
    return found.value
