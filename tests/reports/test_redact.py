"""No form of a secret that is commonly written passes; ordinary text does."""

from __future__ import annotations

import hashlib
import json
import random
import re
import string
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.reports import secrets as formats
from claude_pool_gh.reports.neutralize import code, neutralize
from claude_pool_gh.reports.redact import VEIL, Redactor, blanked, veiled
from claude_pool_gh.reports.secrets import secrets, suspicions
from tests.rotation import share


class Plain(Redactor):
    """One whose mark of a known secret reads like the other's."""

    def __call__(self, text: str) -> str:
        return re.sub(r"\[redacted [0-9a-f]{10}\]", "[redacted]", super().__call__(text))


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
    "HEX": lambda secret: secret.encode().hex().upper(),
    "url": lambda secret: quote(secret, safe=""),
    "JSON": lambda secret: json.dumps({"key": secret}),
    "shell": lambda secret: f"export KEY='{secret}'",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_known_secret_goes_in_every_form(form: str) -> None:
    written = FORMS[form](SECRET)
    shown = Plain([SECRET])(f"before {written} after")
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
    shown = Plain([SECRET])(written)
    assert "[redacted]" in shown
    # All but what a few characters at either end could tell.
    assert len(shown.replace("[redacted]", "")) <= len(written) - len(SECRET.encode()) * 4 // 3 + 12


def test_each_of_the_three_offsets_of_base64_is_met() -> None:
    hide = Plain([SECRET])
    shown = {
        offset: hide(b64encode(b"x" * offset + SECRET.encode() + b"yyy").decode())
        for offset in range(6)
    }
    assert all("[redacted]" in text for text in shown.values())


def test_every_long_line_of_a_key_goes() -> None:
    hide = Plain([PEM])
    line = PEM.splitlines()[1]
    for text in (
        line,
        PEM.replace("\n", "\\n"),
        PEM,
        PEM.replace("\n", "\r\n"),
        line.encode().hex(),
        line[::-1],
    ):
        assert "Ab1+/Ab1" not in hide(text)
        assert "/+1bA/+1bA" not in hide(text)
        assert "[redacted]" in hide(text)


def test_a_secret_that_holds_another_is_taken_whole() -> None:
    assert Plain(["abcdefgh", "abcdefgh-ijkl"])("(abcdefgh-ijkl)") == "([redacted])"


@pytest.mark.parametrize(
    "text",
    [
        "ghp_" + "a1" * 18,
        "gho_" + "a1" * 18,
        "ghu_" + "a1" * 18,
        "ghs_" + "a1" * 18,
        "ghr_" + "a1" * 38,
        LONG,
        "github_pat_" + "a1_" * 25,
        "sk-ant-api03-" + "a1-" * 20,
        "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJnaXRodWIifQ.c2lnbmF0dXJl",
        PEM.strip(),
        PEM.replace("RSA ", "").strip(),
        PEM.replace("RSA", "OPENSSH").strip(),
        PEM.strip().replace("\n", "\\n"),
        PEM[:90],
        "AKIA" + "A1" * 8,
        "ASIA" + "A1" * 8,
        "xoxb-" + "1a-" * 8,
    ],
)
def test_what_looks_like_a_secret_goes_though_nobody_knows_it(text: str) -> None:
    assert Plain()(f"a {text}") == "a [redacted]"


def test_the_long_installation_token_leaves_nothing_behind() -> None:
    assert Plain()(f"token={LONG}\nnext") == "token=[redacted]\nnext"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the key is in the vault",
        "ghp_short",
        "sk-ant-",
        "eyJ.x.y",
        "github_pat_",
        "AKIA",
        "-----BEGIN CERTIFICATE-----\nAb1\n",
        "a" * 64,
        "0123456789abcdef" * 4,
        "aGVsbG8gd29ybGQsIGhlbGxvIHdvcmxk",
        "https://github.com/octo/widgets/pull/1",
        "xoxo-",
        "def eyJson(): return x.y.z",
        "MASIAN1234567890ABCDEFG",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Plain([SECRET])(text) == text


