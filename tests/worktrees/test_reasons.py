"""What an origin said, for people: its own words in one line, without git's; and which answers may be others later."""

from __future__ import annotations

import pytest

from claude_pool_gh.worktrees import faults
from claude_pool_gh.worktrees.answers import (
    GitOutcome,
    is_login_refused,
    meaning_of,
    meaning_of_push,
    reason_of,
)

URL = "fatal: unable to access 'https://h/': The requested URL returned error: "
RPC = "error: RPC failed; HTTP "
REFUSED, PASSING, OTHER = GitOutcome.refused, GitOutcome.passing, GitOutcome.other


def rejected(kind: str, reason: str = "") -> str:
    """A report of `git push --porcelain`."""
    told = f" ({reason})" if reason else ""
    return f"To https://h/o/r.git\n!\tabc:refs/heads/x\t[{kind}]{told}\nDone"


@pytest.mark.parametrize(
    ("status", "first", "second"),
    [
        (400, REFUSED, REFUSED),
        (401, PASSING, PASSING),
        (403, REFUSED, PASSING),
        (404, REFUSED, PASSING),
        (408, PASSING, PASSING),
        (413, REFUSED, REFUSED),
        (425, PASSING, PASSING),
        (429, PASSING, PASSING),
        (499, REFUSED, REFUSED),
        (500, PASSING, PASSING),
        (503, PASSING, PASSING),
    ],
)
def test_a_status_says_whether_asking_again_helps_and_in_the_second_request_hides_a_limit(
    status: int, first: GitOutcome, second: GitOutcome
) -> None:
    assert meaning_of(f"{URL}{status}") is first
    assert meaning_of(f"{RPC}{status} curl 22") is second


@pytest.mark.parametrize(
    ("err", "meaning"),
    [
        (f"remote: You have exceeded a secondary rate limit\n{URL}403", PASSING),
        (f"remote: Too Many Requests\n{URL}403", PASSING),
        (f"remote: Write access to repository not granted.\n{URL}403", REFUSED),
        ("remote: fatal: pack exceeds maximum allowed size (2.00 GiB)", REFUSED),
        ("fatal: pack exceeds maximum allowed size", OTHER),  # our own git's word
        ("remote: Repository not found.\nfatal: repository 'https://h/o/r/' not found", REFUSED),
        ("fatal: could not read Username for 'https://h': No such device", PASSING),
        ("fatal: Authentication failed for 'https://h/'", PASSING),
        ("error: Disk quota exceeded", GitOutcome.no_room),
        ("remote: Disk quota exceeded", OTHER),
        ("fatal: fsck error in packed object\nfatal: early EOF", OTHER),
        ("error: object 0123456789abcdef: badTree: x\nfatal: early EOF", OTHER),
        ("", OTHER),
    ],
)
def test_messages_say_whether_it_may_work_later(err: str, meaning: GitOutcome) -> None:
    assert meaning_of(err) is meaning


@pytest.mark.parametrize(
    ("out", "err", "meaning"),
    [
        (rejected("rejected", "stale info"), "", GitOutcome.moved),
        (rejected("rejected"), "", GitOutcome.moved),
        (rejected("remote failure", "remote failed to report status"), "", PASSING),
        (rejected("remote rejected", "failed to update ref"), "", PASSING),
        # the words of what is final outweigh what sounds like a fault that passes
        (rejected("remote rejected", "failed to update ref: exists; cannot create"), "", REFUSED),
        (rejected("remote rejected", "unpacker error"), "remote: fatal: fsck", REFUSED),
        (rejected("remote rejected", "unpacker error"), "", PASSING),
        (rejected("remote rejected", "failure"), "", PASSING),
        (rejected("remote rejected", "a failure of yours"), "", REFUSED),
        (rejected("remote rejected"), "", REFUSED),
        # what is reported of the ref counts, whatever else was said
        (rejected("rejected", "fetch first"), f"{URL}503", GitOutcome.moved),
        ("Done", f"{URL}503", PASSING),
    ],
)
def test_a_report_on_the_ref_goes_before_every_message(
    out: str, err: str, meaning: GitOutcome
) -> None:
    assert meaning_of_push(out, err) is meaning


@pytest.mark.parametrize(
    ("out", "err", "reason"),
    [
        ("", "", ""),
        ("", f"{URL}403", "HTTP status 403"),
        ("", f"remote: Write access not granted.\n{URL}403", "Write access not granted."),
        (rejected("remote rejected", "stale"), "", "stale"),
        (
            rejected("remote rejected", "protected branch"),
            "remote: See the docs",
            "protected branch: See the docs",
        ),
        # what the server said itself is not told twice, and that a hook declined says nothing
        (rejected("remote rejected", "stale info"), "remote: Stale Info", "Stale Info"),
        (
            rejected("remote rejected", "Stale Info"),
            "remote: it is stale info now",
            "it is stale info now",
        ),
        (
            rejected("remote rejected", "pre-receive hook declined"),
            "remote: No secrets",
            "No secrets",
        ),
        (rejected("remote rejected", "pre-receive hook declined"), "", "pre-receive hook declined"),
        # without git's prefixes, rules and progress
        ("", "remote: error: GH013: x\nremote: \nremote: =====\nremote:  - y", "GH013: x - y"),
        ("", "remote: Resolving deltas: 100% (3/3), done.\nremote: fatal: no", "no"),
        ("", "remote: Counting objects: 5\nremote: warning: Large files", "Large files"),
        ("", "remote:no blank", "no blank"),
        ("", "hint: remote: not the server", ""),
        ("", "remote: a\x1b[31m b\tc\u200b d", "a [31m b c d"),
    ],
)
def test_the_reason_is_the_servers_own_words_in_one_plain_line(
    out: str, err: str, reason: str
) -> None:
    assert reason_of(out, err) == reason


def test_a_long_reason_is_cut_and_says_so() -> None:
    whole = "remote: " + "x" * 600
    assert reason_of("", whole) == "x" * 600
    cut = reason_of("", "remote: " + "x" * 598 + " yy")
    assert cut == "x" * 598 + "…"
    assert len(reason_of("", whole + "x")) == 600


@pytest.mark.parametrize(
    ("err", "refused"),
    [
        (f"{URL}401", True),
        (f"{URL}4010", False),
        (f"{URL}403", False),
        ("fatal: could not read Username for 'https://h'", True),
        ("remote: Invalid username or token.", True),
        ("fatal: Authentication failed for 'https://h/'", True),
        ("fatal: Could not resolve host: h", False),
    ],
)
def test_a_token_that_the_origin_does_not_know_is_told_from_other_refusals(
    err: str, *, refused: bool
) -> None:
    assert is_login_refused(err) is refused


@pytest.mark.parametrize(
    ("err", "named"),
    [
        (
            "error: object 0123456789abcdef0123: hasDotgit: contains .git",
            "object 0123456789ab: hasDotgit",
        ),
        ("error: object 0123456: badTree: x", "object 0123456: badTree"),
        ("error: object 012345: badTree: x", ""),
        ("fatal: bad object 0123456789abcdef", ""),
    ],
)
def test_the_object_that_a_fetch_failed_for_is_named(err: str, named: str) -> None:
    assert faults.named(err) == named
