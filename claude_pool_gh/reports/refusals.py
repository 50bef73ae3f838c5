"""The advice about a push that GitHub refuses, by GitHub's own words, or that git could not even ask for."""

from __future__ import annotations

import re
from typing import Final

from claude_pool_gh.reports.neutralize import code, neutralize_line
from claude_pool_gh.terms.markdown import SafeMarkdown

KEEPS: Final = "The patch stays here, so you can also apply it yourself."
_UNSIGNED: Final = """\
The bot's commits are unsigned. Let its App bypass this rule in the ruleset or branch protection, or apply the patch \
yourself and sign it."""
_WORKFLOWS: Final = """\
The App lacks the repository permission *Workflows: write*. An owner can grant it in the App's installation settings."""
_DETECTED: Final = """\
Push protection found what looks like a secret. Remove it from the change, or allow it at the address GitHub names."""
_RULES: Final = """\
A ruleset or branch protection does not let the App push to this branch. Let the App bypass it, or set \
`changes.draft: true`, which opens a pull request instead."""
_MAY_NOT: Final = """\
The App may not write here. An owner can grant it *Contents: write*, or unarchive the repository."""
_ADVICE: Final[tuple[tuple[str, str], ...]] = (
    (r"verified signature|must be signed|GH014", _UNSIGNED),
    (r"workflows?`? permission|`?workflow`? scope", _WORKFLOWS),
    (r"GH009|GITHUB PUSH PROTECTION|[Ss]ecrets? detected", _DETECTED),
    (
        r"GH001|file size limit|maximum allowed size",
        "A file or the commit is larger than GitHub takes.",
    ),
    (r"GH003|GH006|GH013|[Pp]rotected branch|rule violations|through a pull request", _RULES),
    (
        r"has moved|branch of this name",
        "Ask again with `/pool retry`: it starts from the branch as it is now.",
    ),
    (r"[Pp]ermission to .* denied|not granted|not accessible by integration|archived", _MAY_NOT),
)


def odd_branch(name: str, why: str) -> SafeMarkdown:
    """Said before anything is run: nothing could be pushed to this branch afterwards."""
    return SafeMarkdown(
        f"Nothing can be pushed to the branch {code(name, 100)}: {neutralize_line(why, 100)}. Nothing was run. Rename "
        "the branch, or set `changes.draft: true`, which opens a pull request from a branch of its own."
    )


def advice(refusal: str) -> str:
    """One or two sentences; the general one where the words are not known, as those of a company's own hook."""
    for words, told in _ADVICE:
        if re.search(words, refusal):
            return told if "yourself" in told or "retry" in told else f"{told} {KEEPS}"
    return KEEPS
