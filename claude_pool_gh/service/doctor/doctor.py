"""`claude-pool-gh doctor`: everything a server needs, each right or exactly what to do.

It asks in the way in which the server will ask, and changes nothing that it examines.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import aiohttp

from claude_pool_gh.github.deliveries import check_secrets
from claude_pool_gh.service import interruptible
from claude_pool_gh.service.doctor import doctor_github, doctor_network, doctor_traces
from claude_pool_gh.service.doctor.diagnosis import Diagnosis
from claude_pool_gh.service.plain import echo, echo_json
from claude_pool_gh.service.server.sandboxes import sandbox_of
from claude_pool_gh.service.server.serve import check_key
from claude_pool_gh.service.setting_types import without_login
from claude_pool_gh.service.settings import PREFIX, Settings
from claude_pool_gh.terms import network_errors

_DISK: Final = 2 * 2**30
"""Free bytes below which mirrors and worktrees soon have no room."""
_FILES: Final = 4096
"""Open files that a busy server needs: connections, pipes of agents, databases."""


def examine(settings: Settings, faults: Sequence[str] = ()) -> Iterator[Diagnosis]:
    """Examine everything; a check that fails says what to do and never stops the others.

    `faults`: what is wrong with the settings; the others were read with the default in place of those.
    """
    for fault in faults:
        name, _, why = fault.partition(": ")
        yield Diagnosis("settings", f"{name} cannot be used", f"correct or remove it: {why}")
    with doctor_network.as_the_server_goes(settings.proxy):
        yield from _examined(settings)


def _examined(settings: Settings) -> Iterator[Diagnosis]:
    for what, check in (
        ("proxy", doctor_network.proxy),
        ("clock", doctor_network.clock),
        ("webhook secret", _secret),
        ("private key", _private_key),
        ("model", _model),
        ("git", _git),
        ("Claude CLI", _cli),
        ("process isolation", _isolation),
        ("checks", _checks),
        ("state folder", _state),
        ("database", _database),
        ("disk", _disk),
        ("open files", _open_files),
        ("address", doctor_network.address),
        ("metrics address", doctor_network.metrics_address),
        ("public URL", doctor_network.public_url),
        ("traces", doctor_traces.examine),
        ("GitHub App", doctor_github.examine),
    ):
        yield from _safely(what, check, settings)


def print_findings(signs: Iterable[Diagnosis]) -> int:
    """Print as they come; the exit code is 1 when something is to be fixed."""
    problems = 0
    for sign in signs:
        mark, colour = ("✗", "red") if sign.fix else ("✓", "green")
        echo(mark, fg=colour, nl=False)
        echo(f" {sign.what}: {sign.found}")
        if sign.fix:
            problems += 1
            echo(f"    {sign.fix}")
    echo("all checks passed" if not problems else f"{problems} to fix")
    return 1 if problems else 0


def print_json(signs: Iterable[Diagnosis]) -> int:
    """Print all at the end as one JSON object, for monitors; the exit code is as of `print_findings`."""
    found = list(signs)
    problems = sum(bool(sign.fix) for sign in found)
    checks = [
        {"check": sign.what, "ok": not sign.fix, "found": sign.found, "fix": sign.fix}
        for sign in found
    ]
    echo_json(json.dumps({"ok": not problems, "problems": problems, "checks": checks}, indent=2))
    return 1 if problems else 0


def _safely(
    what: str, check: Callable[[Settings], Diagnosis | Iterable[Diagnosis]], settings: Settings
) -> Iterator[Diagnosis]:
    try:
        found = check(settings)
        if isinstance(found, Diagnosis):
            yield found
        else:
            yield from found
    except Exception as error:  # noqa: BLE001 - a doctor reports whatever it meets
        yield Diagnosis(
            what,
            f"{type(error).__name__}: {_hidden(str(error), settings)[:300]}",
            "this check could not be made: see the message, and report it if it does not help",
        )


def _hidden(text: str, settings: Settings) -> str:
    """A message of a library without our secrets in it."""
    for secret in settings.all_secrets:
        text = text.replace(secret, "***")
    return text


def _secret(settings: Settings) -> Diagnosis:
    try:
        check_secrets(settings.secrets)
    except ValueError as error:
        made = "" if settings.secrets else "; make one: openssl rand -hex 32"
        return Diagnosis(
            "webhook secret",
            "not usable",
            f"{PREFIX}{error}{made}; then set it there and in the App",
        )
    return Diagnosis("webhook secret", f"{len(settings.secrets)} in use")


def _private_key(settings: Settings) -> Diagnosis:
    try:
        check_key(settings)
    except ValueError as error:
        return Diagnosis("private key", "not usable", str(error))
    return Diagnosis("private key", "a private key in PEM form")


def _model(settings: Settings) -> Diagnosis:
    """Ask the API for the model by name, which costs nothing."""
    key = settings.anthropic_api_key.get_secret_value()
    if not key:
        return Diagnosis("model", "no key", "set ANTHROPIC_API_KEY")
    url = settings.anthropic_base_url.rstrip("/")
    base = without_login(url)
    try:
        asking = _asked(f"{url}/v1/models/{settings.model}", key, settings.proxy)
        status, kind = interruptible.run(asking)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        found = f"{base} cannot be reached: {network_errors.told(error)}"
        way = without_login(settings.proxy) or "not set"
        return Diagnosis(
            "model",
            found,
            f"check ANTHROPIC_BASE_URL and this machine's way to it ({PREFIX}PROXY is {way})",
        )
    match status:
        case 200:
            return Diagnosis("model", f"{settings.model} at {base}")
        case 401 | 403:
            return Diagnosis(
                "model",
                f"{base} refuses the key ({status})",
                "set ANTHROPIC_API_KEY to a valid key",
            )
        case 404 if base.endswith("/v1"):
            fix = "leave /v1 out of ANTHROPIC_BASE_URL: agents ask for paths that begin with it"
            return Diagnosis("model", f"{base} knows no {settings.model}", fix)
        case 404 if kind == "not_found_error":
            return Diagnosis(
                "model",
                f"{base} knows no {settings.model}",
                f"set {PREFIX}MODEL to the full id of a model",
            )
        case _:
            return Diagnosis(
                "model", f"not checked: {base} answered {status} when asked for {settings.model}"
            )


async def _asked(url: str, key: str, proxy: str) -> tuple[int, str]:
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    timeout = aiohttp.ClientTimeout(total=15)
    async with (
        aiohttp.ClientSession(timeout=timeout, proxy=proxy or None) as session,
        session.get(url, headers=headers) as answer,
    ):
        kind = ""
        with suppress(Exception):
            kind = str((await answer.json(content_type=None))["error"]["type"])
        return answer.status, kind


def _git(_settings: Settings) -> Diagnosis:
    git, fix = shutil.which("git"), "install git, 2.30 or newer, and put it on PATH"
    if git is None:
        return Diagnosis("git", "not found", fix)
    try:
        version = _version_of(git).split()[2]
        new_enough = tuple(map(int, version.split(".")[:2])) >= (2, 30)
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return Diagnosis("git", f"{git} does not say its version", fix)
    return Diagnosis("git", version, "" if new_enough else f"{git} is too old: {fix}")


def _cli(_settings: Settings) -> Diagnosis:
    from claude_pool_gh.agent.process import bundled_cli  # noqa: PLC0415 - imports the SDK

    return Diagnosis("Claude CLI", _version_of(str(bundled_cli())))


def _version_of(program: str) -> str:
    command = [program, "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603 - git or our own CLI
    return ran.stdout.strip()


def _isolation(_settings: Settings) -> Diagnosis:
    from claude_pool_gh.processes.launching import can_confine, mode  # noqa: PLC0415

    ends = (
        "each agent in a PID namespace of its own"
        if mode() == "namespace"
        else "no PID namespaces here; agents end by parent-death signal and reaper"
    )
    writes = (
        ""
        if can_confine()
        else "; no Landlock here (Linux 6.2): what agents write is held by their tools alone"
    )
    return Diagnosis("process isolation", ends + writes)


def _checks(settings: Settings) -> Diagnosis:
    sandbox = sandbox_of(settings)
    if sandbox is None:
        return Diagnosis("checks", f"none are run; {PREFIX}CHECKS=1 lets repositories name some")
    with tempfile.TemporaryDirectory(prefix="claude-pool-") as scratch:
        there = settings.state_dir.is_dir()
        fault = interruptible.run(
            (sandbox if there else replace(sandbox, private=Path(scratch))).fault()
        )
    fix = f"fix that, or set {PREFIX}CHECKS=0: until then every change is shown as not checked"
    return Diagnosis("checks", fault or "sandbox works (self-test passed)", fix if fault else "")


def _state(settings: Settings) -> Diagnosis:
    """Check whether the server can write its folder, or make it, and whether others can read it."""
    from claude_pool_gh.storage.private import open_to_others, other_owner  # noqa: PLC0415

    folder = settings.state_dir.absolute()
    if folder.exists() and not folder.is_dir():
        return Diagnosis(
            "state folder",
            f"{folder} is a file",
            f"remove it, or set {PREFIX}STATE_DIR to a folder",
        )
    if folder.is_dir() and os.geteuid() == 0 and (owner := other_owner(folder)) is not None:
        fix = f"run this as {owner}: what root may do says nothing of the server"
        return Diagnosis("state folder", f"{folder} belongs to {owner}", fix)
    if folder.is_dir() and open_to_others(folder):
        return Diagnosis(
            "state folder", f"{folder} can be read by other users", f"chmod 700 {folder}"
        )
    near = next(each for each in (folder, *folder.parents) if each.exists())
    if not near.is_dir():
        fix = f"set {PREFIX}STATE_DIR to a folder whose parents are folders"
        return Diagnosis("state folder", f"{near} is a file", fix)
    if not os.access(near, os.W_OK | os.X_OK):
        owner = f"{os.getuid()}:{os.getgid()}"
        fix = f"mkdir -p {folder} && chown {owner} {folder}, as a user who may"
        return Diagnosis("state folder", f"this user cannot write {near}", fix)
    return Diagnosis("state folder", str(folder) + ("" if folder.is_dir() else " (will be made)"))


def _database(settings: Settings) -> Diagnosis:
    """Connect and read the schema's revision. Only `serve` migrates."""
    from claude_pool_gh.storage import Database, for_people, migrations  # noqa: PLC0415
    from claude_pool_gh.storage.errors import DatabaseError, reason  # noqa: PLC0415

    shown = for_people(settings.database)
    try:
        database = Database.open_existing(settings.database)
    except FileNotFoundError:
        return Diagnosis("database", f"{shown} (will be made)")
    try:
        found = migrations.current(database.engine)
    except DatabaseError as error:
        fix = f"check {PREFIX}DATABASE_URL, and that the database runs and lets this user in"
        if database.engine.dialect.name == "sqlite":
            fix = (
                "see that this user can read the file; where it is damaged, put a backup in its place: "
                "claude-pool-gh restore --replace FILE"
            )
        return Diagnosis("database", f"{shown}: {reason(error)}", fix)
    finally:
        database.close()
    newest = migrations.newest()
    if found is not None and found > newest:
        return Diagnosis(
            "database", f"{shown} belongs to a newer version", "install the version that made it"
        )
    return Diagnosis(
        "database",
        shown + ("" if found == newest else " (`serve` will bring its tables up to date)"),
    )


def _disk(settings: Settings) -> Diagnosis:
    folder = settings.state_dir.absolute()
    near = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(near).free
    fix = (
        "" if free >= _DISK else f"free some space there, or set {PREFIX}STATE_DIR to another disk"
    )
    return Diagnosis("disk", f"{free / 2**30:.1f} GiB free at {near}", fix)


def _open_files(_settings: Settings) -> Diagnosis:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= _FILES:
        return Diagnosis(
            "open files", "no limit" if hard == resource.RLIM_INFINITY else f"at most {hard}"
        )
    return Diagnosis(
        "open files",
        f"at most {hard}",
        f"allow {_FILES}: ulimit -Hn, or LimitNOFILE= of the service",
    )
