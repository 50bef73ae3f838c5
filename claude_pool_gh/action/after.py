"""The Action's last step: says in the thread what no earlier step could. Standard library only, until it must not be.

A job that was misconfigured, or that could not be installed, says so in a comment where its token allows that. One
whose run was killed has left a comment that says "running": what was begun is ended from its database.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from claude_pool_gh.action import look, protocol

_SECONDS = 10
_MAY = frozenset({"admin", "maintain", "write"})
_NEVER_RAN = "the run was ended before it began, or what it needs could not be installed"

_CRASHED = "an error on claude-pool's own side ended the run before it began: run the job again"

_LEFT = "what the run needs was removed before it had ended: what it had begun is ended by the next job of this thread"


class Thread:
    """The issue or pull request that the job was about, reached with the job's token."""

    def __init__(self, environment: Mapping[str, str], number: int) -> None:
        self._token = environment.get("GITHUB_TOKEN", "").strip()
        api = environment.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
        self._base = f"{api}/repos/{environment.get('GITHUB_REPOSITORY', '')}"
        self._number = number

    def may_command(self, login: str) -> bool:
        """True where an account may write here. Strangers are not told how the repository is set up."""
        answer = self._ask(f"/collaborators/{urllib.parse.quote(login, safe='')}/permission")
        return bool(_MAY & {str(answer.get("permission")), str(answer.get("role_name"))})

    def say(self, body: str) -> None:
        """Comment."""
        self._ask(f"/issues/{self._number}/comments", {"body": body})

    def _ask(self, path: str, body: Any = None) -> Mapping[str, Any]:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/vnd.github+json",
            "User-Agent": "claude-pool-gh",
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data=data, headers=headers)  # noqa: S310 - the runner's URL
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
            answer = json.load(response)
        return answer if isinstance(answer, dict) else {}


def tell(environment: Mapping[str, str], fault: str) -> None:
    """Say in the thread why nothing was run, to somebody who may command here. Where that cannot be, the log has it."""
    try:
        _, payload = look.event_of(environment)
        number = int(environment.get("POOL_NUMBER", "").strip() or look.thread_of(payload) or 0)
        login = str(
            (payload.get("sender") or {}).get("login") or environment.get("GITHUB_ACTOR", "")
        )
        if not (number and login and environment.get("GITHUB_TOKEN")):
            return
        thread = Thread(environment, number)
        if thread.may_command(login):
            thread.say(f"claude-pool could not do what was asked for. {fault}{_page(environment)}")
    except (look.Fault, OSError, ValueError) as error:
        status = f" {error.code}" if isinstance(error, urllib.error.HTTPError) else ""
        protocol.say(f"Nothing could be said in the thread ({type(error).__name__}{status}).")


def _page(environment: Mapping[str, str]) -> str:
    """A link to the job's page."""
    server, repository = environment.get("GITHUB_SERVER_URL"), environment.get("GITHUB_REPOSITORY")
    run = environment.get("GITHUB_RUN_ID")
    if not (server and repository and run):
        return ""
    return f"\n\n[The job's page]({server}/{repository}/actions/runs/{run}) has its log."


def main() -> int:
    """Look at what the earlier steps have left, and finish it; the key of the states is left to no later step."""
    try:
        return _finish(os.environ)
    except Exception as error:  # noqa: BLE001 - a runner's log is public
        protocol.say(f"What the earlier steps have left is not looked at ({type(error).__name__}).")
        return 0
    finally:
        forget_key(os.environ)


def forget_key(environment: Mapping[str, str]) -> None:
    """Remove the key that this job's states are signed with, where it was noted for the last step."""
    with suppress(FileNotFoundError):
        os.unlink(f"{protocol.home(environment)}-state/pool.held")  # noqa: PTH108


def _finish(environment: Mapping[str, str]) -> int:
    if environment.get("POOL_FAULT"):
        tell(environment, environment["POOL_FAULT"])
        return 0
    if environment.get("POOL_WORK") != "true" or environment.get("POOL_OUTCOME"):
        return 0
    home = protocol.home(environment)
    why = _CRASHED if environment.get("POOL_CRASHED") else _NEVER_RAN
    if os.path.exists(f"{home}-state/pool.sqlite"):  # noqa: PTH110
        python = os.path.join(home, "bin", "python")  # noqa: PTH118 - it forgets the key itself
        with suppress(OSError):
            os.execv(python, [python, "-s", "-m", "claude_pool_gh.action.cleanup"])  # noqa: S606
        why = _LEFT
    protocol.output(outcome="failed", cost_usd="0.000000")
    tell(environment, f"{why[:1].upper()}{why[1:]}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
