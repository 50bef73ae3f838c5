"""Tells secrets from what only looks like one: by known formats and their checksums, and else by chance.

A known format holds back what it stands in. A token that is only improbable is a suspicion: it costs that token.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from claude_pool_gh.reports.private_keys import without_keys

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_LONG_AGO: Final = 1_704_067_200
"""The start of 2024: what ended before is in a document or a test."""


def _any(_found: str) -> bool:
    return True


def _is_github_token(found: str) -> bool:
    """The last six characters are the checksum of the thirty before; longer tokens hold a signed one instead."""
    body = found[4:]
    if len(body) != 36 or not body.isalnum():
        return len(body) != 36
    number, digits = zlib.crc32(body[:30].encode()), ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return digits.rjust(6, "0") == body[30:]


def _is_live_web_token(found: str) -> bool:
    """Not one that ended long ago, that nobody signed, or that jwt.io shows to everybody."""
    head, body = (_json(part) for part in found.split(".")[:2])
    ends = body.get("exp")
    if isinstance(ends, int | float) and ends < _LONG_AGO:
        return False
    return head.get("alg") != "none" and body.get("sub") != "1234567890"


def _json(part: str) -> dict[str, Any]:
    try:
        value = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _is_wallet_key(found: str) -> bool:
    raw = _base58(found)
    return raw is not None and len(raw) in (33, 34) and raw[0] in (0x80, 0xEF)


def _is_no_example(found: str) -> bool:
    return not found.endswith("EXAMPLE")


_ENCODED_BEGIN: Final = "|".join(
    # the whole bytes of it only, so that what stands after them changes nothing
    b64encode(begin[: len(begin) // 3 * 3]).decode()
    for kind in ("", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ", "PGP ")
    for begin in [f"-----BEGIN {kind}PRIVATE KEY".encode()]
)
"""How a private key begins in base64, as manifests of Kubernetes hold it."""
_WEB_TOKEN: Final = re.compile(r"eyJ[A-Za-z0-9_-]{10,1000}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+")
_KINDS: Final[tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...]] = (
    ("a GitHub token", re.compile(r"gh[pousr]_[A-Za-z0-9_.\-]{20,}"), _is_github_token),
    ("a GitHub token", re.compile(r"github_pat_[A-Za-z0-9_]{20,}"), _any),
    ("an Anthropic key", re.compile(r"sk-ant-[A-Za-z0-9_-]{10,}"), _any),
    (
        "an OpenAI key",
        re.compile(r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}|\bsk-\w{20}T3BlbkFJ\w{20,}"),
        _any,
    ),
    ("a JSON Web Token", _WEB_TOKEN, _is_live_web_token),
    (
        "a private key",
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|b3BlbnNzaC1rZXktdjE|AGE-SECRET-KEY-1[0-9A-Z]{58}"
            r"|\bMII\w{2}[A-Za-z0-9+/]?IBAAKC|\bMII\w{2}[A-Za-z0-9+/]?IBADANBgkqhkiG9w0BAQEF|\bMHcCAQEEI"
            r"|\bMIGHAgEAMBMGByqGSM49AgEG|\bMC4CAQAwBQYDK2VwBCIEI"
            rf"|{_ENCODED_BEGIN}"
            r'|"d"\s*:\s*"[A-Za-z0-9_-]{42,}"'  # of a JSON Web Key
        ),
        _any,
    ),
    ("a wallet's private key", re.compile(rf"\b[5KLc9][{_BASE58}]{{50,51}}\b"), _is_wallet_key),
    ("a wallet's private key", re.compile(rf"\b[xyzt]prv[{_BASE58}]{{100,110}}\b"), _any),
    ("an AWS key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), _is_no_example),
    ("a Slack token", re.compile(r"\bxox[abposr]-[A-Za-z0-9-]{10,}"), _any),
    ("a Slack webhook", re.compile(r"hooks\.slack\.com/services/T\w{8,}/B\w{8,}/\w{20,}"), _any),
    ("a Stripe key", re.compile(r"\b[sr]k_live_[A-Za-z0-9]{16,}"), _any),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"), _any),
    ("an npm token", re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"), _is_github_token),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z]{34}\b"), _any),
    ("a DigitalOcean token", re.compile(r"\bdo[opr]_v1_[0-9a-f]{64}\b"), _any),
    ("a PyPI token", re.compile(r"\bpypi-AgEI[A-Za-z0-9_-]{50,}"), _any),
    ("a SendGrid key", re.compile(r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"), _any),
)
_UNBOUNDED: Final = "a private key"
"""What its shapes find is only how one begins: where it ends is not known."""
KINDS: Final = tuple(dict.fromkeys(kind for kind, _, _ in _KINDS))


def secrets(text: str) -> tuple[str, ...]:
    """The kinds of secrets of known formats that a text holds."""
    return tuple(
        dict.fromkeys(
            kind
            for kind, shape, holds in _KINDS
            if any(holds(found[0]) for found in shape.finditer(text))
        )
    )


def blanked(text: str, mark: str) -> str:
    """The text with a mark in the place of each secret of a known format."""
    for kind, shape, holds in _KINDS:
        if kind == _UNBOUNDED:
            text = without_keys(text, mark, shape)
            continue
        found = {each[0] for each in shape.finditer(text) if holds(each[0])}
        for secret in sorted(found, key=len, reverse=True):
            text = text.replace(secret, mark)
    return text


# ---- suspicions


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A token that looks random, and where it stands."""

    start: int
    end: int
    token: str


