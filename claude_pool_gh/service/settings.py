"""Process settings, from environment variables and flags of the same names."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Final

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from claude_pool_gh.sandbox.process import Bounds
from claude_pool_gh.sandbox.sandbox import Sandbox
from claude_pool_gh.terms.links import Links

PREFIX: Final = "CLAUDE_POOL_"


def _plain(name: str) -> AliasChoices:
    """A variable that other tools read too, so it has no prefix."""
    return AliasChoices(name, name.lower())


class Settings(BaseSettings):
    """What a server is told from outside."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    app_id: Annotated[str, Field(description="The GitHub App's id")] = ""
    private_key: Annotated[SecretStr, Field(description="The App's private key, PEM")] = SecretStr("")
    private_key_file: Annotated[Path | None, Field(description="File that holds it")] = None
    webhook_secret: Annotated[
        SecretStr, Field(description="Secret of the App's webhook; several, comma-separated, while rotating")
    ] = SecretStr("")
    database_url: Annotated[
        str, Field(description="sqlite:////path or postgresql://...; default in STATE_DIR")
    ] = ""
    state_dir: Annotated[Path, Field(description="Folder for database, mirrors and worktrees")] = Path(
        ".state"
    )
    host: Annotated[str, Field(description="Address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 picks a free one")] = 8080
    slots: Annotated[int, Field(ge=1, le=64, description="Agents that run at the same time")] = 2
    budget_usd: Annotated[float | None, Field(gt=0, description="Cap on all spending per calendar month")] = (
        100.0
    )
    model: Annotated[str, Field(description="Full id of the model where a repository names none")] = (
        "claude-sonnet-5-5"
    )
    write_interval: Annotated[float, Field(ge=0, description="Seconds between two writes to GitHub")] = 1.0
    idle_timeout: Annotated[float, Field(gt=0, description="Seconds of silence that end an agent run")] = (
        120.0
    )
    wall_timeout: Annotated[
        float | None, Field(gt=0, description="Seconds that end an agent run; default: the repository's own")
    ] = 100.0
    anthropic_api_key: Annotated[SecretStr, Field(validation_alias=_plain("ANTHROPIC_API_KEY"))] = SecretStr(
        ""
    )
    anthropic_base_url: Annotated[
        str, Field(validation_alias=_plain("ANTHROPIC_BASE_URL"), description="The model's API")
    ] = "https://api.anthropic.com"
    github_api_url: Annotated[
        str, Field(validation_alias=_plain("GITHUB_API_URL"), description="GitHub's API")
    ] = "https://api.github.com"
    github_server_url: Annotated[
        str, Field(validation_alias=_plain("GITHUB_SERVER_URL"), description="GitHub, for git")
    ] = "https://github.com"

    checks: Annotated[
        bool,
        Field(
            description="Run the checks that repositories name, in a sandbox (bubblewrap) without network access"
        ),
    ] = False
    check_folders: Annotated[
        str,
        Field(description="Folders that checks may read besides the system's programs, colon-separated"),
    ] = ""
    check_memory_mb: Annotated[
        int,
        Field(
            ge=64, description="Memory of one check, and as much again for its files, which are kept there"
        ),
    ] = 2048

    public_url: Annotated[
        str,
        Field(
            description="Where this server is reached from outside; set, patches and reports can be downloaded"
        ),
    ] = ""
    poll: Annotated[
        float,
        Field(ge=0, description="Seconds between two looks for what GitHub could not deliver; 0: never"),
    ] = 300.0

    @property
    def links(self) -> Links:
        """Where things can be looked at."""
        key = hashlib.sha256(b"downloads\0" + self.webhook_secret.get_secret_value().encode()).digest()
        public = self.public_url.rstrip("/") or None
        return Links(server=self.github_server_url.rstrip("/"), public=public, download_key=key)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The webhook secrets that are valid now."""
        return tuple(
            part.strip() for part in self.webhook_secret.get_secret_value().split(",") if part.strip()
        )

    @property
    def key(self) -> str:
        """The App's private key, from wherever it was given."""
        if self.private_key_file is not None:
            return self.private_key_file.read_text()
        return self.private_key.get_secret_value().replace("\\n", "\n")

    @property
    def sandbox(self) -> Sandbox | None:
        """Where repositories' checks run, if anywhere."""
        if not self.checks:
            return None
        folders = tuple(Path(each).absolute() for each in self.check_folders.split(":") if each)
        bounds = Bounds(memory=self.check_memory_mb << 20)
        return Sandbox(private=self.state_dir.absolute(), folders=folders, bounds=bounds, at_once=self.slots)

    @property
    def database(self) -> str:
        """Where our own rows are."""
        return self.database_url or f"sqlite:///{self.state_dir.absolute()}/pool.sqlite"

    @property
    def all_secrets(self) -> tuple[str, ...]:
        """Every secret of this process, for redaction."""
        return tuple(
            filter(
                None, (*self.secrets, self.key, self.anthropic_api_key.get_secret_value(), self.database_url)
            )
        )
