"""Reads from GitHub which repositories a fleet has, and where their default branches stand, through PyGithub.

Nothing is written, so only reads are tried again. PyGithub by itself also repeats a POST that ended with a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from claude_pool_gh.config.load import HOME, PATH, Layer
from claude_pool_gh.service.audit.fleet.options import (
    Found,
    Installations,
    Named,
    Organization,
    Source,
)
from claude_pool_gh.service.audit.refused import AuditRefused
from claude_pool_gh.service.init import operator
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.service.shell.terminal import print_note
from claude_pool_gh.worktrees.git import Credentials

if TYPE_CHECKING:
    from github import Github
    from github.Auth import AppAuth
    from github.Installation import Installation
    from github.Repository import Repository

_SECONDS: Final = 15
_TRIES: Final = 3
_FAULTS: Final = (500, 502, 503, 504)
_NOT_THERE: Final = "GitHub does not have it, or your token may not read it"
_SIGN_IN: Final = (
    "set GITHUB_TOKEN to a token that may read contents, or sign in with `gh auth login`"
)
_REFUSED_APP: Final = (
    "GitHub does not accept the App's id and private key: check --app-id and --private-key-file"
)
_APP: Final = (
    "--installation reads as your GitHub App: name it with --app-id and --private-key-file"
)


class Unreadable(Exception):
    """The reason why a repository cannot be read.

    `passing`: it says nothing of the repository, and a later try may. `missing`: GitHub says that there is none.
    """

    def __init__(self, reason: str, *, passing: bool = False, missing: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.passing, self.missing = reason, passing, missing


@dataclass(slots=True)
class Reader:
    """GitHub as whoever runs the command sees it. Its methods wait for answers: call them in a thread."""

    settings: Settings
    _clients: dict[int, tuple[Github, Callable[[], str]]] = field(default_factory=dict)
    """By installation, each with what gives its token; under 0 that of a person."""
    _defaults: dict[tuple[str, int], Layer | None] = field(default_factory=dict)
    _reading_defaults: Lock = field(default_factory=Lock)

    def every(self, source: Source) -> list[Found]:
        """The repositories of a fleet in GitHub's order. Raises AuditRefused where they cannot be listed."""
        try:
            with _in_words(as_app=isinstance(source, Installations)):
                match source:
                    case Organization(name):
                        return self._of_organization(name)
                    case Installations(only):
                        return self._of_installations(only)
                    case Named(_, names):
                        return [self._named(each) for each in names]
        except Unreadable as error:
            raise AuditRefused(f"the repositories cannot be listed: {error.reason}") from error

    def head(self, found: Found) -> str:
        """The commit of the default branch now. Raises Unreadable."""
        from github import UnknownObjectException  # noqa: PLC0415 - slow to import

        with _in_words(as_app=bool(found.installation_id)):
            client, _ = self._client(found.installation_id)
            try:
                _, answer = client.requester.requestJsonAndCheck("GET", _branch_path(found))
            except UnknownObjectException as error:
                if _is_there(client, found.full_name):
                    raise Unreadable("it has no commit on its default branch") from error
                raise
            return str(answer["commit"]["sha"])

    def defaults(self, found: Found) -> Layer | None:
        """The configuration that its organization has for all its repositories. Raises Unreadable where that passes.

        One that is there and cannot be read is told once.
        """
        owner, _, name = found.full_name.partition("/")
        if name == HOME:
            return None
        key = (owner.lower(), found.installation_id)
        with self._reading_defaults:  # repositories of one owner are prepared beside each other
            if key not in self._defaults:
                self._defaults[key] = self._told(f"{owner}/{HOME}", found.installation_id)
        return self._defaults[key]

    def _told(self, home: str, installation_id: int) -> Layer | None:
        try:
            return self._read(home, installation_id)
        except Unreadable as error:
            if error.passing:
                raise
            if not error.missing:
                print_note(f"the configuration of {home} is not used in this run: {error.reason}")
            return None

    def _read(self, home: str, installation_id: int) -> Layer | None:
        with _in_words(as_app=bool(installation_id)):
            client, _ = self._client(installation_id)
            file = client.get_repo(home).get_contents(PATH)
        if isinstance(file, list):
            raise Unreadable(f"{PATH} is a folder")
        if file.encoding != "base64":
            raise Unreadable(f"{PATH} is too large")
        return Layer(home, file.decoded_content.decode(errors="replace"), file.sha)

    def credentials(self, found: Found) -> Credentials:
        """The means to fetch it. Raises Unreadable."""
        with _in_words(as_app=bool(found.installation_id)):
            _, token = self._client(found.installation_id)
            url = f"{self.settings.github_server_url.rstrip('/')}/{found.full_name}.git"
            return Credentials(token(), url, self.settings.proxy)

    def _client(self, installation_id: int) -> tuple[Github, Callable[[], str]]:
        if (known := self._clients.get(installation_id)) is not None:
            return known
        if installation_id:
            for installation in self._installations():
                self._keep(installation)
            if installation_id not in self._clients:
                raise Unreadable("the App is not installed there any more")
        else:
            secret = operator.token(_host(self.settings.github_server_url))
            if not secret:
                raise Unreadable(f"there is no token for GitHub: {_SIGN_IN}", passing=True)
            self._clients[0] = (_connected(self.settings.github_api_url, secret), lambda: secret)
        return self._clients[installation_id]

    def _keep(self, installation: Installation) -> None:
        client = installation.get_github_for_installation()
        auth = client.requester.auth
        if auth is not None:
            self._clients[installation.id] = (client, lambda: auth.token)

    def _installations(self) -> list[Installation]:
        from github import GithubIntegration  # noqa: PLC0415 - slow to import

        auth = self._app()
        more: dict[str, Any] = _calm()
        return list(
            GithubIntegration(
                auth=auth, base_url=self.settings.github_api_url, **more
            ).get_installations()
        )

    def _app(self) -> AppAuth:
        from github import Auth  # noqa: PLC0415 - slow to import
        from jwt import PyJWTError  # noqa: PLC0415

        try:
            key = self.settings.key
            if not self.settings.app_id or not key:
                raise Unreadable(_APP, passing=True)
            auth = Auth.AppAuth(self.settings.app_id, key)
            auth.create_jwt()
        except (OSError, ValueError, PyJWTError) as error:
            words = (
                f"the App's private key cannot be used ({error}): name another --private-key-file"
            )
            raise Unreadable(words, passing=True) from error
        return auth

    def _of_organization(self, name: str) -> list[Found]:
        from github.PaginatedList import PaginatedList  # noqa: PLC0415
        from github.Repository import Repository  # noqa: PLC0415

        client, _ = self._client(0)
        listed: PaginatedList[Repository] = PaginatedList(
            Repository, client.requester, f"/orgs/{quote(name, safe='')}/repos", {"per_page": 100}
        )
        return [_found(each, 0) for each in listed]

    def _of_installations(self, only: int | None) -> list[Found]:
        every = self._installations()
        chosen = [each for each in every if only in (None, each.id)]
        if not chosen:
            known = ", ".join(str(each.id) for each in every) or "none"
            raise AuditRefused(f"the App has no installation {only or ''}; it has: {known}")
        found: list[Found] = []
        for each in chosen:
            self._keep(each)
            found += [_found(repository, each.id) for repository in each.get_repos()]
        return found

    def _named(self, name: str) -> Found:
        client, _ = self._client(0)
        try:
            with _in_words():
                return _found(client.get_repo(name), 0)
        except Unreadable as error:
            if error.passing:
                raise
            return Found(full_name=name, unreadable=error.reason)