def test_a_secret_too_short_to_be_one_is_not_hunted() -> None:
    assert Plain(["", "a", "1234567", " short  "])("a 1234567 short") == "a 1234567 short"
    assert Plain(["12345678"])("a 12345678") == "a [redacted]"


def test_space_around_a_secret_does_not_save_it() -> None:
    assert Plain([f" {SECRET}\n"])(f"={SECRET}=") == "=[redacted]="


@settings(deadline=None)
@given(st.text(max_size=80))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    hide = Plain([SECRET])
    once = hide(f"{text}{SECRET}{text}")
    assert hide(once) == once
    assert SECRET not in once


@pytest.mark.parametrize("offset", range(3))
def test_base64_of_an_address_is_met_at_each_offset_too(offset: int) -> None:
    secret = "?>~" * 10  # gives both signs in which the two alphabets differ
    written = urlsafe_b64encode(b"x" * offset + secret.encode() + b"yyy").decode()
    assert {"-", "_"} & set(written)
    assert Plain([secret]).holds(written)
    assert "[redacted]" in Plain([secret])(written)


@pytest.mark.parametrize("form", FORMS)
def test_whether_a_text_holds_a_key_of_ours_is_told_in_every_form(form: str) -> None:
    assert Plain([SECRET]).holds(f"a {FORMS[form](SECRET)} b")
    assert not Plain(["another-secret-of-ours"]).holds(f"a {FORMS[form](SECRET)} b")
    assert not Plain().holds(f"a {FORMS[form](SECRET)} b")


# ---- leaks


def leaks(text: str) -> tuple[str, ...]:
    """What a text seems to hold, by known formats and by chance."""
    return secrets(text) + (("a random token",) if suspicions(text) else ())


def drawn(length: int, seed: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=length))  # noqa: S311 - the same in every run


KINDS = {
    "a GitHub token": [
        "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",
        "ghs_" + "x" * 20,
        LONG,
        "github_pat_" + drawn(59, 2),
    ],
    "an Anthropic key": ["sk-ant-api03-" + drawn(40, 4), "sk-ant-0123456789"],
    "a JSON Web Token": ["eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJnaXRodWIifQ.c2lnbmF0dXJl"],
    "a private key": [
        PEM,
        PEM.replace("RSA ", ""),
        PEM.replace("RSA", "OPENSSH"),
        PEM[:40],
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU",
        *(
            b64encode(PEM.replace("RSA ", kind).encode()).decode()
            for kind in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ")
        ),
        json.dumps({"kty": "EC", "d": drawn(43, 40), "x": "x"}),
    ],
    "a Hugging Face token": ["hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"],
    "a DigitalOcean token": ["dop_v1_" + hashlib.sha256(b"8").hexdigest()],
    "an AWS key": ["AKIA" + "A1" * 8, "ASIA" + "B2" * 8],
    "a Slack token": ["xoxb-" + "1a-" * 8],
    "a Slack webhook": ["https://hooks.slack.com/services/T01234567/B01234567/" + drawn(24, 31)],
    "an OpenAI key": ["sk-proj-" + drawn(40, 32), f"sk-{drawn(20, 33)}T3BlbkFJ{drawn(20, 34)}"],
    "a Stripe key": ["sk_live_" + drawn(24, 35), "rk_live_" + drawn(48, 9)],
    "a GitLab token": ["glpat-" + drawn(20, 36)],
    "an npm token": ["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"],
    "a PyPI token": ["pypi-AgEI" + drawn(80, 37)],
    "a SendGrid key": [f"SG.{drawn(22, 38)}.{drawn(43, 39)}"],
    "a wallet's private key": [
        "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
        "xprv" + "9s21ZrQH143K3" * 8,
    ],
    "a random token": [
        drawn(40, 5),
        drawn(64, 6),
        b64encode(hashlib.sha256(b"7").digest()).decode(),
        "AIza" + drawn(35, 8),
        "tp_" + drawn(48, 9),
        "ghp_" + drawn(36, 1),  # its checksum is wrong: nobody's token, and yet random
    ],
}


