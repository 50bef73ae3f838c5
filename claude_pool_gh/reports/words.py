"""Small phrases that several reports share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from claude_pool_gh.findings.model import Finding
from claude_pool_gh.reports.neutralize import code, fence, neutralize_line
from claude_pool_gh.reports.rendered import html_of
from claude_pool_gh.reports.views import CheckEnd, CheckResult, FileChange
from claude_pool_gh.terms.markdown import COMMENT_LIMIT, SafeMarkdown

_CUT = "\n\n*Shortened: GitHub does not accept longer comments. {} has the whole text.*"
_TRIES: Final = 8
_FENCE: Final = re.compile(r"(\s*(?:> ?)*)(`{3,})[^`]*\Z")


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def difference(files: Sequence[FileChange]) -> str:
    """A change in numbers."""
    added, removed = sum(file.added for file in files), sum(file.removed for file in files)
    return f"{count(len(files), 'file')}, +{added} -{removed}"


def checks_in_short(checked: Sequence[CheckResult]) -> str:
    """The results of the checks, with a comma before them; nothing where there were none."""
    if not checked:
        return ""
    bad = [check.name for check in checked if check.end is not CheckEnd.passed]
    if not bad:
        return f", {count(len(checked), 'check')} passed"
    return (
        f", check {bad[0]} did not pass" if len(bad) == 1 else f", {len(bad)} checks did not pass"
    )


def fold(summary: str, body: str) -> str:
    """A part that is folded until a reader opens it."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def place(finding: Finding) -> str:
    """The place of a finding."""
    lines = str(finding.start_line)
    if finding.end_line != finding.start_line:
        lines += f"-{finding.end_line}"
    return code(f"{finding.path}:{lines}")


def linked(finding: Finding, home: str, head: str) -> str:
    """The place of a finding, as a link to these lines at the commit that was read. `home`: the repository's page.

    The lines of deleted code are other ones there, so they are named without a link.
    """
    if finding.side == "LEFT":
        return f"{place(finding)}, in the file before the change"
    if not home:
        return place(finding)
    lines = f"#L{finding.start_line}"
    if finding.end_line != finding.start_line:
        lines += f"-L{finding.end_line}"
    return f"[{place(finding)}]({home}/blob/{head}/{quote(finding.path)}{lines})"


def commit(head: str, home: str) -> str:
    """A commit, as a link to it."""
    return f"[`{head[:9]}`]({home}/commit/{head})" if home else f"`{head[:9]}`"


def operator_must_act(reason: str) -> str:
    """The words about trouble that only whoever runs the bot can end. `reason`: a few words of the host's."""
    return f"the bot's operator must act ({reason}); there is nothing that you can do here"


def title(finding: Finding) -> str:
    """A finding in one sentence."""
    return neutralize_line(finding.title, 200)


def fitting(text: str, download: str = "") -> SafeMarkdown:
    """The text, cut where GitHub would refuse it, with every fold closed, and a word on where all of it is."""
    if len(text) <= COMMENT_LIMIT:
        return SafeMarkdown(text)
    where = f"[The download]({download})" if download else "`claude-pool-gh show`"
    note = _CUT.format(where)
    kept = text[: COMMENT_LIMIT - 500]
    for _ in range(_TRIES):
        kept = kept.rpartition("\n")[0].rstrip("\n")
        shown = f"{_closed(kept)}{note}"
        if kept and _stands_apart(shown, note):
            return SafeMarkdown(shown)
        kept = kept.rpartition("\n\n")[0]  # within something that cannot be closed here: before it
    return SafeMarkdown(f"{fence(text[: COMMENT_LIMIT // 2], 'text')}{note}")


def _closed(kept: str) -> str:
    """The text with its open fence and its open folds closed."""
    ends, indent, folds = "", "", 0
    for line in kept.split("\n"):
        opening = _FENCE.match(line)
        if ends:
            ends = "" if line.strip("> ") == ends else ends
        elif opening:
            ends, indent = opening[2], opening[1]
        else:
            folds += line.startswith("<details>") - line.startswith("</details>")
    kept += f"\n{indent}{ends}" if ends else ""
    return kept + "\n\n</details>" * folds


def _stands_apart(shown: str, note: str) -> bool:
    """True where the note is read as such: not in a fence, an item or a fold that goes on."""
    page = html_of(shown)
    return page.rstrip().endswith(html_of(note).strip()) and page.count("<details>") == page.count(
        "</details>"
    )
