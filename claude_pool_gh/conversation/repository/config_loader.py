"""The configuration of a repository: the organization's defaults, and over them the repository's own file."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from claude_pool_gh.config.load import HOME, PATH, Configuration, Faults, Layer, merge, misnamed
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.errors import ForgeRefused
from claude_pool_gh.github.trusted import TrustedFiles, trusted_file
from claude_pool_gh.pool.recipes.yaml_file import Fault
from claude_pool_gh.terms.ids import Repository

_FRESH_SECONDS: Final = 60.0


@dataclass(slots=True)
class ConfigLoader:
    """Reads configurations. What an organization says is kept for a minute; a repository's own file never is."""

    forge: Forge
    verbs: frozenset[str]
    _kept: dict[str, tuple[float, Layer | None]] = field(default_factory=dict)

    async def of(self, repository: Repository, files: TrustedFiles) -> Configuration | Faults:
        """The configuration that holds on a repository's default branch, or what is wrong with it."""
        file = await files.file(PATH)
        if file is None and (faults := await self._misnamed(files)) is not None:
            return faults
        layers = [await self._defaults(repository)] if repository.name != HOME else []
        layers.append(None if file is None else Layer(PATH, file.text, file.blob))
        return merge([layer for layer in layers if layer is not None], self.verbs)

    async def _misnamed(self, files: TrustedFiles) -> Faults | None:
        """Nothing is done where somebody has written down limits that would not hold."""
        names = [name for folder in (".github", "") for name in await files.names(folder)]
        if PATH in names:
            return Faults(PATH, (Fault(1, "the file is too large to be read"),))
        return misnamed(names)

    async def _defaults(self, repository: Repository) -> Layer | None:
        kept = self._kept.get(repository.owner)
        if kept is not None and time.monotonic() - kept[0] < _FRESH_SECONDS:
            return kept[1]
        layer = await self._read(repository)
        self._kept[repository.owner] = (time.monotonic(), layer)
        return layer

    async def _read(self, repository: Repository) -> Layer | None:
        """The same file in the organization's repository `.github`; none where the App does not see that."""
        try:
            home = await self.forge.access.sibling(repository, HOME)
            file = None if home is None else await trusted_file(self.forge, home, None, PATH)
        except ForgeRefused:
            return None
        if file is None:
            return None
        return Layer(f"{repository.owner}/{HOME}", file.text, file.blob)
