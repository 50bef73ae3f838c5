"""The errors of GitHub, sorted by their meaning.

ForgeError
|- ForgeUnavailable   no answer, or 5xx: what was asked may or may not have happened
|  |- Unreadable      an answer, but not in the form that GitHub documents: of a proxy, or half of one
|  |  `- RefusedOnTheWay  a 4xx that is not GitHub's own: of something in between
|  `- OperatorNeeded  it works again when whoever runs this server has changed something
|     `- ProxyLogin   a proxy on the way does not take the server's login
|- RateLimited        asked to wait; `seconds` says how long
|- Unfinished         taken, and GitHub works on it: it is asked again how that went
`- ForgeRefused       4xx: it did not happen and will not by asking again
   |- NotAsApproved   what was approved does not hold any more
   |- PushDeclined    GitHub does not take this commit on this branch
   |- GivenUp         it was not GitHub that said no
   |- NotAdmitted     the App has no access to the account or the repository now
   `- NotFound        404 or 410
      |- Moved        it is in another repository now
      `- NotOurs      what is there under its id is somebody else's

Three kinds that nothing may mix up: a refusal is told at once with its own reason, a fault that passes is tried again,
and after silence it is looked up what happened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from claude_pool_gh.terms.waits import seconds, seconds_until

_PASSING: Final = frozenset({408, 425})
_PROXY_LOGIN: Final = 407
_LIMITS: Final = ("rate limit", "abuse detection", "too many requests", "submitted too quickly")
"""Limits that GitHub announces in words only: with 403, and of comments with 422."""
_DEFAULT_WAIT: Final = 60.0


class ForgeError(Exception):
    """Root of GitHub's errors. The text is for operators."""


class ForgeUnavailable(ForgeError):
    """GitHub did not answer, or with its own failure. The outcome of a write is unknown."""


class Unreadable(ForgeUnavailable):
    """GitHub's answer has not the form that it documents: a proxy's page, half a body, another kind of value."""


class RefusedOnTheWay(Unreadable):
    """A refusal that is not GitHub's own. A proxy may be out of order, or refuse exactly these words every time."""


class OperatorNeeded(ForgeUnavailable):
    """Nothing works before the operator of this server has changed something. Until then it is tried again."""

    do: ClassVar = (
        "run `claude-pool-gh doctor`: it is the App's id, its private key, or this machine's clock"
    )


class ProxyLogin(OperatorNeeded):
    """A proxy on the way does not take the login that the server has for it, or asks for one."""

    do: ClassVar = "check the name and password in CLAUDE_POOL_PROXY"


class RateLimited(ForgeError):
    """GitHub asks to wait. `told`: it says how long; else it has to be longer each time that it asks again."""

    def __init__(self, seconds: float, *, told: bool = True) -> None:
        super().__init__(f"GitHub asks to wait {seconds:.0f} seconds")
        self.seconds, self.told = seconds, told


class Unfinished(ForgeError):
    """GitHub has taken it and works on it. `note`: what it is asked for by, in `seconds`."""

    def __init__(self, note: str, seconds: float) -> None:
        super().__init__("GitHub has taken it and has not finished it yet")
        self.note, self.seconds = note, seconds


class ForgeRefused(ForgeError):
    """GitHub said no. `permissions`: those that would have allowed it, where GitHub names them."""

    def __init__(self, status: int, message: str, permissions: str = "") -> None:
        needs = f" (needs the permission {permissions})" if permissions else ""
        super().__init__(f"GitHub answered {status}: {message[:500]}{needs}")
        self.status, self.message, self.permissions = status, message, permissions


class NotAsApproved(ForgeRefused):
    """Raised where what a person approved does not hold any more; GitHub was not even asked.

    The text is for that person.
    """

    def __init__(self, message: str) -> None:
        super().__init__(409, message)

    def __str__(self) -> str:
        return self.message


class PushDeclined(ForgeRefused):
    """GitHub does not take this commit on this branch. The text, GitHub's own, is for whoever approved it."""

    def __init__(self, message: str) -> None:
        super().__init__(422, message)

    def __str__(self) -> str:
        return self.message


class GivenUp(ForgeRefused):
    """Tried often enough, and written never: for a reason of our own, or of something between us and GitHub."""

    def __init__(self, message: str) -> None:
        super().__init__(0, message)

    def __str__(self) -> str:
        return self.message


