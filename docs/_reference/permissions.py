"""The permissions and events of the App, and the permission of each effect, from what declares them."""

from __future__ import annotations

from claude_pool_gh.github.effects import registry
from claude_pool_gh.service.doctor_github import EVENTS
from claude_pool_gh.service.init.manifest import declared, permissions
from docs._reference.markdown import code, sentence, table


def page() -> str:
    """What the App asks for, then what each kind of write on GitHub needs of it."""
    asked = ((code(name), level) for name, level in permissions().items())
    text = "## What the App asks for\n\n" + table(("repository permission", "level"), asked)
    text += f"Events: {', '.join(map(code, EVENTS))}.\n\n"
    return (
        text
        + "## What each write needs\n\n"
        + table(
            ("write", "permission", "when"),
            (
                (
                    sentence(kind.called),
                    ", ".join(
                        code(f"{name}: {level}") for name, level in declared(kind.permission)
                    ),
                    "Only where a repository asks for it." if kind.optional else "Always.",
                )
                for kind in registry.kinds().values()
            ),
        )
    )