@pytest.mark.parametrize(
    ("kind", "secret"), [(kind, each) for kind, some in KINDS.items() for each in some]
)
@pytest.mark.parametrize(
    "around", ["{}", "key = '{}'", "see https://x.example/?k={}&b", "a\n+{}\nb", "`{}`"]
)
def test_what_leaks_is_named(kind: str, secret: str, around: str) -> None:
    assert kind in leaks(around.format(secret))


BEGINNINGS = {
    "PEM": "-----BEGIN RSA PRIVATE KEY-----\n",
    "PGP": "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n",
    "OpenSSH": "b3BlbnNzaC1rZXktdjE",
    "PKCS 1": "MIIEpAIBAAKCAQEA",
    "PKCS 8": "MIIEvQIBADANBgkqhkiG9w0BAQEF",
    "SEC 1": "MHcCAQEEI",
    "P-256": "MIGHAgEAMBMGByqGSM49AgEG",
    "Ed25519": "MC4CAQAwBQYDK2VwBCIEI",
    "GitHub": "ghs_",
    "a GitHub PAT": "github_pat_",
    "Anthropic": "sk-ant-",
    "OpenAI": "sk-proj-",
    "OpenAI, old": f"sk-{drawn(20, 33)}T3BlbkFJ",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJnaXRodWIifQ.",
    "Slack": "xoxb-",
    "Slack's webhook": "hooks.slack.com/services/T01234567/B01234567/",
    "Stripe": "sk_live_",
    "GitLab": "glpat-",
    "PyPI": "pypi-AgEI",
    "base64 of PEM": b64encode(b"-----BEGIN RSA PRIVATE KEY-----\n").decode(),
}


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("lines", [False, True])
def test_no_piece_of_a_secret_is_left_beside_the_mark(beginning: str, lines: bool) -> None:
    """The mark takes away that by which the last look would know the secret."""
    body = drawn(1440, 51)
    ends_with_line = BEGINNINGS[beginning].endswith("\n")
    if lines and not (ends_with_line or BEGINNINGS[beginning][0] in "bM"):
        body = body[:64]  # a token has no lines
    split = "\n".join(body[at : at + 64] for at in range(0, len(body), 64)) if lines else body
    shown = blanked(f'KEY = "{BEGINNINGS[beginning]}{split}"')
    assert shown.startswith('KEY = "')
    assert "[redacted]" in shown
    assert not any(body[at : at + 20] in shown for at in range(len(body) - 19))


def test_every_kind_that_is_known_is_tried() -> None:
    assert set(KINDS) == {*formats.KINDS, "a random token"}


@pytest.mark.parametrize(
    ("length", "least"),
    [(32, 0.93), (36, 0.97), (40, 0.99), (64, 0.99)],
)
def test_nearly_every_token_that_was_drawn_by_lot_is_met(length: int, least: float) -> None:
    met = sum(bool(leaks(f"token {drawn(length, seed)}")) for seed in range(1000))
    assert met / 1000 >= least


