"""`claude-pool-gh init`: the Action's files, in a local clone or as a pull request, after a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from claude_pool_gh.service.init import operator, remote
from claude_pool_gh.service.init.files import (
    CONFIGURATION,
    SECRET,
    WORKFLOW,
    ActionReference,
    ProposedFile,
    compared,
    configuration,
    workflow,
)
from claude_pool_gh.service.plain import echo
from claude_pool_gh.service.settings import Settings

_UNKNOWN: Final = "OWNER/claude-pool-gh"
_BODY: Final = """\
Adds the workflow that obeys `/pool` commands, and a configuration in which every key is commented out.

The workflow works once it is on the default branch and the secret `{secret}` is set: {how}
Then comment `/pool help` on a pull request.
"""


@dataclass(frozen=True, slots=True)
class ActionOptions:
    """The options of `init`."""

    settings: Settings
    folder: Path
    remote: str
    action: str
    pull_request: bool
    yes: bool
    dry_run: bool
    as_json: bool = False

    def say(self, text: str) -> None:
        """Tell the person, beside the result where that is JSON."""
        echo(text, err=self.as_json)


@dataclass(frozen=True, slots=True)
class ChangedFiles:
    """The files that were wanted, those that were written, and the pull request that has them."""

    files: Sequence[ProposedFile]
    written: Sequence[ProposedFile] = ()
    pull_request: str | None = None


@dataclass(frozen=True, slots=True)
class ActionSetUp:
    """The result of `init`."""

    repository: str
    action: str
    changed: ChangedFiles
    secret_set: bool | None
    """None: not known."""

    def as_json(self) -> Mapping[str, Any]:
        """The result for programs."""
        files = self.changed.files
        return {
            "repository": self.repository,
            "action": self.action,
            "files": [
                {"path": each.path, "standing": each.standing.name.lower(), "text": each.text}
                for each in files
            ],
            "written": [each.path for each in self.changed.written],
            "pull_request": self.changed.pull_request,
            "secret_set": self.secret_set,
        }


def set_up(wishes: ActionOptions) -> ActionSetUp:
    """Write the files or open the pull request. Raises ClickException with what is in the way."""
    try:
        clone = remote.read(wishes.folder, wishes.remote)
        _check_host(clone.remote.host, wishes.settings)
        secret = operator.token(clone.remote.host)
        reference = _action(wishes, secret)
        texts = {WORKFLOW: workflow(reference), CONFIGURATION: configuration()}
        if wishes.pull_request:
            changed = _by_pull_request(wishes, clone.remote, secret, texts)
        else:
            changed = _in_the_clone(wishes, clone, texts)
        is_set = None if wishes.dry_run else _tell_secret(wishes, clone.remote, secret)
        pinned = f"{reference.repository}@{reference.commit or 'COMMIT'}"
        return ActionSetUp(clone.remote.full_name, pinned, changed, is_set)
    except (remote.NoRemote, operator.Refused) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(_trouble(error, wishes.settings)) from error


def _trouble(error: OSError, settings: Settings) -> str:
    """The trouble outside of us. The errors of `requests` are of this kind too; they have no number."""
    if error.errno is None:
        return f"{settings.github_api_url} cannot be reached ({type(error).__name__})"
    return f"{error.filename or 'a file'} cannot be written: {error.strerror}"


def _check_host(host: str, settings: Settings) -> None:
    expected = (urlsplit(settings.github_server_url).hostname or "").lower()
    if host != expected:
        how = f"GITHUB_SERVER_URL=https://{host} GITHUB_API_URL=https://{host}/api/v3"
        raise remote.NoRemote(
            f"the remote is on {host}, not on {expected}: for an Enterprise Server, export {how}"
        )


def _action(wishes: ActionOptions, secret: str) -> ActionReference:
    """The Action by its commit, asked for where nobody has named it. A dry run says what it does not know."""
    named = wishes.action
    if not named and wishes.dry_run:
        wishes.say(
            "Not known yet, and shown as OWNER and COMMIT: whose copy of the action, and its commit. Name it: "
            f"--action {_UNKNOWN}"
        )
        return ActionReference(_UNKNOWN)
    if not named and not wishes.yes:
        named = click.prompt(f"Repository of the action, such as {_UNKNOWN}", err=wishes.as_json)
    if not named:
        raise click.UsageError(f"name the action's repository: --action {_UNKNOWN}")
    try:
        found = ActionReference.parsed(named)
    except ValueError as error:
        raise click.UsageError(f"--action: {error}") from error
    client = operator.connect(wishes.settings.github_api_url, secret)
    try:
        found = operator.newest(client, found, version("claude-pool-gh"))
    except (operator.Refused, OSError) as error:
        if not wishes.dry_run:
            raise
        why = error if isinstance(error, operator.Refused) else _trouble(error, wishes.settings)
        wishes.say(f"Not known yet, and shown as COMMIT: the action's commit. {why}")
        return found
    wishes.say(f"The action is pinned to {found.repository} at {found.commit}")
    return found


def _in_the_clone(
    wishes: ActionOptions, clone: remote.Clone, texts: Mapping[str, str]
) -> ChangedFiles:
    wishes.say(f"{clone.remote.full_name}, cloned in {clone.root}")
    proposed = [compared(path, text, _read(clone.root / path)) for path, text in texts.items()]
    wanted = _agreed(wishes, proposed, "Write")
    for each in wanted:
        path = clone.root / each.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(exist_ok=False)  # never over what came there meanwhile
        try:
            path.write_text(each.text, "utf-8")
        except OSError:
            path.unlink()  # half a file would be taken for somebody's own
            raise
    if wanted:
        names = " ".join(each.path for each in wanted)
        wishes.say(f"Written. Look at them, and bring them to the default branch: git add {names}")
    return ChangedFiles(proposed, wanted)


def _read(path: Path) -> str | None:
    return path.read_text("utf-8", errors="replace") if path.exists() else None


def _by_pull_request(
    wishes: ActionOptions, there: remote.Remote, secret: str, texts: Mapping[str, str]
) -> ChangedFiles:
    from github import GithubException  # noqa: PLC0415 - slow to import

    if not secret:
        raise operator.Refused(
            "a pull request needs a token: set GITHUB_TOKEN, or run `gh auth login`"
        )
    wishes.say(f"{there.full_name} on {wishes.settings.github_server_url}")
    try:
        repository = operator.connect(wishes.settings.github_api_url, secret).get_repo(
            there.full_name
        )
        proposed = [
            compared(path, text, operator.standing(repository, path))
            for path, text in texts.items()
        ]
    except GithubException as error:
        raise operator.Refused(
            f"{there.full_name} cannot be read ({error.status}): check the token"
        ) from error
    wanted = _agreed(wishes, proposed, "Open a pull request with")
    if not wanted:
        return ChangedFiles(proposed)
    body = _BODY.format(secret=SECRET, how=_how(wishes.settings, there))
    address = operator.open_pull(repository, wanted, body)
    wishes.say(f"Opened {address}")
    return ChangedFiles(proposed, wanted, address)


def _agreed(
    wishes: ActionOptions, proposed: Sequence[ProposedFile], verb: str
) -> list[ProposedFile]:
    """The files that are to be written: none in a dry run, none without a yes."""
    for each in proposed:
        wishes.say(f"  {each.path}: {each.standing}")
        if wishes.dry_run:
            wishes.say("".join(f"    {line}\n" for line in each.text.splitlines()))
    wanted = [each for each in proposed if each.wanted]
    if wishes.dry_run:
        wishes.say("Nothing was written: this was a dry run.")
        return []
    if not wanted:
        wishes.say("There is nothing to write.")
        return []
    question = f"{verb} {'this file' if len(wanted) == 1 else 'these files'}?"
    if not wishes.yes and not click.confirm(question, err=wishes.as_json):
        raise click.ClickException("nothing was written")
    return wanted


def _tell_secret(wishes: ActionOptions, there: remote.Remote, secret: str) -> bool | None:
    """Check whether the key is where the workflow looks for it, and tell how to put it there; None: not known."""
    settings = wishes.settings
    state: operator.SecretState = operator.SecretUnknown("no token to ask GitHub with")
    if secret:
        client = operator.connect(settings.github_api_url, secret)
        state = operator.secret_state(client, there.full_name)
    how = _how(settings, there)
    wishes.say(f"Secret {SECRET}: {_told(state, how)}")
    wishes.say("Then comment `/pool help` on a pull request.")
    return None if isinstance(state, operator.SecretUnknown) else state != operator.SecretAbsent()


def _told(state: operator.SecretState, how: str) -> str:
    match state:
        case operator.SecretSet(where=where):
            return f"set in {where}."
        case operator.SecretAbsent():
            return f"not set. Set it: {how}"
        case operator.SecretUnknown(why=why):
            return f"not checked ({why}). If it is not set: {how}"


def _how(settings: Settings, there: remote.Remote) -> str:
    page = (
        f"{settings.github_server_url.rstrip('/')}/{there.full_name}/settings/secrets/actions/new"
    )
    host = "" if there.host == "github.com" else f"{there.host}/"
    return f"gh secret set {SECRET} --repo {host}{there.full_name}, or {page}"
