"""A claim is lost for substance, never for form: how agents write paths and quotes, and what they make up."""

from __future__ import annotations

import time

import pytest

from claude_pool_gh.findings.anchor import DroppedFinding, anchor
from claude_pool_gh.findings.identity import located, still_there
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.paths import candidates
from claude_pool_gh.findings.quotes import QuotePlace, UnplacedQuote, locate
from claude_pool_gh.reports.redact import Redactor
from tests.findings.make import finding

PY = """\
import os


def tier(q, items):
    if q > 10:  # TODO tiers
        return 1

    for item in items:
        item.send("<b>" + item.name)

    return 0
"""
GO = "func f(a int) int {\n\tif a > 10 && b < 3 {\n\t\treturn a / b // per unit\n\t}\n\treturn 0\n}\n"
YAML = "on:\n  push:\n    branches:\n      - main\nsteps:\n  - run: make test\n  - run: make lint\n"
FILES = {"app/tiers.py": PY, "cmd/f.go": GO, ".github/ci.yml": YAML, "lib/other.py": "x = 1\n"}
IF = "    if q > 10:  # TODO tiers"

TRUE: dict[str, tuple[dict[str, object], int]] = {
    "verbatim": ({"evidence": IF}, 5),
    "no trailing comment": ({"evidence": "    if q > 10:"}, 5),
    "no trailing comment in Go": ({"path": "cmd/f.go", "evidence": "\t\treturn a / b"}, 3),
    "part of a line": ({"evidence": "q > 10"}, 5),
    "part of a line in backticks": ({"evidence": "`q > 10`"}, 5),
    "Read's numbers with a tab": ({"evidence": f"5\t{IF}"}, 5),
    "Read's numbers with an arrow": ({"evidence": f"     5→{IF}\n     6→        return 1"}, 5),
    "numbers shown with a sign": ({"evidence": f"5⇥{IF}"}, 5),
    "numbers of grep": ({"evidence": f"5:{IF}"}, 5),
    "numbers with a colon and a blank": (
        {"evidence": "5: if q > 10:  # TODO tiers\n6:     return 1"},
        5,
    ),
    "numbers with a bar": ({"evidence": "  5 | if q > 10:  # TODO tiers"}, 5),
    "signs of a diff": ({"evidence": f"+{IF}\n+        return 1"}, 5),
    "both sides of a diff": (
        {"evidence": f"@@ -4,3 +4,3 @@ def tier\n-    if q > 9:\n+{IF}\n         return 1"},
        5,
    ),
    "a fence": ({"evidence": f"```python\n{IF}\n```"}, 5),
    "a fence around numbers": ({"evidence": f"```\n5\t{IF}\n6\t        return 1\n```"}, 5),
    "lines left out": ({"evidence": "def tier(q, items):\n    ...\n    return 0"}, 4),
    "lines left out with a comment": ({"evidence": f"{IF}\n        # ...\n    return 0"}, 5),
    "entities of HTML": ({"evidence": "        item.send(&quot;&lt;b&gt;&quot; + item.name)"}, 9),
    "a blank line left out": ({"evidence": "        return 1\n    for item in items:"}, 6),
    "a blank line too many": ({"evidence": f"{IF}\n\n        return 1"}, 5),
    "blanks at the ends": ({"evidence": f"{IF}   \n        return 1\t\n\n"}, 5),
    "carriage returns": ({"evidence": f"{IF}\r\n        return 1\r\n"}, 5),
    "tabs for spaces": ({"evidence": "\tif q > 10:  # TODO tiers\n\t\treturn 1"}, 5),
    "spaces for tabs": ({"path": "cmd/f.go", "evidence": "    if a > 10 && b < 3 {"}, 2),
    "no indentation": ({"evidence": "if q > 10:  # TODO tiers\nreturn 1"}, 5),
    "another line number": ({"evidence": IF, "start_line": 77}, 5),
    "./ before the path": ({"path": "./app/tiers.py"}, 5),
    "a/ before the path": ({"path": "a/app/tiers.py"}, 5),
    "b/ before the path": ({"path": "b/app/tiers.py"}, 5),
    "a line after the path": ({"path": "app/tiers.py:5"}, 5),
    "lines after the path": ({"path": "app/tiers.py:5-6"}, 5),
    "GitHub's lines after the path": ({"path": "app/tiers.py#L5-L6"}, 5),
    "the path in backticks": ({"path": "`app/tiers.py`"}, 5),
    "an absolute path": ({"path": "/var/lib/pool/leases/c1.find.1/app/tiers.py"}, 5),
    "an absolute path with a line": ({"path": "/tmp/x/app/tiers.py:5:3"}, 5),
    "backslashes": ({"path": "app\\tiers.py"}, 5),
    "the end of the path": ({"path": "tiers.py"}, 5),
    "a list's dash is no sign of a diff": (
        {"path": ".github/ci.yml", "evidence": "  - run: make lint"},
        7,
    ),
}