class NotAdmitted(ForgeRefused):
    """The App is suspended, or not installed there any more. What was wanted waits until it is back."""

    do: ClassVar = "let the account's owner lift the suspension, or install the App there again"


class NotFound(ForgeRefused):
    """There is no such thing, or we may not see it."""


class Moved(NotFound):
    """A thing that was moved to another repository: here it is not any more."""

    def __init__(self) -> None:
        super().__init__(410, "moved to another repository")


class NotOurs(NotFound):
    """A thing that others made stands under an id that our rows have: they may have been written by others too."""

    def __init__(self) -> None:
        super().__init__(404, "replaced by what others wrote")


def sort_refusal(status: int, message: str, headers: Mapping[str, str]) -> ForgeError:
    """The meaning of a status outside 2xx. 403, 422 and 429 can all be a limit."""
    if status == _PROXY_LOGIN:
        return sort_proxy_refusal(status, message)
    if status >= 500 or status in _PASSING or status < 400:
        return ForgeUnavailable(f"GitHub answered {status}: {message[:200]}")
    if status == 429 or (status in (403, 422) and _is_limit(status, message, headers)):
        wait = _wait(headers)
        return RateLimited(wait or _DEFAULT_WAIT, told=bool(wait))
    if status in (404, 410):
        return NotFound(status, message)
    permissions = headers.get("x-accepted-github-permissions", "") if status in (401, 403) else ""
    return ForgeRefused(status, message, permissions)


def sort_proxy_refusal(status: int, message: str) -> ForgeUnavailable:
    """The meaning of a proxy's own refusal to ask GitHub at all."""
    said = f"the proxy on the way to GitHub answered {status}: {message[:200]}"
    if status == _PROXY_LOGIN:
        return ProxyLogin(said)
    return ForgeUnavailable(said)


def _is_limit(status: int, message: str, headers: Mapping[str, str]) -> bool:
    if any(words in message.lower() for words in _LIMITS):
        return True
    return status == 403 and (
        "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    )


def sort_query_refusal(errors: Any) -> ForgeError:
    """The meaning of an answer of the GraphQL API that holds errors: it says their kinds in words, under status 200."""
    listed = (
        [each for each in errors if isinstance(each, Mapping)]
        if isinstance(errors, Sequence)
        else []
    )
    message = str(listed[0].get("message", "")) if listed else "an error without a word"
    kinds = {str(each.get("type", "")) for each in listed}
    if "RATE_LIMITED" in kinds or any(words in message.lower() for words in _LIMITS):
        return RateLimited(_DEFAULT_WAIT, told=False)
    if "NOT_FOUND" in kinds:
        return NotFound(404, message)
    if "SERVICE_UNAVAILABLE" in kinds or "INTERNAL" in kinds or "Something went wrong" in message:
        return ForgeUnavailable(message)  # GitHub's own failures come as errors of a query too
    return ForgeRefused(403 if "FORBIDDEN" in kinds else 422, message)


def is_worded(body: bytes) -> bool:
    """True where the body of a refusal may be GitHub's: JSON, or nothing. A page comes from something in between."""
    try:
        json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return False
    return True


def message_of(body: bytes) -> str:
    """GitHub's own sentence in the body of a refusal, with what it says of each field; never raises."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return "an answer that is no JSON"
    if not isinstance(said, Mapping):
        return "an answer of another form"
    errors = said.get("errors")
    listed = errors if isinstance(errors, Sequence) and not isinstance(errors, str) else [errors]
    parts = [str(said.get("message") or ""), "; ".join(filter(None, map(_error, listed)))]
    return ": ".join(filter(None, parts)) or "no reason given"


def _error(error: Any) -> str:
    if isinstance(error, str):
        return error
    if not isinstance(error, Mapping):
        return ""
    if error.get("message"):
        return str(error["message"])
    return " ".join(str(error[name]) for name in ("field", "code") if error.get(name))


def _wait(headers: Mapping[str, str]) -> float:
    """Seconds to wait: as told, else until the reset; 0 where neither says anything of this limit."""
    if after := seconds(headers.get("retry-after")):
        return after
    if headers.get("x-ratelimit-remaining") != "0":
        return 0.0
    rest = seconds_until(headers.get("x-ratelimit-reset"))
    return rest if rest > 1 else 0.0  # one that has passed
