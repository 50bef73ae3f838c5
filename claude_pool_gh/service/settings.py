"""Process settings, from environment variables and flags of the same names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import unquote, urlsplit

from pydantic import (
    AliasChoices,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from claude_pool_gh.pool.model.in_words import in_words
from claude_pool_gh.pool.recipes.yaml_file import nearest
from claude_pool_gh.service.log import logs
from claude_pool_gh.service.setting_types import (
    Address,
    DatabaseAddress,
    Days,
    OptionalAddress,
    OrNone,
    UpperCase,
    pem,
    plain,
)
from claude_pool_gh.terms.links import Links

PREFIX: Final = "CLAUDE_POOL_"
_ELSEWHERE: Final = frozenset({f"{PREFIX}PROCESS_MODE"})
"""Variables with our prefix that are read where no settings are at hand."""


class SettingsError(ValueError):
    """The faults of the settings, all of them, one line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class Settings(BaseSettings):
    """The settings of a server, from outside."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        str_strip_whitespace=True,
    )

    app_id: Annotated[str, Field(description="The GitHub App's id")] = ""
    private_key: Annotated[SecretStr, Field(description="The App's private key, PEM")] = SecretStr(
        ""
    )
    private_key_file: Annotated[
        Path | None, Field(description="File that holds the private key")
    ] = None
    webhook_secret: Annotated[
        SecretStr,
        Field(description="Secret of the App's webhook; several, comma-separated, while rotating"),
    ] = SecretStr("")
    database_url: Annotated[
        DatabaseAddress,
        Field(description="sqlite:////path or postgresql://...; default in STATE_DIR"),
    ] = ""
    state_dir: Annotated[Path, Field(description="Folder for database, mirrors and worktrees")] = (
        Path(".state")
    )
    host: Annotated[str, Field(description="Address to listen on")] = "127.0.0.1"
    port: Annotated[
        int, Field(ge=0, le=65535, description="Port to listen on; 0 picks a free one")
    ] = 8080
    metrics_host: Annotated[
        str, Field(description="Address to listen on for metrics and health checks")
    ] = "127.0.0.1"
    metrics_port: Annotated[
        Annotated[int, Field(ge=0, le=65535)] | None,
        OrNone,
        Field(
            description="Port of /metrics for Prometheus, of /healthz and /readyz too; default: not served"
        ),
    ] = None
    slots: Annotated[
        int,
        Field(
            ge=0,
            le=64,
            description="Agents that run at the same time; 0: `worker` processes run them all",
        ),
    ] = 2
    stop_timeout: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="Seconds that running agents have to end after SIGTERM; the rest continues later",
        ),
    ] = 60.0
    log: Annotated[
        logs.Format,
        Field(description="Form of the log: `text` for people, `json` for machines"),
    ] = "text"
    log_level: Annotated[
        logs.Level,
        UpperCase,
        Field(description="Lowest level that is logged: DEBUG, INFO, WARNING or ERROR"),
    ] = "INFO"
    budget_usd: Annotated[
        Annotated[float, Field(gt=0, allow_inf_nan=False)] | None,
        OrNone,
        Field(description="Cap on all spending per calendar month; `none`: no cap"),
    ] = 100.0
    model: Annotated[
        str, Field(description="Full id of the model where a repository names none")
    ] = "claude-sonnet-5-5"
    write_interval: Annotated[
        float, Field(ge=0, description="Seconds between two writes to GitHub")
    ] = 1.0
    idle_timeout: Annotated[
        float,
        Field(
            gt=0,
            allow_inf_nan=False,
            description="Seconds without any activity after which an agent run ends",
        ),
    ] = 120.0
    wall_timeout: Annotated[
        Annotated[float, Field(gt=0, allow_inf_nan=False)] | None,
        OrNone,
        Field(
            description="Maximum seconds of an agent run; default: the repository's `wall_minutes`"
        ),
    ] = None
    model_patience: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="Seconds that a run waits for a model's API that is overloaded or cannot be reached",
        ),
    ] = 300.0
    anthropic_api_key: Annotated[
        SecretStr,
        Field(validation_alias=plain("ANTHROPIC_API_KEY"), description="Key for the model's API"),
    ] = SecretStr("")
    anthropic_base_url: Annotated[
        Address,
        Field(validation_alias=plain("ANTHROPIC_BASE_URL"), description="The model's API"),
    ] = "https://api.anthropic.com"
    github_api_url: Annotated[
        Address, Field(validation_alias=plain("GITHUB_API_URL"), description="GitHub's API")
    ] = "https://api.github.com"
    github_server_url: Annotated[
        Address, Field(validation_alias=plain("GITHUB_SERVER_URL"), description="GitHub, for git")
    ] = "https://github.com"

    proxy: Annotated[
        OptionalAddress,
        Field(
            description="Proxy to GitHub and the model's API, for git too; HTTPS_PROXY of the environment is ignored"
        ),
    ] = ""

    checks: Annotated[
        bool,
        Field(
            description="Run the checks that repositories name, in a sandbox (bubblewrap) without network access"
        ),
    ] = False
    check_folders: Annotated[
        str,
        Field(
            description="Folders that checks may read besides the system's programs, colon-separated"
        ),
    ] = ""
    check_memory_mb: Annotated[
        int,
        Field(
            ge=64,
            description="Memory of one check, and as much again for its files, which are kept there",
        ),
    ] = 2048

    keep_transcripts_days: Annotated[
        Days,
        OrNone,
        Field(
            description="Days that prompts, transcripts, results passed on and written texts are kept; `none`: forever"
        ),
    ] = 30.0
    keep_patches_days: Annotated[
        Days,
        OrNone,
        Field(description="Days that patches of ended runs are kept; `none`: forever"),
    ] = 90.0
    keep_deliveries_days: Annotated[
        Days,
        OrNone,
        Field(
            description="Days that deliveries, and commands that started nothing, are kept; `none`: forever"
        ),
    ] = 30.0
    keep_chains_days: Annotated[
        Days,
        OrNone,
        Field(
            description="Days that ended runs and their commands are kept; their cost counts on; `none`: forever"
        ),
    ] = 365.0
    keep_effects_days: Annotated[
        Days,
        OrNone,
        Field(
            description="Days that records of writes to GitHub are kept after their last change; `none`: forever"
        ),
    ] = 365.0
    keep_commits_days: Annotated[
        Days,
        OrNone,
        Field(
            description="Days that fetched commits are kept; they can be fetched again; `none`: forever"
        ),
    ] = 30.0
    public_url: Annotated[
        OptionalAddress,
        Field(
            description="Address of this server from outside; with it, patches and reports can be downloaded"
        ),
    ] = ""
    poll: Annotated[
        float,
        Field(
            ge=0,
            description="Seconds between two searches for events that GitHub could not deliver; 0: never",
        ),
    ] = 300.0

    @property
    def links(self) -> Links:
        """The addresses at which things can be looked at."""
        key = hashlib.sha256(
            b"downloads\0" + self.webhook_secret.get_secret_value().encode()
        ).digest()
        public = self.public_url.rstrip("/") or None
        return Links(server=self.github_server_url.rstrip("/"), public=public, download_key=key)

    _more_secrets: tuple[str, ...] = PrivateAttr(default=())

    @property
    def secrets(self) -> tuple[str, ...]:
        """The webhook secrets that are valid now."""
        return tuple(
            part.strip()
            for part in self.webhook_secret.get_secret_value().split(",")
            if part.strip()
        )

    @property
    def key(self) -> str:
        """The App's private key, from wherever it was given."""
        if self.private_key_file is not None:
            return pem(self.private_key_file.read_text())
        return pem(self.private_key.get_secret_value())

    @property
    def database(self) -> str:
        """The address of our own rows."""
        return self.database_url or f"sqlite:///{self.state_dir.absolute()}/pool.sqlite"

    @property
    def all_secrets(self) -> tuple[str, ...]:
        """Every secret of this process, for redaction."""
        try:
            key = self.key
        except (OSError, ValueError):  # its file cannot be read: then nothing can hold it
            key = ""
        found = (
            *self.secrets,
            key,
            self.private_key.get_secret_value(),
            self.anthropic_api_key.get_secret_value(),
            "" if self.database_url.startswith("sqlite:") else self.database_url,
            unquote(urlsplit(self.proxy).password or ""),
            unquote(urlsplit(self.anthropic_base_url).password or ""),
            *self._more_secrets,
        )
        return tuple(filter(None, found))

    def hiding(self, *secrets: str) -> Self:
        """The same, for a process that has more secrets than these."""
        settings = self.model_copy()
        settings._more_secrets = (*self._more_secrets, *secrets)  # noqa: SLF001 - of our own copy
        return settings