INVENTED: dict[str, dict[str, object]] = {
    "another operator": {"evidence": "    if q >= 10:  # TODO tiers"},
    "another operator in a part": {"evidence": "q < 10"},
    "another name": {"evidence": "    if p > 10:  # TODO tiers"},
    "another number": {"evidence": "    if q > 1:"},
    "a number cut short": {"evidence": "if q > 1"},
    "another name of the end of a name": {"evidence": "item.send(name"},
    "a line that is not there": {"evidence": f"{IF}\n        return 2"},
    "true lines in another order": {"evidence": "    return 0\n        return 1"},
    "true lines that do not follow each other": {"evidence": f"{IF}\n    return 0"},
    "a bracket": {"path": "cmd/f.go", "evidence": "}", "start_line": 6},
    "a letter": {"path": "lib/other.py", "evidence": "x", "start_line": 1},
    "nothing but what was left out": {"evidence": "..."},
    "made up around what was left out": {"evidence": "def tier(q, items):\n    ...\n    return -1"},
    "a division left out": {"path": "cmd/f.go", "evidence": "return a"},
    "an invented line in a diff": {"evidence": "+    if q > 11:"},
    "invented with a number": {"evidence": "5\t    if q > 11:"},
    "a removed line that never was": {"evidence": "-    if q > 11:"},
    "a file that is not there": {"path": "app/tier.py"},
    "another file of that name": {"path": "lib/tiers/other.py"},
    "a mapping for a list": {"path": ".github/ci.yml", "evidence": "- push:"},
}


@pytest.mark.parametrize("form", TRUE)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_true_finding_arrives_in_whatever_form(form: str, ends: str) -> None:
    stated, line = TRUE[form]
    one = finding(**({"path": "app/tiers.py", "evidence": IF, "start_line": line} | stated))
    found = anchor(one, {path: text.replace("\n", ends) for path, text in FILES.items()}, {})
    assert isinstance(found, Finding), found
    assert (found.path in FILES, found.start_line) == (True, line)


@pytest.mark.parametrize("form", INVENTED)
def test_what_is_made_up_is_dropped(form: str) -> None:
    one = finding(
        **(
            {"path": "app/tiers.py", "evidence": IF, "start_line": 5, "end_line": 6}
            | INVENTED[form]
        )
    )
    assert isinstance(anchor(one, FILES, FILES), DroppedFinding)


PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\nMIIdef\n-----END RSA PRIVATE KEY-----"
KEYS = f'''\
import os
AWS = "AKIAIOSFODNN7EXAMPLE"
BOT = Slack("xoxb-1234567890-abcdef", "xoxp-1234567890-abcdef")  # of the team
SIGNED = """{PEM}"""
OURS = "server-key-0123456789"
USED = [OURS]
'''


@pytest.mark.parametrize(
    ("quoted", "line"),
    [
        ('AWS = "AKIAIOSFODNN7EXAMPLE"', 2),
        ('2\tAWS = "AKIAIOSFODNN7EXAMPLE"', 2),
        ('+AWS = "AKIAIOSFODNN7EXAMPLE"', 2),
        ('BOT = Slack("xoxb-1234567890-abcdef", "xoxp-1234567890-abcdef")  # of the team', 3),
        (f'SIGNED = """{PEM}"""', 4),
        (PEM, 4),
        ('OURS = "server-key-0123456789"', 8),
        ('import os\nAWS = "AKIAIOSFODNN7EXAMPLE"', 1),
        ('OURS = "server-key-0123456789"\nUSED = [OURS]', 8),
    ],
)
def test_a_secret_in_the_code_can_be_spoken_of_though_it_is_hidden_from_what_is_kept(
    quoted: str, line: int
) -> None:
    """What an agent says is kept without secrets: a key that somebody committed could never be a finding."""
    kept = Redactor(["server-key-0123456789"])(quoted)
    assert kept != quoted
    files = {"app/keys.py": KEYS if quoted != PEM else KEYS.replace('SIGNED = """', "")}
    found = anchor(finding(path="app/keys.py", evidence=kept, suggestion=kept), files, {})
    assert isinstance(found, Finding), found
    assert (found.start_line, found.suggestion) == (line, None)
    other = anchor(finding(path="app/tiers.py", evidence=kept), {"app/tiers.py": PY}, {})
    assert isinstance(other, DroppedFinding)


AWS = "AKIA" + "A1" * 8
BLOCK = "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBF\n-----END PGP PRIVATE KEY BLOCK-----"
FORMS = f"""\
import os
mine = "{AWS}"  # prod key
connect(region, key="{AWS}", retries=3)
{PEM}
after_the_key()
{BLOCK}
after_the_other()
last = "{AWS}"
"""


