"""A module that is imported when something of it is first asked for.

A command's file declares arguments and help, which must be there at once; what the command does is behind this, so that
`--help`, shell completion and a mistyped flag do not wait for it:

    if TYPE_CHECKING:
        from claude_pool_gh.service.server import serve
    else:
        serve = deferred("claude_pool_gh.service.server.serve")
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any


def deferred(name: str) -> ModuleType:
    """Stand for a module that is not imported yet."""
    return _Deferred(name)


class _Deferred(ModuleType):
    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self.__name__), attribute)
