"""The output of a rehearsal: a thread of the simulated GitHub as people would see it."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.syntax import Syntax
from rich.text import Text

from claude_pool_gh.rehearsal.github import Issue, Pull, Repository
from claude_pool_gh.rehearsal.github.state.repository import ReviewComment
from claude_pool_gh.service.console import Console

_SHOWN: Final = 4
"""Lines of a diff that end with the one that a comment is about."""


def show_thread(out: Console, repository: Repository, thread: Issue) -> None:
    """Print everything that bots have put on a thread: comments, reviews, checks."""
    out.rule(f"What #{thread.number} shows now")
    for comment in repository.comments(thread.number):
        if comment.author.login.endswith("[bot]"):
            out.print(comment_panel(comment.body))
    if isinstance(thread, Pull):
        show_reviews(out, repository, thread)


def show_reviews(out: Console, repository: Repository, pull: Pull) -> None:
    """Print the reviews of a pull request with the lines that they are about, and the checks of its head."""
    for review in pull.reviews:
        say(out, review.author.login, "reviewed", visible(review.body))
    for comment in pull.review_comments:
        out.print(f"\n{comment.path}:{comment.line}", style="bold")
        out.print(_lines(repository, pull, comment))
        out.print(
            Padding(Panel(Markdown(visible(comment.body)), border_style="yellow"), (0, 0, 0, 2))
        )
    for run in repository.check_runs(pull.head_sha):
        head = ("\ncheck", "bold")
        out.print(Text.assemble(head, f" {run.name}: {run.conclusion}, {run.title}"))


def comment_panel(body: str, title: str = "claude-pool[bot]") -> Panel:
    """A comment in a frame."""
    return Panel(Markdown(visible(body)), title=Text(title), border_style="green")


def visible(body: str) -> str:
    """A body as a terminal can show it: folds opened, hidden marks gone."""
    text = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    text = re.sub(r"<details><summary>(.*?)</summary>", r"**▾ \1**", text)
    return re.sub(r"</?(details|sub)>", "", text).strip()


def say(out: Console, who: str, did: str, text: str) -> None:
    """Print the words of a person."""
    out.print(Panel(Markdown(text), title=Text(f"{who} {did}"), title_align="left"))


def step_line(body: str) -> str:
    """The one line of a running comment that changes; "" of none."""
    running = [line for line in body.splitlines() if line.startswith("| ▶")]
    if running:
        return running[0].strip("| ▶").split("|")[0].replace("**", "").strip()
    return unescape(visible(body).partition("\n")[0].strip("# "))


def _lines(repository: Repository, pull: Pull, comment: ReviewComment) -> Syntax:
    """The line that a comment is about, with some beside it."""
    if comment.side == "LEFT":  # what is gone stands in the diff alone
        gone = comment.diff_hunk.splitlines()[1:][-_SHOWN:]
        return Syntax("\n".join(gone), "diff", theme="ansi_light")
    line = comment.line or 1
    lines = repository.read(pull.head_sha, comment.path).decode(errors="replace").splitlines()
    code = "\n".join(lines[max(0, line - 3) : line + 1])
    return Syntax(code, Syntax.guess_lexer(comment.path, code), theme="ansi_light")