@pytest.mark.parametrize(
    ("quoted", "begins", "ends"),
    [
        (f'mine = "{AWS}"', "mine =", "mine ="),
        (f'import os\nmine = "{AWS}"', "import", "mine ="),
        (f'key="{AWS}", retries', "connect", "connect"),
        (f'import os\n...\nlast = "{AWS}"', "import", "last"),
        (f'mine = "{AWS}"\n...\nafter_the_key()', "mine =", "after_the_key"),
        (f"{PEM}\nafter_the_key()", "-----BEGIN RSA", "after_the_key"),
        (f"{BLOCK}\nafter_the_other()", "-----BEGIN PGP", "after_the_other"),
    ],
)
def test_a_line_with_a_hidden_secret_is_found_in_every_form_that_others_are(
    quoted: str, begins: str, ends: str
) -> None:
    kept = Redactor()(quoted)
    assert kept != quoted
    lines = FORMS.split("\n")
    start, end = (
        next(n for n, line in enumerate(lines, 1) if line.startswith(each))
        for each in (begins, ends)
    )
    found = locate(lines, kept, (start, start), path="a.py")
    assert isinstance(found, QuotePlace), found
    assert (found.start, found.end) == (start, end)


@pytest.mark.parametrize(
    "made_up",
    [
        'key="[redacted]',
        'ey="[redacted]", retries',
        'key="[redacted]", retr',
        'region, "[redacted]", retries',
        "after_the_[redacted]",
        "[redacted]\nafter_the_other()\nafter_the_key()",
    ],
)
def test_a_part_with_a_hidden_secret_is_no_part_of_another_line(made_up: str) -> None:
    found = locate(FORMS.split("\n"), made_up, (1, 1), path="a.py")
    assert isinstance(found, UnplacedQuote)


@pytest.mark.parametrize(
    "made_up",
    [
        "[redacted]",
        '"[redacted]"',
        'GCP = "[redacted]"',
        'AWS = "[redacted]" + x',
        'BOT = Slack("[redacted]")  # of the team',
        "import [redacted]",
        "BOT = [redacted]xoxp-[redacted]  # of the team",
        "[redacted]" * 400,
    ],
)
def test_a_hidden_secret_stands_for_nothing_but_a_secret(made_up: str) -> None:
    found = anchor(finding(path="app/keys.py", evidence=made_up), {"app/keys.py": KEYS}, {})
    assert isinstance(found, DroppedFinding)


def test_no_suggestion_puts_a_mark_in_the_place_of_a_secret() -> None:
    one = finding(path="a.py", evidence="import os", suggestion='import os, x\nK = "[redacted]"')
    found = anchor(one, {"a.py": "import os\n"}, {})
    assert isinstance(found, Finding)
    assert found.suggestion is None


@pytest.mark.parametrize("code", ['say("[redacted]")', "d[key] = d[key]", "a[redacted 1]"])
def test_code_that_looks_like_a_mark_is_code(code: str) -> None:
    text = f"x = 1\n{code}\n"
    found = anchor(
        finding(path="a.rb", evidence=code, suggestion=f"{code} # now"), {"a.rb": text}, {}
    )
    assert isinstance(found, Finding)
    assert (found.start_line, found.suggestion) == (2, f"{code} # now")
    assert still_there(located(found, text), f"\n{text}") is not None


def test_of_several_places_only_the_stated_one_counts() -> None:
    lines = ["a = go(x)", "b = go(x)", "c = go(x)"]
    assert locate(lines, "go(x)", (2, 2)) == QuotePlace(2, 2, ("go(x)",), whole=False)
    assert locate(lines, "go(x)", (7, 7)) == UnplacedQuote(
        "its evidence is in several places: lines 1, 2, 3"
    )


def test_the_longest_part_of_an_absolute_path_comes_first() -> None:
    known = {"src/app.py", "app.py"}
    assert candidates("/lease/src/app.py", known) == ("src/app.py", "app.py")
    assert candidates("app.py", known) == ("app.py",)
    assert candidates("a/b.py", {"a/b.py", "b.py"}) == ("a/b.py", "b.py")
    assert candidates("x.py", {"a/x.py", "b/x.py"}) == ()
    assert candidates("", known) == candidates("`", known) == candidates("/", known) == ()


def test_an_ending_that_is_a_comment_here_is_an_operator_there() -> None:
    assert isinstance(
        locate(["total = all // count"], "total = all\n", (1, 1), path="a.c"), QuotePlace
    )
    assert locate(["x", "yy = a % b", "z"], "x\nyy = a\nz", (1, 1), path="a.py") == UnplacedQuote(
        "its evidence is not in the file"
    )


def test_a_long_file_and_a_long_quote_take_little_time() -> None:
    lines = [f"    value_{n % 700} = compute({n % 700}, other)  # note" for n in range(50_000)]
    began = time.process_time()
    for evidence in (
        "compute(9999, other)",
        "\n".join(lines[:40]) + "\nno",
        "+" + lines[7] + "\n...\n+nope",
    ):
        assert isinstance(locate(lines, evidence, (1, 1), path="a.py"), UnplacedQuote)
    assert time.process_time() - began < 5


def test_a_long_line_that_repeats_itself_takes_little_time() -> None:
    began = time.process_time()
    assert isinstance(
        locate(["**a" * 330_000] * 2, "**a" * 1_333 + "*", (1, 1), path="a.js"), UnplacedQuote
    )
    assert time.process_time() - began < 5