def _found(one: Repository, installation_id: int) -> Found:
    return Found(
        id=one.id,
        full_name=one.full_name,
        installation_id=installation_id,
        default_branch=one.default_branch,
        kilobytes=one.size,
        archived=one.archived,
        topics=tuple(one.topics or ()),
        language=one.language or "",
    )


def _branch_path(found: Found) -> str:
    return f"/repos/{found.full_name}/branches/{quote(found.default_branch, safe='')}"


def _is_there(client: Github, full_name: str) -> bool:
    from github import GithubException  # noqa: PLC0415

    try:
        client.get_repo(full_name)
    except GithubException:
        return False
    return True


def _connected(api_url: str, secret: str) -> Github:
    from github import Auth, Github  # noqa: PLC0415

    more: dict[str, Any] = _calm()
    return Github(auth=Auth.Token(secret), base_url=api_url, **more)


def _calm() -> dict[str, Any]:
    """The manner of asking: no pauses, and reads alone are tried again."""
    from urllib3 import Retry  # noqa: PLC0415

    retry = Retry(
        total=_TRIES,
        allowed_methods={"GET"},
        status_forcelist=_FAULTS,
        backoff_factor=0.5,
        respect_retry_after_header=False,
        raise_on_status=False,
    )
    return {
        "retry": retry,
        "timeout": _SECONDS,
        "seconds_between_requests": None,
        "seconds_between_writes": None,
    }


@contextmanager
def _in_words(*, as_app: bool = False) -> Iterator[None]:
    """Errors of GitHub, and of the way there, as Unreadable."""
    from github import GithubException, RateLimitExceededException  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415

    try:
        yield
    except RateLimitExceededException as error:
        raise Unreadable("GitHub's rate limit is used up for now", passing=True) from error
    except GithubException as error:
        status = int(error.status or 0)
        if status in _FAULTS:
            raise Unreadable(f"GitHub answered with a fault ({status})", passing=True) from error
        if status == 401:
            # A token that has expired says nothing of a repository: the next command may bring a better one.
            words = _REFUSED_APP if as_app else f"GitHub does not accept the token: {_SIGN_IN}"
            raise Unreadable(words, passing=True) from error
        missing = status == 404
        raise Unreadable(_NOT_THERE if missing else _refusal(error), missing=missing) from error
    except RequestException as error:
        raise Unreadable("GitHub could not be reached", passing=True) from error


def _refusal(error: Any) -> str:
    data = error.data if isinstance(error.data, dict) else {}
    return f"GitHub refused ({error.status}): {data.get('message') or 'no reason given'}"


def _host(server_url: str) -> str:
    return urlsplit(server_url).hostname or "github.com"