SUM = {name: hashlib.new(name, b"widgets") for name in ("md5", "sha1", "sha256", "sha512")}
B64 = b64encode(SUM["sha512"].digest()).decode()
NO_LEAKS = [
    # digests
    *(digest.hexdigest() for digest in SUM.values()),
    SUM["sha256"].hexdigest().upper(),
    f"commit {SUM['sha1'].hexdigest()}\nparent {SUM['sha1'].hexdigest()[::-1]}",
    f"https://github.com/octo/widgets/commit/{SUM['sha1'].hexdigest()}",
    "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
    "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}-{6BA7B811-9DAD-11D1-80B4-00C04FD430C8}",
    # lines of lock files
    f'      "integrity": "sha512-{B64}",',
    f"  integrity sha512-{B64}",
    f"    resolution: {{integrity: sha512-{B64}}}",
    f'<script integrity="sha384-{B64[:64]}" src=x>',
    f'  resolved "https://registry.yarnpkg.com/left-pad/-/left-pad-1.3.0.tgz#{SUM["sha1"].hexdigest()}"',
    f"  checksum: 10c0/{SUM['sha512'].hexdigest()}",
    f'checksum = "{SUM["sha256"].hexdigest()}"',
    f'    {{file = "x-1.0-py3-none-any.whl", hash = "sha256:{SUM["sha256"].hexdigest()}"}},',
    f"    --hash=sha256:{SUM['sha256'].hexdigest()} \\",
    f'"narHash": "sha256-{b64encode(SUM["sha256"].digest()).decode()}",',
    "github.com/pkg/errors v0.9.1 h1:FEBLx1zS214owpjy7qsBeixbURkuhQAwrK5UwLGTwt4=",
    "github.com/pkg/errors v0.9.1/go.mod h1:bwawxfHBFNV+L2hUp1rHADufV3IMtnDRdf1r5NINEl0=",
    # what is public by its form
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a@b",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDdTq8xR7ELNmVwh3KiYFg2b5Pu9kXzJt4cSm6Q1oGf0vHaB7yUeRjMl user@host",
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKr3iXx5B2s9Tq4fVn7Zc1 x",
    "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVs/o5+uQbTjL3chynL4wXgUg2R9q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEH",
    "-----BEGIN CERTIFICATE-----\n"
    + "MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ\n" * 3
    + "-----END CERTIFICATE-----",
    "cert = '-----BEGIN CERTIFICATE-----\\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ\\n'",
    "-----BEGIN PGP SIGNATURE-----\n\niQIzBAABCgAdFiEEK7f2vXqR9wZ3LmT6nYb1cD8sHkAFAmN5x0gACgkQnYb1cD8s",
    "<img src='data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='>",  # noqa: E501
    'ICON = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6"',
    'PHOTO = "/9j/4AAQSkZJRgABAQEASABIAAD2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL"',  # noqa: E501
    "\n".join(b64encode(hashlib.sha512(bytes([n])).digest()[:57]).decode() for n in range(5)),
    "pay 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2 or 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
    "to 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4, addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3jcu5d8",
    "mint EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
    "ipfs://QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKSgXX",
    "trusted-public-keys = cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=",
    "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8 github.com",
    "untrusted comment: minisign\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
    "AKIAIOSFODNN7EXAMPLE and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    # tokens that are in every document
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "npm_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    # one line each, as they are published
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    # paths and addresses
    "src/main/java/com/example/Shop2/service/PriceCalculatorServiceImplementationTest.java",
    "packages/Shop2/PriceCalculatorServiceImplementation.test.tsx",
    "claude_pool_gh/conversation/Review2Something/VerdictXyzAbc",
    "node_modules/.pnpm/@babel+plugin-transform-Modules2CommonJS@7.0.0",
    "https://img.shields.io/badge/License-MIT-yellow.svg?style=for-the-badge&logo=Python3",
    "https://en.wikipedia.org/wiki/List_of_HTTP_status_codes#2xx_Success",
    "arn:aws:iam::123456789012:role/MyVeryLongRoleNameForProductionDeployments1",
    # identifiers of forty characters and more
    "convertBase64UrlToArrayBufferWithoutPadding",
    "testThatHttp2ServerClosesConnectionGracefully",
    "shouldReturn404WhenTheRequestedUserDoesNotExist",
    "AbstractSingletonProxyFactoryBean2ConfigurationAware",
    "getUserByIdAndOrganizationIdOrThrow404Error",
    "XMLHttpRequest2EventTargetPrototypeFactoryWrapper",
    "WhenJobQueueIsFullThenProducerBlocksForUpTo5Seconds",
    "ThisIsAVeryLongClassNameForTheHttp2ConnectionPoolManager",
    "crypto_pwhash_argon2id_MEMLIMIT_MODERATE",
    "crypto_secretstream_xchacha20poly1305_HEADERBYTES",
    "CLAUDE_POOL_MAXIMUM_NUMBER_OF_RETRIES_2_PER_MINUTE",
    "test_Http2Server_closes_Connection_on_Timeout9",
    # words, rules, alphabets
    "The quick brown fox jumps over the lazy dog, 42 times in a row, and Mona's octocat says nothing.",
    "=" * 60,
    "-" * 60,
    "_" * 60,
    "0" * 64,
    "=-" * 30,
    string.ascii_lowercase + string.ascii_uppercase + string.digits,
    string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/",
    "/pool approve 0123456789",
    "`ghp_` tokens begin so, `sk-ant-` ones so, and `AKIA` so",
    "eyJ.x.y",
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----",
]