_TOKEN: Final = re.compile(r"[A-Za-z0-9+/=_-]{32,}")
_LONGEST: Final = 128
"""No credential without a format of its own is longer: what is, is data."""
_RSA_PUBLIC: Final = (
    r"(?:II\w{2}[A-Za-z0-9+/]{0,6}NBgkqhkiG9w0BAQEFAAOC|IGfMA0GCSqGSIb3DQEBAQUAA4GN)"
)
_PUBLIC: Final = re.compile(
    rf"""(?:sha(?:1|256|384|512)[-:=]|\bh1:)[A-Za-z0-9+/=]+                    # digests, as lock files have them
      | \bAAAA(?:B3NzaC1|C3NzaC1lZDI1NTE5|E2VjZHNhLXNoYTItbmlzdH|GnNrLX|InNrLW)[A-Za-z0-9+/=]+  # SSH, public
      | \bM(?:FkwEwYHKoZIzj0CAQ|CowBQYDK2V[uw]AyEA|{_RSA_PUBLIC})[A-Za-z0-9+/=]+                 # others, public
      | -----BEGIN\ (?!(?:[A-Z0-9]+\ )*PRIVATE)[A-Z0-9 ]+-----(?:(?:\\n|[\s"'+,])*[A-Za-z0-9+/=]{{8,}})*
      | data:[\w/+.-]+(?:;[\w=.-]+)*;base64,[A-Za-z0-9+/=_-]+                 # images and fonts in addresses
      | (?<![\w+/=])(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR|PHN2Zy|PD94bWw|AAABAA|d09G|T1RUTw|JVBERi0|UEsDB|H4sI|AGFzbQ)
        [A-Za-z0-9+/=]+                                                        # files that begin as images do
      | \b0x[0-9a-fA-F]{{40,}}\b | \b[xyzt]pub[1-9A-HJ-NP-Za-km-z]{{100,110}}\b | \bQm[1-9A-HJ-NP-Za-km-z]{{44}}\b
      | \bRW[A-Za-z0-9+/]{{54}}(?![\w+/=])                                      # minisign
      | [A-Za-z0-9+/]{{8,60}}EXAMPLE(?:KEY)?\b                                 # of AWS's documentation
    """,
    re.VERBOSE,
)
"""Public by their form: nobody needs to ask."""
_SAID_PUBLIC: Final = re.compile(
    r"pub(?:lic)?[-_ ]?keys?\b|verif(?:y|ication)[-_ ]?key|finger[-_ ]?print|check[-_ ]?sum|digest|integrity|hash\b"
    r"|_hash|Hash|signature|\betag\b|site[-_]?verification|\bsri\b|\bmd5\b|\bsha\d|\bsum\b",
    re.IGNORECASE,
)
"""What somebody calls a public value in the same line."""
_DATA_LINE: Final = re.compile(r"[+ ]?[\s\"'#*/>]*[A-Za-z0-9+/]{40,100}={0,2}[\"',;\\+)\s]*")
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_LONGEST_WORDS: Final = 3.7
"""Characters a word, on the average, up to which a token is no name: what is drawn by lot has about two."""
_MOST_ORDER: Final = 4.3
"""Bits a character above which a long token of mixed characters is taken for a secret. Words and paths have less."""


