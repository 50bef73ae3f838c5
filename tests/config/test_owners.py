"""CODEOWNERS, by the examples in GitHub's documentation ("About code owners")."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.config.owners import PLACES, Rule, owners_of, parse
from claude_pool_gh.terms.patterns import matches

# The file of the documentation, comments and all; the last pattern that matches counts.
EXAMPLE = """\
# This is a comment.
# Each line is a file pattern followed by one or more owners.

# These owners will be the default owners for everything in
# the repo. Unless a later match takes precedence,
# @global-owner1 and @global-owner2 will be requested for
# review when someone opens a pull request.
*       @global-owner1 @global-owner2

# Order is important; the last matching pattern takes the most
# precedence. When someone opens a pull request that only
# modifies JS files, only @js-owner and not the global
# owner(s) will be requested for a review.
*.js    @js-owner #This is an inline comment.

# You can also use email addresses if you prefer. They'll be
# used to look up users just like we do for commit author
# emails.
*.go docs@example.com

# Teams can be specified as code owners as well. Teams should
# be identified in the format @org/team-name. Teams must have
# explicit write access to the repository. In this example,
# the octocats team in the octo-org organization owns all .txt files.
*.txt @octo-org/octocats

# In this example, @doctocat owns any files in the build/logs
# directory at the root of the repository and any of its
# subdirectories.
/build/logs/ @doctocat

# The `docs/*` pattern will match files like
# `docs/getting-started.md` but not further nested files like
# `docs/build-app/troubleshooting.md`.
docs/* docs@example.com

# In this example, @octocat owns any file in an apps directory
# anywhere in your repository.
apps/ @octocat

# In this example, @doctocat owns any file in the `/docs`
# directory in the root of your repository and any of its
# subdirectories.
/docs/ @doctocat

# In this example, any change inside the `/scripts` directory
# will require approval from @doctocat or @octocat.
/scripts/ @doctocat @octocat

# In this example, @octocat owns any file in a `/logs` directory such as
# `/build/logs`, `/scripts/logs`, and `/deeply/nested/logs`. Any changes
# in a `/logs` directory will require approval from @octocat.
**/logs @octocat

# In this example, @octocat owns any file in the `/apps`
# directory in the root of your repository except for the `/apps/github`
# subdirectory, as its owners are left empty. Without an owner, changes
# to `apps/github` can be made with the approval of any user who has
# write access to the repository.
/apps/ @octocat
/apps/github