def read(given: Mapping[str, Any] | None = None) -> Settings:
    """The settings from flags, which go first, and the environment. Raises SettingsError with everything wrong."""
    faults = _unknown(os.environ) + _quoted(os.environ)
    try:
        settings = Settings(**(given or {}))
    except ValidationError as error:
        faults += [_told(problem, given or {}) for problem in error.errors()]
    else:
        if not settings.slots and settings.database.startswith("sqlite"):
            what = "--slots" if "slots" in (given or {}) else variable("slots")
            faults.append(
                f"{what}: with 0, workers run the agents, and they need {variable('database_url')}=postgresql://..."
            )
        if not faults:
            return settings
    raise SettingsError(faults)


def read_what_can_be(given: Mapping[str, Any]) -> tuple[Settings, tuple[str, ...]]:
    """The settings with the default in place of each that is wrong, and everything that is wrong."""
    try:
        return read(given), ()
    except SettingsError as error:
        faults = error.faults
    usable = dict(given)
    defaults: dict[str, Any] = {}
    while True:
        try:
            return Settings(**{**usable, **defaults}), faults
        except ValidationError as error:
            for problem in error.errors():
                name = _field(problem)
                usable.pop(name, None)
                # Given to the class, a value wins over the environment; a field with an alias has only that name.
                alias = Settings.model_fields[name].validation_alias
                key = str(alias.choices[0]) if isinstance(alias, AliasChoices) else name
                defaults[key] = Settings.model_fields[name].default


