"""No form of a secret that is commonly written passes; ordinary text does."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.reports.redact import Redactor

SECRET = "correct/horse+battery~staple?42"
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + ("Ab1+/" * 12 + "xyZ9\n") * 3
    + "q8=\n-----END RSA PRIVATE KEY-----\n"
)
LONG = "ghs_" + "x" * 20 + ".eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJnaXRodWIifQ." + "a-b_c" * 20

FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda secret: secret,
    "reversed": lambda secret: secret[::-1],
    "hex": lambda secret: secret.encode().hex(),
    "url": lambda secret: quote(secret, safe=""),
    "JSON": lambda secret: json.dumps({"key": secret}),
    "shell": lambda secret: f"export KEY='{secret}'",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_known_secret_goes_in_every_form(form: str) -> None:
    written = FORMS[form](SECRET)
    shown = Redactor([SECRET])(f"before {written} after")
    assert "[redacted]" in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert SECRET not in shown
    assert SECRET[::-1] not in shown
    assert SECRET.encode().hex() not in shown
    assert quote(SECRET, safe="") not in shown


@settings(deadline=None)
@given(st.binary(max_size=9), st.binary(max_size=9))
def test_base64_of_a_secret_goes_whatever_stands_around_it(before: bytes, after: bytes) -> None:
    written = b64encode(before + SECRET.encode() + after).decode()
    shown = Redactor([SECRET])(written)
    assert "[redacted]" in shown
    # All but what a few characters at either end could tell.
    assert len(shown.replace("[redacted]", "")) <= len(written) - len(SECRET.encode()) * 4 // 3 + 12


def test_each_of_the_three_offsets_of_base64_is_met() -> None:
    redact = Redactor([SECRET])
    shown = {
        offset: redact(b64encode(b"x" * offset + SECRET.encode() + b"yyy").decode()) for offset in range(6)
    }
    assert all("[redacted]" in text for text in shown.values())


def test_every_long_line_of_a_key_goes() -> None:
    redact = Redactor([PEM])
    line = PEM.splitlines()[1]
    for text in (
        line,
        PEM.replace("\n", "\\n"),
        PEM,
        PEM.replace("\n", "\r\n"),
        line.encode().hex(),
        line[::-1],
    ):
        assert "Ab1+/Ab1" not in redact(text)
        assert "/+1bA/+1bA" not in redact(text)
        assert "[redacted]" in redact(text)


def test_a_secret_that_holds_another_is_taken_whole() -> None:
    assert Redactor(["abcdefgh", "abcdefgh-ijkl"])("(abcdefgh-ijkl)") == "([redacted])"


@pytest.mark.parametrize(
    "text",
    [
        "ghp_" + "a1" * 18, "gho_" + "a1" * 18, "ghu_" + "a1" * 18, "ghs_" + "a1" * 18, "ghr_" + "a1" * 38, LONG,
        "github_pat_" + "a1_" * 25, "sk-ant-api03-" + "a1-" * 20,
        "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJnaXRodWIifQ.c2lnbmF0dXJl",
        PEM.strip(), PEM.replace("RSA ", "").strip(), PEM.replace("RSA", "OPENSSH").strip(), PEM.strip().replace("\n",
        "\\n"),
        PEM[:90], "AKIA" + "A1" * 8, "ASIA" + "A1" * 8, "xoxb-" + "1a-" * 8,
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_goes_though_nobody_knows_it(text: str) -> None:
    assert Redactor()(f"a {text}") == "a [redacted]"


def test_the_long_installation_token_leaves_nothing_behind() -> None:
    assert Redactor()(f"token={LONG}\nnext") == "token=[redacted]\nnext"


@pytest.mark.parametrize(
    "text",
    [
        "", "the key is in the vault", "ghp_short", "sk-ant-", "eyJ.x.y", "github_pat_", "AKIA",
        "-----BEGIN CERTIFICATE-----\nAb1\n",
        "a" * 64, "0123456789abcdef" * 4, "aGVsbG8gd29ybGQsIGhlbGxvIHdvcmxk",
        "https://github.com/octo/widgets/pull/1", "xoxo-",
        "def eyJson(): return x.y.z", "MASIAN1234567890ABCDEFG",
    ],
)  # fmt: skip
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Redactor([SECRET])(text) == text


def test_a_secret_too_short_to_be_one_is_not_hunted() -> None:
    assert Redactor(["", "a", "1234567", " short  "])("a 1234567 short") == "a 1234567 short"
    assert Redactor(["12345678"])("a 12345678") == "a [redacted]"


def test_space_around_a_secret_does_not_save_it() -> None:
    assert Redactor([f" {SECRET}\n"])(f"={SECRET}=") == "=[redacted]="


@settings(deadline=None)
@given(st.text(max_size=80))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    redact = Redactor([SECRET])
    once = redact(f"{text}{SECRET}{text}")
    assert redact(once) == once
    assert SECRET not in once
