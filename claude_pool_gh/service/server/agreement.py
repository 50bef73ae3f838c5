"""Compares a worker's settings with those of the server whose work it runs. The decision is pure; secrets stay out.

A plan is frozen where a command is accepted, so most settings of a worker hold only for what it decides anew. Some
would break a promise of the server's all the same: with those it does not start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.service.setting_types import without_login
from claude_pool_gh.service.settings import Settings, variable

_CAP: Final = "runs that it starts would not be held to the server's cap"
_ELSEWHERE: Final = "it would read and write another GitHub than the server"
_DELETES: Final = "it would delete what the server keeps, or keep what the server deletes"
REFUSED: Final[Mapping[str, str]] = {
    "budget_usd": _CAP,
    "app_id": _ELSEWHERE,
    "github_api_url": _ELSEWHERE,
    "github_server_url": _ELSEWHERE,
    "keep_transcripts_days": _DELETES,
    "keep_patches_days": _DELETES,
    "keep_deliveries_days": _DELETES,
    "keep_chains_days": _DELETES,
    "keep_effects_days": _DELETES,
}
"""Settings that must be the server's, and what would happen otherwise."""
WARNED: Final[tuple[str, ...]] = (
    "model",
    "idle_timeout",
    "wall_timeout",
    "model_patience",
    "checks",
    "write_interval",
    "anthropic_base_url",
    "public_url",
)
"""Settings that should be the server's."""
OWN: Final[tuple[str, ...]] = (
    "private_key",
    "private_key_file",
    "webhook_secret",
    "anthropic_api_key",
    "database_url",
    "state_dir",
    "host",
    "port",
    "metrics_host",
    "metrics_port",
    "slots",
    "stop_timeout",
    "log",
    "log_level",
    "proxy",
    "check_folders",
    "check_memory_mb",
    "keep_commits_days",
    "poll",
)
"""Settings that are each machine's own, or secrets, which are not stored."""


@dataclass(frozen=True, slots=True)
class Differences:
    """The settings of a worker that are not the server's, one line each."""

    refused: tuple[str, ...]
    warned: tuple[str, ...]


def shared(settings: Settings) -> dict[str, str]:
    """The settings that a server and its workers have in common, as texts."""
    return {name: _text(getattr(settings, name)) for name in (*REFUSED, *WARNED)}


def compared(server: Mapping[str, str], own: Mapping[str, str]) -> Differences:
    """The differences of a worker's settings. What one of the two versions does not know is no difference."""
    server = {name: without_login(value) for name, value in server.items()}
    both = [name for name in own if name in server and own[name] != server[name]]
    return Differences(
        refused=tuple(
            f"{_told(name, server, own)}: {why}" for name, why in REFUSED.items() if name in both
        ),
        warned=tuple(_told(name, server, own) for name in WARNED if name in both),
    )


def other_retention(server: Mapping[str, str], own: Mapping[str, str]) -> tuple[str, ...]:
    """The settings, one line each, by which a command would not delete what the server deletes."""
    return tuple(
        _told(name, server, own)
        for name, why in REFUSED.items()
        if why == _DELETES and name in server and own[name] != server[name]
    )


def _told(name: str, server: Mapping[str, str], own: Mapping[str, str]) -> str:
    return f"{variable(name)} is {own[name]} here, and {server[name]} on the server"


def _text(value: object) -> str:
    match value:
        case None | "":
            return "none"
        case float():
            return f"{value:.12g}"
        case _:
            return without_login(str(value))
