"""The meaning of an origin's answer to a fetch or a push: a final no, a fault that passes, or nothing that is known.

git has one exit status for all of them. It says the difference in words: `git push --porcelain` on its standard
output, curl's and the server's errors on standard error, the server's own text in lines that begin with `remote:`.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from claude_pool_gh.worktrees import faults

_STATUS: Final = re.compile(r"(RPC failed; HTTP |returned error: )(\d{3})\b")
_NO_ROOM: Final = re.compile(
    r"^(?!remote:).*(?:No space left on device|Disk quota exceeded)", re.MULTILINE
)
_PASSING_STATUS: Final = frozenset({401, 407, 408, 425, 429})
"""Besides 5xx. 401: a token that was made this second is not known everywhere yet; the next try makes another.
407 is a proxy's, and no word of GitHub's.
"""
_LIMITED: Final = re.compile(r"rate limit|too many requests|abuse detection", re.IGNORECASE)
_BROKEN: Final = re.compile(
    r"Could not resolve (?:host|proxy)|Failed to connect|Couldn't connect|Connection (?:refused|reset|timed out)"
    r"|CONNECT tunnel failed|Proxy CONNECT aborted|from proxy after CONNECT"
    r"|Operation timed out|Operation too slow|Empty reply from server|Recv failure|Send failure"
    r"|RPC failed; curl|hung up unexpectedly|early EOF|unexpected disconnect|unexpected EOF|invalid index-pack output"
    r"|bad pack header|SSL|gnutls|TLS|HTTP/2 stream|transfer closed|internal server error|timed out"
    r"|could not read Username|Authentication failed",
    re.IGNORECASE,
)
_LOGIN_REFUSED: Final = re.compile(
    r"returned error: 401\b|could not read Username|Authentication failed|Invalid username or",
    re.IGNORECASE,
)
_REMOTE: Final = re.compile(r"^remote:[ \t]?(.*)$", re.MULTILINE)
_REJECTED: Final = re.compile(r"^!\t[^\t]*\t\[([a-z ]+)\](?: \((.*)\))?$", re.MULTILINE)
_PASSING_REASON: Final = re.compile(
    r"failed to update ref|failed to lock|cannot lock ref|unable to (?:create|migrate|write)|unpacker error"
    r"|internal (?:server )?error|timed? ?out|try again|temporar|^failure$|unable to process",
    re.IGNORECASE,
)
_FINAL_TEXT: Final = re.compile(
    r"exists; cannot create|exceeds maximum|maximum allowed size|too large|fsck|GH\d{3}|declined|denied|not allowed",
    re.IGNORECASE,
)
_TEXT_LIMIT: Final = 600


class GitOutcome(Enum):
    """The meaning of a failed command against an origin."""

    refused = "refused"
    """It did not happen, and will not by asking again."""
    moved = "moved"
    """The ref is not where it was expected. Nothing happened."""
    passing = "passing"
    """It may work later; whether it happened is not known."""
    no_room = "no_room"
    """This machine's disk is full."""
    other = "other"
    """Nothing is known of it: git itself could not do it."""


def meaning_of_push(out: str, err: str) -> GitOutcome:
    """The meaning of a failed push, by its report (standard output) and its messages (standard error)."""
    for kind, reason in _REJECTED.findall(out):
        if kind == "rejected":
            return GitOutcome.moved
        if kind == "remote failure":  # the server took it and said nothing
            return GitOutcome.passing
        passes = _PASSING_REASON.search(reason) and not _FINAL_TEXT.search(f"{reason}\n{err}")
        return GitOutcome.passing if passes else GitOutcome.refused
    return meaning_of(err)


def meaning_of(err: str) -> GitOutcome:
    """The meaning of a failed command, by its messages alone."""
    if _NO_ROOM.search(err):
        return GitOutcome.no_room
    if faults.named(err) or "fsck error" in err:
        return GitOutcome.other
    if _LIMITED.search(err):
        return GitOutcome.passing
    if status := _STATUS.search(err):
        # In the second request of an exchange git hides the text, and whoever may not was told so in the first one:
        # a limit, or something that has changed in between, which the next try is told with its text.
        code, second = int(status[2]), status[1].startswith("RPC")
        passes = code >= 500 or code in _PASSING_STATUS or (second and code in (403, 404))
        return GitOutcome.passing if passes else GitOutcome.refused
    if re.search(
        r"^remote: (?:fatal: )?.*(?:exceeds maximum|maximum allowed size)", err, re.MULTILINE
    ):
        return GitOutcome.refused
    if re.search(r"repository '.*' not found|repository corruption on the remote side", err):
        return GitOutcome.refused
    return GitOutcome.passing if _BROKEN.search(err) else GitOutcome.other


def is_login_refused(err: str) -> bool:
    """True where the origin does not know the token that was shown."""
    return _LOGIN_REFUSED.search(err) is not None


def reason_of(out: str, err: str) -> str:
    """The server's own words on why it refused, in one line of plain text; "" where it gave none."""
    said = " ".join(filter(None, map(_clean, _REMOTE.findall(err))))
    reasons = [reason for _, reason in _REJECTED.findall(out) if reason]
    told = reasons[0] if reasons else ""
    if said and told and told.lower() not in said.lower() and "hook declined" not in told:
        said = f"{told}: {said}"
    status = _STATUS.search(err)
    text = said or told or (f"HTTP status {status[2]}" if status else "")
    return text if len(text) <= _TEXT_LIMIT else f"{text[: _TEXT_LIMIT - 1].rstrip()}…"


def _clean(line: str) -> str:
    """A line of the server's without git's own prefixes, rules and progress."""
    text = "".join(each if each.isprintable() else " " for each in line)
    text = re.sub(r"^(?:error|fatal|warning):\s*", "", " ".join(text.split()))
    if not re.search(r"\w", text) or re.match(
        r"(?:Resolving|Counting|Compressing|Enumerating|Processing) ", text
    ):
        return ""
    return text
