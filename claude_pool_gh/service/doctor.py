"""`claude-pool-gh doctor`: everything a server needs, each right or exactly what to do."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import click

from claude_pool_gh.github import intake
from claude_pool_gh.github.access import PERMISSIONS, PUSHING
from claude_pool_gh.github.deliveries import check_secrets
from claude_pool_gh.service.settings import PREFIX, Settings

_UNASKED: Final = {"installation", "installation_repositories", "check_suite"}
"""Events that GitHub sends to every App, or to every App that may write checks."""
EVENTS: Final = tuple(sorted({event for event, _ in intake.EVENTS} - _UNASKED))
"""What the App must be subscribed to; every App hears of its installations."""
_RANK: Final = {"": 0, "read": 1, "write": 2, "admin": 3}


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that was examined. `mend` is empty when it is right."""

    what: str
    found: str
    mend: str = ""


def examine(settings: Settings) -> Iterator[Sign]:
    """Examine everything; a check that fails says what to do and never stops the others."""
    for what, check in (
        ("webhook secret", _secret),
        ("model key", _model_key),
        ("git", _git),
        ("Claude CLI", _cli),
        ("process isolation", _isolation),
        ("checks", _checks),
        ("database", _database),
    ):
        yield _safely(what, check, settings)
    yield from _app(settings)


def print_findings(signs: Iterator[Sign]) -> int:
    """Print as they come; the exit code is 1 when something is to be mended."""
    sick = 0
    for sign in signs:
        mark = click.style("✗", fg="red") if sign.mend else click.style("✓", fg="green")
        click.echo(f"{mark} {sign.what}: {sign.found}")
        if sign.mend:
            sick += 1
            click.echo(f"    {sign.mend}")
    click.echo("all checks passed" if not sick else f"{sick} {'problem' if sick == 1 else 'problems'}")
    return 1 if sick else 0


def _safely(what: str, check: Callable[[Settings], Sign], settings: Settings) -> Sign:
    try:
        return check(settings)
    except Exception as error:  # noqa: BLE001 - a doctor reports whatever it meets
        return Sign(what, f"{type(error).__name__}: {str(error)[:300]}", "see the message")


def _secret(settings: Settings) -> Sign:
    try:
        check_secrets(settings.secrets)
    except ValueError as error:
        return Sign(
            "webhook secret", "not usable", f"{error}; then set it as {PREFIX}WEBHOOK_SECRET and in the App"
        )
    return Sign("webhook secret", f"{len(settings.secrets)} in use")


def _model_key(settings: Settings) -> Sign:
    if not settings.anthropic_api_key.get_secret_value():
        return Sign("model key", "missing", "set ANTHROPIC_API_KEY")
    return Sign("model key", f"set, for {settings.anthropic_base_url}, model {settings.model}")


def _git(_settings: Settings) -> Sign:
    git = shutil.which("git")
    if git is None:
        return Sign("git", "not found", "install git, 2.30 or newer, and put it on PATH")
    version = _version_of(git).split()[2]
    new_enough = tuple(map(int, version.split(".")[:2])) >= (2, 30)
    return Sign("git", version, "" if new_enough else "install 2.30 or newer")


def _cli(_settings: Settings) -> Sign:
    from claude_pool_gh.agent.process import bundled_cli  # noqa: PLC0415 - imports the SDK

    return Sign("Claude CLI", _version_of(str(bundled_cli())))


def _version_of(program: str) -> str:
    command = [program, "--version"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()  # noqa: S603


def _isolation(_settings: Settings) -> Sign:
    from claude_pool_gh.processes.launching import mode  # noqa: PLC0415

    if mode() == "namespace":
        return Sign("process isolation", "each agent in a PID namespace of its own")
    return Sign("process isolation", "no PID namespaces here; agents end by parent-death signal and reaper")


def _checks(settings: Settings) -> Sign:
    sandbox = settings.sandbox
    if sandbox is None:
        return Sign("checks", f"none are run; {PREFIX}CHECKS=1 lets repositories name some")
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    fault = asyncio.run(sandbox.fault())
    mend = f"fix that, or set {PREFIX}CHECKS=0; until then every change is shown as not checked"
    return Sign("checks", fault or "sandbox works (self-test passed)", mend if fault else "")


def _database(settings: Settings) -> Sign:
    from claude_pool_gh.storage import Database, migrations  # noqa: PLC0415

    database = Database.open(settings.database)
    try:
        migrations.upgrade(database.engine)
    finally:
        database.close()
    return Sign("database", database.engine.url.render_as_string(hide_password=True))


def _app(settings: Settings) -> Iterator[Sign]:
    """The App and its installations, asked through PyGithub."""
    from github import Auth, GithubException, GithubIntegration  # noqa: PLC0415 - `serve` never imports it

    if not settings.app_id or not settings.key:
        yield Sign("GitHub App", "not configured", f"set {PREFIX}APP_ID and {PREFIX}PRIVATE_KEY or _FILE")
        return
    try:
        auth = Auth.AppAuth(settings.app_id, settings.key)
        integration = GithubIntegration(auth=auth, base_url=settings.github_api_url, retry=None, timeout=15)
        app = integration.get_app()
        installations = list(integration.get_installations())
    except (GithubException, ValueError, OSError) as error:
        mend = "check the App's id, its private key, this machine's clock and GITHUB_API_URL"
        yield Sign("GitHub App", f"{type(error).__name__}: {str(error)[:200]}", mend)
        return
    yield Sign("GitHub App", f"{app.name} ({app.slug})")
    yield _permissions(dict(app.permissions))
    yield _events(list(app.events))
    where = f"https://github.com/apps/{app.slug}/installations/new"
    accounts = ", ".join(str(each.raw_data["account"]["login"]) for each in installations)
    yield Sign("installations", accounts or "none", "" if installations else f"install the App: {where}")
    for each in installations:
        if each.raw_data.get("suspended_at"):
            yield Sign(
                "installation",
                f"{each.raw_data['account']['login']} is suspended",
                "its owner must lift that",
            )


def _permissions(has: dict[str, str]) -> Sign:
    # `fix` and `implement` push after an approval, and settled threads can be resolved.
    wanted = PERMISSIONS | PUSHING
    lacks = [f"{name}: {level}" for name, level in wanted.items() if _RANK[has.get(name, "")] < _RANK[level]]
    if lacks:
        return Sign("permissions", "too few", f"give the App: {', '.join(lacks)}; then accept the change")
    more = [name for name, level in has.items() if name not in PERMISSIONS and level != "read"]
    return Sign("permissions", "enough" + (f"; not needed: {', '.join(more)}" if more else ""))


def _events(has: list[str]) -> Sign:
    lacks = [name for name in EVENTS if name not in has]
    mend = f"subscribe the App to {', '.join(lacks)}" if lacks else ""
    return Sign("events", "all" if not lacks else f"{len(lacks)} missing", mend)