@pytest.mark.parametrize("text", NO_LEAKS)
def test_what_only_looks_a_little_like_a_secret_is_not_withheld(text: str) -> None:
    assert leaks(text) == ()
    assert leaks(f"+{text}\n-{text}") == ()


def test_no_file_of_this_projects_own_holds_a_random_token() -> None:
    root = Path(__file__).parents[2]
    files = [
        *root.glob("claude_pool_gh/**/*.py"),
        *root.glob("*.md"),
        *root.glob("docs/**/*.md"),
        *root.glob("docs/*.yml"),
        root / "pyproject.toml",
    ]
    assert len(files) > 100
    lines = (line for file in share(files, 3) for line in file.read_text("utf-8").splitlines())
    assert [line for line in lines if "a random token" in leaks(line)] == []


@pytest.mark.parametrize("guard", ["_WORD", "_PUBLIC", "_SAID_PUBLIC"])
def test_these_tests_would_see_false_alarms(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    never = re.compile(r"." if guard == "_WORD" else r"(?!)")
    monkeypatch.setattr(formats, guard, never)
    assert [text for text in NO_LEAKS if leaks(text)]


@pytest.mark.parametrize("found", KINDS["a random token"])
def test_a_random_token_costs_itself_and_nothing_else(found: str) -> None:
    assert veiled(f"The key is `{found}`, see line 3.") == f"The key is `{VEIL}`, see line 3."
    assert veiled(f"{found}(x) and {found}") == f"{VEIL} (x) and {VEIL}"
    assert veiled("Nothing of that kind.") == "Nothing of that kind."


def test_a_suggestion_that_held_one_is_none_any_more() -> None:
    token = KINDS["a random token"][0]
    assert (
        veiled(f"Use it:\n\n```suggestion\nkey = {token}\n```")
        == f"Use it:\n\n```text\nkey = {VEIL}\n```"
    )
    assert veiled(f"{token}\n\n```suggestion\nx\n```") == f"{VEIL}\n\n```suggestion\nx\n```"


def test_the_checksum_tells_a_token_from_what_only_begins_like_one() -> None:
    right = "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"
    assert secrets(right) == ("a GitHub token",)
    assert secrets(right[:-1] + "8") == ()


def test_a_known_secret_that_was_taken_out_is_still_told_of_also_in_markdown() -> None:
    hide = Redactor([SECRET, LONG])
    shown = hide(f"a {SECRET} b")
    assert Redactor([LONG, SECRET]).holds(shown), (
        "after a restart too, in whatever order they are read"
    )
    assert hide.holds(neutralize(shown, 1_000))
    assert hide.holds(code(shown, 1_000))


def test_nobody_who_does_not_know_the_secrets_can_write_that_mark() -> None:
    hide = Redactor([SECRET])
    assert not hide.holds(Redactor([SECRET + "x"])(SECRET + "x"))
    assert not hide.holds(hide("[redacted] ghp_" + "a1B2" * 9)), "nor does a pattern's"
    assert not Redactor([]).holds(hide(SECRET))