def variable(name: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{PREFIX}{name.upper()}"


def _unknown(environment: Mapping[str, str]) -> list[str]:
    """Variables with our prefix that mean nothing. A misspelt cap must not leave the default in force."""
    known = [variable(name) for name in Settings.model_fields]
    upper = {name.upper() for name in known} | _ELSEWHERE
    strange = [
        name
        for name in environment
        if name.upper().startswith(PREFIX) and name.upper() not in upper
    ]
    return [
        f"{name}: there is no such setting{nearest(name.upper(), known)}"
        for name in sorted(strange)
    ]


def _quoted(environment: Mapping[str, str]) -> list[str]:
    """Variables in quotes: not every reader of such a file takes them off, and a secret with them fits nothing."""
    own = [variable(name) for name in Settings.model_fields if name != "private_key"]
    values = {name: environment.get(name, "").strip() for name in own}
    return [
        f"{name}: the quotes around it are taken for a part of it: write it without"
        for name, value in values.items()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    ]


def _told(problem: Any, given: Mapping[str, Any]) -> str:
    """One fault in a line. The value is not repeated: it may be a secret."""
    name = _field(problem)
    field = str(problem["loc"][0]) if problem["loc"] else ""
    what = f"--{name.replace('_', '-')}" if name in given else variable(name) if name else field
    return f"{what}: {in_words(problem)}"


def _field(problem: Any) -> str:
    """The setting that a problem is about, "" for none."""
    field = str(problem["loc"][0]) if problem["loc"] else ""
    return next(
        (each for each in Settings.model_fields if field.lower() in (each, variable(each).lower())),
        "",
    )
