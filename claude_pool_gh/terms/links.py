"""The addresses at which things can be looked at."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The pages that comments point to."""

    server: str
    """GitHub's own pages."""
    public: str | None = None
    """Where this server is reached from outside, if it hands out downloads."""
    download_key: bytes = field(default=b"", repr=False)
    """Makes the addresses of downloads that nobody can guess."""