def suspicions(text: str) -> tuple[Suspicion, ...]:
    """Tokens that nobody would write by hand, beside what is public by its form or by what its line calls it."""
    masked = text
    for known in (_PUBLIC, _WEB_TOKEN):  # a live one of these is a secret, and no mere suspicion
        masked = known.sub(lambda found: " " * len(found[0]), masked)
    masked = _without_data(masked)
    return tuple(
        Suspicion(found.start(), found.end(), found[0])
        for found in _TOKEN.finditer(masked)
        if _is_random(found[0])
        and not _is_said_public(masked, found.start())
        and not _is_address(found[0])
    )


def _without_data(text: str) -> str:
    """Without blocks of base64 over three lines and more: files, not credentials."""
    lines = text.split("\n")
    block: list[int] = []
    for at, line in enumerate([*lines, ""]):
        if _DATA_LINE.fullmatch(line):
            block.append(at)
            continue
        if len(block) >= 3:
            for each in block:
                lines[each] = " " * len(lines[each])
            if at < len(lines) and re.fullmatch(r"[\W]*[A-Za-z0-9+/]+={0,2}\W*", line):
                lines[at] = " " * len(line)  # its last line, which is shorter
        block = []
    return "\n".join(lines)


def _is_said_public(text: str, start: int) -> bool:
    begin = text.rfind("\n", 0, start) + 1
    return bool(_SAID_PUBLIC.search(text, max(begin, start - 120), start))


def _is_random(token: str) -> bool:
    """True where nobody would write this by hand. Hex digests, paths and words in a row are not random enough."""
    kinds = (
        any(c.islower() for c in token),
        any(c.isupper() for c in token),
        any(c.isdigit() for c in token),
    )
    if len(token) > _LONGEST or not all(kinds) or token.count("/") > 3:
        return False
    if (
        token.count("_") + token.count("-") > 4
        or len(token) / len(_WORD.findall(token)) > _LONGEST_WORDS
    ):
        return False
    share = [token.count(c) / len(token) for c in set(token)]
    return -sum(p * math.log2(p) for p in share) > _MOST_ORDER


def _is_address(token: str) -> bool:
    """A public address of a wallet: its checksum is right, or it is a public key in base 58."""
    if not 25 <= len(token) <= 44 or any(c not in _BASE58 for c in token):
        return False
    if len(token) in (43, 44):
        number = 0
        for c in token:
            number = number * 58 + _BASE58.index(c)
        return number < 1 << 256
    raw = _base58(token)
    return raw is not None and len(raw) == 21


def _base58(token: str) -> bytes | None:
    """The bytes of a token in base 58, if the four at its end are its checksum."""
    number = 0
    for c in token:
        if c not in _BASE58:
            return None
        number = number * 58 + _BASE58.index(c)
    zeros = len(token) - len(token.lstrip("1"))
    raw = b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
    body, check = raw[:-4], raw[-4:]
    return body if sha256(sha256(body).digest()).digest()[:4] == check else None
