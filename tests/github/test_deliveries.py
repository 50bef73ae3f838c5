"""What GitHub signed comes in, and nothing else."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.github.deliveries import (
    LEAST_SECRET,
    Rejected,
    VerifiedDelivery,
    check_secrets,
    verify,
)

SECRET = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2
BODY = b'{"action": "created", "x": [1, "\xc3\xbc"]}'


def signature(body: bytes = BODY, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(
    body: bytes = BODY, given: str | None = None, secrets: Sequence[str] = (SECRET,), **headers: Any
) -> VerifiedDelivery | Rejected:
    """Verify a POST; `given` is its signature, by default the right one."""
    sent = {
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-GitHub-Event": "issue_comment",
        "X-Hub-Signature-256": signature(body) if given is None else given,
    }
    return verify(
        secrets, sent | {name.replace("_", "-"): value for name, value in headers.items()}, body
    )


def status(found: VerifiedDelivery | Rejected) -> int:
    return found.status if isinstance(found, Rejected) else 202


def test_a_signed_delivery_comes_in_as_it_was_sent() -> None:
    assert post() == VerifiedDelivery(
        "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "issue_comment",
        {"action": "created", "x": [1, "ü"]},
    )


def test_the_known_example_of_github_verifies() -> None:
    # https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries, whose secret is too short here
    known = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature(b"Hello, World!", "It's a Secret to Everybody") == f"sha256={known}"


RIGHT = signature()
WRONG = {
    "missing": "",
    "SHA-1": "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest(),
    "SHA-512": "sha512=" + hmac.new(SECRET.encode(), BODY, hashlib.sha512).hexdigest(),
    "another secret": signature(secret=OTHER),
    "the signature of no secret": signature(secret=""),
    "without its name": RIGHT.removeprefix("sha256="),
    "upper-case digits": "sha256=" + RIGHT.removeprefix("sha256=").upper(),
    "upper-case name": RIGHT.replace("sha256", "SHA256"),
    "space before": f" {RIGHT}",
    "space after": f"{RIGHT} ",
    "line after": f"{RIGHT}\n",
    "cut": RIGHT[:-1],
    "longer": f"{RIGHT}0",
    "twice": f"{RIGHT},{RIGHT}",
    "not hexadecimal": RIGHT[:-1] + "g",
    "other digits": RIGHT[:-1] + "\u0665",
    "only its name": "sha256=",
    "the signature of another body": signature(BODY + b" "),
}


@pytest.mark.parametrize("case", WRONG)
def test_any_other_signature_is_refused(case: str) -> None:
    assert status(post(given=WRONG[case])) == 401


def test_a_delivery_without_the_header_is_refused() -> None:
    headers = {
        "X-GitHub-Delivery": "72d3162e-cc78",
        "X-GitHub-Event": "ping",
        "X-Hub-Signature": WRONG["SHA-1"],
    }
    assert verify([SECRET], headers, BODY) == Rejected(401, "no SHA-256 signature")


def test_one_flipped_bit_anywhere_is_refused() -> None:
    for at in range(len(BODY)):
        for bit in range(8):
            body = bytearray(BODY)
            body[at] ^= 1 << bit
            assert status(post(bytes(body), RIGHT)) == 401


@pytest.mark.parametrize("at", range(7, 71))
def test_one_other_digit_of_the_signature_is_refused(at: int) -> None:
    digit = "0" if RIGHT[at] != "0" else "1"
    assert status(post(given=RIGHT[:at] + digit + RIGHT[at + 1 :])) == 401


@settings(deadline=None)
@given(st.binary(max_size=90))
def test_no_bytes_in_the_header_break_the_check(header: bytes) -> None:
    assert status(post(given=header.decode("utf-8", "surrogateescape"))) == 401
    assert status(post(given=header.decode("latin-1"))) == 401
    assert status(post(given=RIGHT[:-1] + header.decode("utf-8", "surrogateescape"))) in (401, 202)


@pytest.mark.parametrize(
    ("secrets", "signed_with", "wanted"),
    [
        ((SECRET, OTHER), SECRET, 202),
        ((SECRET, OTHER), OTHER, 202),
        ((OTHER,), SECRET, 401),
        ((SECRET, OTHER), "x" * 32, 401),
    ],
)
def test_two_secrets_are_valid_while_they_are_changed(
    secrets: tuple[str, ...], signed_with: str, wanted: int
) -> None:
    assert status(post(given=signature(secret=signed_with), secrets=secrets)) == wanted


@pytest.mark.parametrize(
    "secrets", [(), ("",), ("x" * (LEAST_SECRET - 1),), (SECRET, "short"), (SECRET, "")]
)
def test_a_server_without_a_good_secret_does_not_start_nor_verify(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="WEBHOOK_SECRET"):
        check_secrets(secrets)
    with pytest.raises(ValueError, match="WEBHOOK_SECRET"):
        post(secrets=secrets, given=signature(secret=secrets[-1] if secrets else ""))


def test_a_secret_of_the_least_length_is_enough() -> None:
    check_secrets(["x" * LEAST_SECRET])
    assert LEAST_SECRET == 32


BODIES = {
    "text": b"hello",
    "nothing": b"",
    "half": b'{"a": ',
    "deep list": b"[" * 200_000,
    "deep object": b'{"a":' * 200_000,
    "deep and closed": b"[" * 200_000 + b"]" * 200_000,
    "no UTF-8": b'{"a": "\xff\xfe"}',
    "form": b"payload=%7B%7D",
    "a very long number": b'{"a": ' + b"1" * 9_000 + b"}",
    "a list": b"[{}]",
    "a text": b'"created"',
    "null": b"null",
    "a number": b"3",
}


@pytest.mark.parametrize("case", BODIES)
def test_a_signed_body_that_is_no_object_is_a_bad_request(case: str) -> None:
    assert status(post(BODIES[case])) == 400


@pytest.mark.parametrize("case", BODIES)
def test_the_signature_is_checked_before_the_body_is_read(case: str) -> None:
    assert post(BODIES[case], signature(BODIES[case], OTHER)) == Rejected(
        401, "the signature does not match"
    )
    assert post(BODIES[case], "") == Rejected(401, "no SHA-256 signature")


@pytest.mark.parametrize(
    "headers",
    [
        {"X_GitHub_Delivery": ""},
        {"X_GitHub_Event": ""},
        {"X_GitHub_Delivery": "short"},
        {"X_GitHub_Delivery": "x" * 65},
        {"X_GitHub_Delivery": "72d3162e/cc78"},
        {"X_GitHub_Delivery": "72d3162e-cc78\n"},
        {"X_GitHub_Delivery": "٣" * 9},
    ],
)
def test_a_delivery_needs_an_id_and_an_event(headers: dict[str, Any]) -> None:
    assert post(**headers) == Rejected(400, "no delivery id or event name")
    assert status(post(given=WRONG["missing"], **headers)) == 401
