"""The questions and acts of `init` on GitHub, as the person who runs it, through PyGithub."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from claude_pool_gh.service.init.files import SECRET, WORKFLOW, ActionReference, ProposedFile

if TYPE_CHECKING:
    from github import Github
    from github.Repository import Repository

BRANCH: Final = "claude-pool/setup"
TITLE: Final = "Set up claude-pool"
_MISSING: Final = frozenset({403, 404})


class Refused(ValueError):
    """A refusal of GitHub's, and what to do about it."""


@dataclass(frozen=True, slots=True)
class SecretSet:
    """The secret has a value."""

    where: str


@dataclass(frozen=True, slots=True)
class SecretAbsent:
    """Neither the repository nor its organization has it."""


@dataclass(frozen=True, slots=True)
class SecretUnknown:
    """Nobody could be asked."""

    why: str


SecretState = SecretSet | SecretAbsent | SecretUnknown


def token(host: str) -> str:
    """The person's token: GITHUB_TOKEN, GH_TOKEN, or what GitHub's own program `gh` has; "" where there is none."""
    if given := os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN"):
        return given
    program = shutil.which("gh")
    if program is None:
        return ""
    command = [program, "auth", "token", "--hostname", host]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    return done.stdout.strip() if done.returncode == 0 else ""


def connect(api_url: str, secret: str) -> Github:
    """A client that answers within seconds or fails: a person is waiting."""
    from github import Auth, Github  # noqa: PLC0415 - slow to import, and `--help` needs none of it

    return Github(
        auth=Auth.Token(secret) if secret else None,
        base_url=api_url,
        retry=None,
        timeout=15,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def newest(client: Github, action: ActionReference, version: str) -> ActionReference:
    """The reference with its commit: that of the release of this version. Raises Refused where there is none."""
    from github import GithubException  # noqa: PLC0415

    if action.commit:
        return action
    tag = f"v{version}"
    try:
        _, answer = client.requester.requestJsonAndCheck(
            "GET", f"/repos/{action.repository}/commits/{tag}"
        )
    except GithubException as error:
        how = f"name the commit: --action {action.repository}@COMMIT"
        raise Refused(f"{action.repository} has no tag {tag} ({_words(error)}): {how}") from error
    return ActionReference(action.repository, str(answer["sha"]), tag)


def secret_state(client: Github, full_name: str) -> SecretState:
    """The state of the Action's secret: whether it has a value. Asked by its name: GitHub tells nobody the value."""
    from github import GithubException  # noqa: PLC0415

    places = {"the repository": "secrets", "its organization": "organization-secrets"}
    try:
        for where, kind in places.items():
            path = f"/repos/{full_name}/actions/{kind}?per_page=100"
            _, answer = client.requester.requestJsonAndCheck("GET", path)
            if any(each.get("name") == SECRET for each in answer.get("secrets") or ()):
                return SecretSet(where)
    except GithubException as error:
        return SecretUnknown(f"GitHub answered: {_words(error)}")
    return SecretAbsent()


def standing(repository: Repository, path: str) -> str | None:
    """The text of a file on the default branch; None where there is none."""
    from github import UnknownObjectException  # noqa: PLC0415

    try:
        found = repository.get_contents(path)
    except UnknownObjectException:
        return None
    return "" if isinstance(found, list) else found.decoded_content.decode(errors="replace")


def open_pull(repository: Repository, proposed: Sequence[ProposedFile], body: str) -> str:
    """Put the files on a new branch and open a pull request; its address. Raises Refused."""
    from github import GithubException  # noqa: PLC0415

    base = repository.default_branch
    try:
        head = repository.get_branch(base).commit.sha
        repository.create_git_ref(f"refs/heads/{BRANCH}", head)
        for each in proposed:
            repository.create_file(each.path, f"Add {each.path}", each.text, branch=BRANCH)
        return repository.create_pull(base=base, head=BRANCH, title=TITLE, body=body).html_url
    except GithubException as error:
        raise Refused(_advice(repository.full_name, error)) from error


def _advice(full_name: str, error: Any) -> str:
    words = _words(error)
    if "already exists" in words:
        return f"{full_name} has the branch {BRANCH} already: merge its pull request, or delete the branch"
    if error.status in _MISSING:
        needs = "contents, pull requests and workflows: write (a classic token: the scopes repo and workflow)"
        return (
            f"GitHub refused to write {WORKFLOW} and its branch ({words}): your token needs {needs}"
        )
    return f"GitHub refused: {words}"


def _words(error: Any) -> str:
    data = error.data if isinstance(error.data, dict) else {}
    return f"{error.status} {data.get('message') or ''}".strip()
