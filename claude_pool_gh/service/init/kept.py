"""The files in which a new App's secrets are kept: its owner's alone, never printed, never overwritten."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from claude_pool_gh.service.settings import Settings, variable
from claude_pool_gh.storage.private import open_to_others, private_folder

KEY_FILE: Final = "private-key.pem"
SETTINGS_FILE: Final = "settings.env"
_IGNORE: Final = "*\n"
_POLL_SECONDS: Final = 30


class CannotKeep(ValueError):
    """The reason why the secrets cannot be kept there."""


class CreatedApp(BaseModel):
    """GitHub's answer when it has made an App from a manifest, as far as a server needs it."""

    model_config = ConfigDict(frozen=True)

    id: int
    slug: str = Field(pattern=r"^[a-z0-9-]+$")
    html_url: str = Field(pattern=r"^https?://[^\s]+$")
    pem: SecretStr
    webhook_secret: SecretStr | None = None


def ready(folder: Path) -> None:
    """Make the folder and see that nothing is in the way, before there is a secret to lose. Raises CannotKeep."""
    try:
        private_folder(folder)
    except OSError as error:
        raise CannotKeep(f"{folder} cannot be made: {error.strerror}") from error
    for name in (KEY_FILE, SETTINGS_FILE):
        if os.path.lexists(folder / name):  # a link that leads nowhere is in the way too
            raise CannotKeep(f"{folder / name} is there already: name another folder with --folder")
    if open_to_others(folder):
        raise CannotKeep(f"{folder} can be read by other users: chmod 700 {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CannotKeep(f"this user cannot write {folder}")


def keep(folder: Path, app: CreatedApp, settings: Settings, public_url: str) -> None:
    """Write key and settings. Raises OSError."""
    _write(folder / KEY_FILE, app.pem.get_secret_value())
    _write(folder / SETTINGS_FILE, _settings_text(folder, app, settings, public_url))
    if not os.path.lexists(folder / ".gitignore"):  # in a clone, `git add .` would publish the key
        _write(folder / ".gitignore", _IGNORE)


def _settings_text(folder: Path, app: CreatedApp, settings: Settings, public_url: str) -> str:
    secret = app.webhook_secret.get_secret_value() if app.webhook_secret else secrets.token_hex(32)
    values = {
        variable("app_id"): str(app.id),
        variable("private_key_file"): str(folder.absolute() / KEY_FILE),
        variable("webhook_secret"): secret,
        **(
            {variable("public_url"): public_url}
            if public_url
            else {variable("poll"): str(_POLL_SECONDS)}
        ),
        **_host(settings),
    }
    head = f"# The server's settings for the GitHub App {app.slug}, for a shell or for systemd's EnvironmentFile=.\n"
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in values.items()]
    return head + "".join(lines) + f"# {variable('anthropic_api_key')}=sk-ant-...\n"


def _host(settings: Settings) -> Mapping[str, str]:
    """The settings that say where GitHub is, unless it is where everybody's is."""
    names = ("github_api_url", "github_server_url")
    given = {name: str(getattr(settings, name)) for name in names}
    usual = {name: Settings.model_fields[name].default for name in names}
    return {variable(name): given[name] for name in names if given[name] != usual[name]}


def _write(path: Path, text: str) -> None:
    """A new file for the owner alone; whatever the umask is, and never through a link that somebody laid there."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
