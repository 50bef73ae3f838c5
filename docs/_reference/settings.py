"""The settings of a server, from the class that reads them."""

from __future__ import annotations

from claude_pool_gh.service.command_line.options import SettingType, is_secret
from claude_pool_gh.service.settings import Settings, variable
from docs._reference.markdown import code, facts, sentence, table


def page() -> str:
    """A row for each setting, in the order of the class."""
    rows = []
    for name, field in Settings.model_fields.items():
        kind = SettingType(name)
        flag = "" if is_secret(name) else " " + code(f"--{name.replace('_', '-')}")
        default = (
            "" if field.default is None or not str(field.default).strip("*") else field.default
        )
        rows.append(
            (
                code(variable(name)) + flag,
                sentence(field.description or "")
                + facts(
                    f"{kind.name} {kind.bounds}".removeprefix("text").strip(),
                    default=code(default),
                ),
            )
        )
    return table(("setting", "meaning"), rows)