# In this example, @octocat owns any file in the `/apps`
# directory in the root of your repository except for the `/apps/github`
# subdirectory, as this subdirectory has its own owner @doctocat
/apps/ @octocat
/apps/github @doctocat
"""
RULES = parse(EXAMPLE)


def upto(pattern: str) -> tuple[Rule, ...]:
    """The rules of the file down to the first with a pattern, as each example means them."""
    at = next(at for at, rule in enumerate(RULES) if rule.pattern == pattern)
    return RULES[: at + 1]


def test_the_documented_file_is_read_whole() -> None:
    assert [rule.pattern for rule in RULES] == [
        "*",
        "*.js",
        "*.go",
        "*.txt",
        "/build/logs/",
        "docs/*",
        "apps/",
        "/docs/",
        "/scripts/",
        "**/logs",
        "/apps/",
        "/apps/github",
        "/apps/",
        "/apps/github",
    ]
    assert RULES[1] == Rule("*.js", ("@js-owner",))
    assert RULES[11] == Rule("/apps/github", ())


@pytest.mark.parametrize(
    ("pattern", "path", "owners"),
    [
        ("*", "README.md", ("global-owner1", "global-owner2")),
        ("*", "deep/er/README.md", ("global-owner1", "global-owner2")),
        ("*.js", "a.js", ("js-owner",)),
        ("*.js", "lib/a.js", ("js-owner",)),
        ("*.js", "a.jsx", ("global-owner1", "global-owner2")),
        ("*.js", "a.JS", ("global-owner1", "global-owner2")),
        ("*.go", "cmd/main.go", ("docs@example.com",)),
        ("*.txt", "robots.txt", ("octo-org/octocats",)),
        ("/build/logs/", "build/logs/today.log", ("doctocat",)),
        ("/build/logs/", "build/logs/2026/today.log", ("doctocat",)),
        ("/build/logs/", "x/build/logs/today.log", ("global-owner1", "global-owner2")),
        ("/build/logs/", "build/logs", ("global-owner1", "global-owner2")),
        ("docs/*", "docs/getting-started.md", ("docs@example.com",)),
        ("docs/*", "docs/build-app/troubleshooting.md", ("global-owner1", "global-owner2")),
        ("docs/*", "x/docs/a.md", ("global-owner1", "global-owner2")),
        ("apps/", "apps/a.md", ("octocat",)),
        ("apps/", "x/apps/y/a.md", ("octocat",)),
        ("apps/", "x/myapps/a.md", ("global-owner1", "global-owner2")),
        ("/docs/", "docs/build-app/troubleshooting.md", ("doctocat",)),
        ("/docs/", "x/docs/a.md", ("global-owner1", "global-owner2")),
        ("/scripts/", "scripts/deep/run.sh", ("doctocat", "octocat")),
        ("**/logs", "build/logs/a", ("octocat",)),
        ("**/logs", "scripts/logs/a", ("octocat",)),
        ("**/logs", "deeply/nested/logs/a/b", ("octocat",)),
        ("**/logs", "logs/a", ("octocat",)),
        ("**/logs", "deeply/nested/blogs/a", ("global-owner1", "global-owner2")),
        ("/apps/github", "apps/a", ("octocat",)),
        ("/apps/github", "apps/github/a", ()),
        ("/apps/github", "apps/github", ()),
        ("/apps/github", "apps/githubber", ("octocat",)),
    ],
)
def test_each_documented_pattern_names_whom_the_documentation_says(
    pattern: str, path: str, owners: tuple[str, ...]
) -> None:
    assert owners_of(upto(pattern), path) == owners


def test_the_last_pattern_that_matches_counts() -> None:
    assert owners_of(RULES, "apps/github/x.js") == ("doctocat",)
    assert owners_of(RULES, "apps/logs/x.js") == ("octocat",)
    assert owners_of(RULES[::-1], "apps/github/x.js") == ("global-owner1", "global-owner2")


@pytest.mark.parametrize(
    ("pattern", "named", "others"),
    [
        ("/*", ["a", "a.md"], ["b/a", "b/c/a"]),
        ("*", ["a", "b/a", "b/c/a"], []),
        ("**", ["a", "b/a"], []),
        ("docs/**", ["docs/a", "docs/b/c"], ["a/docs/a", "docs"]),
        (
            "docs/**/a.md",
            ["docs/a.md", "docs/b/a.md", "docs/b/c/a.md"],
            ["docs/b.md", "x/docs/a.md"],
        ),
        ("/a/*/c", ["a/b/c", "a/b/c/d"], ["a/c", "a/b/b/c"]),
        ("a?c", ["abc", "x/abc"], ["ac", "a/c", "abbc"]),
        ("/", [], ["a", "a/b"]),
        ("Makefile", ["Makefile", "x/Makefile", "Makefile/x"], ["makefile", "Makefile.in"]),
        ("a.b", ["a.b"], ["aXb"]),
        ("a+(b)", ["a+(b)"], ["aa(b)"]),
    ],
)
def test_a_pattern_names_these_and_no_others(
    pattern: str, named: list[str], others: list[str]
) -> None:
    assert [path for path in named if not matches(pattern, path)] == []
    assert [path for path in others if matches(pattern, path)] == []


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", ()),
        ("\n \n\t\n#x\n  # y", ()),
        ("a @b\r\n/c\t@d\t@e\r\n", (Rule("a", ("@b",)), Rule("/c", ("@d", "@e")))),
        ("a @b # c @d\nb\t@c\t# d", (Rule("a", ("@b",)), Rule("b", ("@c",)))),
        ("a#b @c", (Rule("a#b", ("@c",)),)),
        ("my\\ file.md @b", (Rule("my file.md", ("@b",)),)),
        ("*.js js-owner\n*.ts @ts-owner", (Rule("*.ts", ("@ts-owner",)),)),
        ("a @b\u2028@c", (Rule("a", ("@b", "@c")),)),
    ],
)
def test_lines_are_read_as_github_reads_them(text: str, rules: tuple[Rule, ...]) -> None:
    assert parse(text) == rules


def test_a_file_with_a_space_in_its_name_has_its_owner() -> None:
    assert owners_of(parse("docs/my\\ file.md @mona"), "docs/my file.md") == ("mona",)


def test_who_is_written_without_the_sign_is_no_owner() -> None:
    assert owners_of(parse("* mona"), "a") == ()


def test_github_looks_in_three_places_in_this_order() -> None:
    assert PLACES == (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")


@settings(deadline=None)
@given(st.text(max_size=80), st.text(min_size=1, max_size=20))
def test_no_file_makes_the_reader_raise(text: str, path: str) -> None:
    assert isinstance(owners_of(parse(text), path), tuple)


@settings(deadline=None)
@given(
    st.text(st.sampled_from("ab/.*?"), min_size=1, max_size=12),
    st.text(st.sampled_from("ab/."), max_size=12),
)
def test_whatever_the_pattern_a_rule_for_everything_after_it_wins(pattern: str, path: str) -> None:
    rules = parse(f"{pattern} @first\n* @last")
    if path and not path.startswith("/") and not path.endswith("/") and "//" not in path:
        assert owners_of(rules, path) == ("last",)
