"""The permissions and events of the App, and the permission of each effect, from what declares them."""

from __future__ import annotations

from claude_pool_gh.github.effects import registry
from claude_pool_gh.service.doctor.doctor_github import EVENTS
from claude_pool_gh.service.init.manifest import declared, permissions
from docs._reference.markdown import code, sentence, table


def page() -> str:
    """The permissions that the App asks for, and those that each kind of write on GitHub needs."""
    asked = ((code(name), level) for name, level in permissions().items())
    text = "## What the App asks for\n\n" + table(("repository permission", "level"), asked)
    text += f"Events: {', '.join(map(code, EVENTS))}.\n\n"
    rows = (
        (sentence(kind.called), _needs(kind.permission, optional=kind.optional))
        for kind in registry.kinds().values()
    )
    return text + "## What each write needs\n\n" + table(("write", "permission"), rows)


def _needs(permission: str, *, optional: bool) -> str:
    named = ", ".join(code(f"{name}: {level}") for name, level in declared(permission))
    return named + ("; only where a repository asks for it" if optional else "")
