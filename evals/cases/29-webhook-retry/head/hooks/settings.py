"""What can be set, by environment variables such as HOOKS_WEBHOOK_TIMEOUT."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Mapping


class SettingsError(ValueError):
    """A setting has no sensible value."""


@dataclass(frozen=True)
class Settings:
    """All times are in milliseconds."""

    webhook_timeout: int = 5000
    webhook_backoff: int = 250
    poll_interval: int = 1000

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        values = {}
        for field in fields(cls):
            name = "HOOKS_" + field.name.upper()
            if name not in environ:
                continue
            if not environ[name].isdecimal():
                raise SettingsError(f"{name} must be a whole number")
            values[field.name] = int(environ[name])
        return cls(**values)
