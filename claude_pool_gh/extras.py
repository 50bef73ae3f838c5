"""Packages that not everybody needs: which extra brings them, said where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

EXTRA_OF: Final = {
    "opentelemetry": "otel",
    "psycopg": "postgresql",
    **dict.fromkeys(
        (
            "cmarkgfm",
            "cryptography",
            "gidgethub",
            "git",
            "github",
            "jwt",
            "markdown_it",
            "mdformat",
            "prometheus_client",
        ),
        "bot",
    ),
}
"""By the name that is imported."""


class MissingExtra(ImportError):
    """A package is not installed that an extra brings; the text says which."""


@contextmanager
def extras_named() -> Iterator[None]:
    """Imports in the block say in words what to install. Raises MissingExtra in place of ModuleNotFoundError."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if (extra := EXTRA_OF.get(package)) is None:
            raise
        raise MissingExtra(
            f"the package {package} is not installed; it comes with: pip install 'claude-pool-gh[{extra}]'",
            name=error.name,
        ) from error
