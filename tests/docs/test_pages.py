"""What the pages name is there: files, anchors, command lines, `/pool` lines, settings, keys of the configuration."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

import click
import pytest
import yaml

from claude_pool_gh.commands.grammar import Mistake, parse
from claude_pool_gh.config.load import load
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.registry import handlers
from claude_pool_gh.pool.recipes.workflows import parse_workflow
from claude_pool_gh.service.cli import main
from claude_pool_gh.service.settings import PREFIX, Settings, variable
from tests.docs.site import DOCS, ROOT

PAGES: Final = {
    str(page.relative_to(ROOT)): page.read_text("utf-8")
    for page in (
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *ROOT.glob("examples/**/*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("evals/*.md"),
    )
}
EVERY: Final = pytest.mark.parametrize("page", PAGES)
LINK: Final = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
FENCE: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
OURS: Final = "claude-pool-gh"
VERBS: Final = {name: each.verb for name, each in handlers().items()}
ELSEWHERE: Final = {
    f"{PREFIX}{name}" for name in ("KEEP", "NAME", "PROCESS_MODE", "CLIENT_ID", "AUDIT_ISSUE")
}
"""A beginning of names, an example, what is read without settings, and variables that a workflow of GitHub's reads."""
PLACES: Final = re.compile(
    r"^(?:benchmarks|claude_pool_gh|deploy|docs|evals|examples|tests)/[\w./-]*\w(?:\.\w+)?$"
)
PLACEHOLDER: Final = re.compile(r"VERB|NAME|KIND|FILE|\bID\b|…|\.\.\.")


def anchors(text: str) -> set[str]:
    """The anchors that GitHub and the site give the headings of a page."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def lines_of_code(text: str) -> Iterator[str]:
    """What stands as code in a page: spans, and the lines of blocks for a shell or without a language."""
    for language, block in FENCE.findall(text):
        if language in ("console", "text", "", "sh"):
            yield from (line.strip().removeprefix("$ ") for line in block.splitlines())
    yield from (
        " ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", FENCE.sub("", text))
    )


def commands(text: str) -> Iterator[list[str]]:
    """The command lines of ours in a page, without what comes before and after them in the line."""
    for line in lines_of_code(text):
        if f"{OURS} " not in f"{line} " or not line.startswith((OURS, "sudo ")):
            continue
        words = shlex.split(line.partition(" # ")[0].replace("'", "\u2019"), posix=True)
        yield words[[word.rpartition("/")[2] for word in words].index(OURS) + 1 :]


def fault(words: list[str]) -> str:
    """What is wrong with the commands and flags of a line, "" for nothing."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        if words[0].isupper() or words[0] == "…":
            return ""
        found = command.get_command(context, words[0])
        if found is None:
            return f"no command {words[0]}"
        command, words = found, words[1:]
    known = {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)}
    known |= {"--help", "-h", "--version"}
    wrong = [
        word for word in words if re.match(r"--[a-z]", word) and word.split("=")[0] not in known
    ]
    return f"no flag {wrong[0]} of {command.name}" if wrong else ""


@EVERY
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    broken = []
    for path, anchor in LINK.findall(FENCE.sub("", PAGES[page])):
        target = (ROOT / page).parent / unquote(path) if path else ROOT / page
        if not target.exists():
            broken.append(path)
        elif anchor and anchor not in anchors(target.read_text("utf-8")):
            broken.append(f"{path}#{anchor}")
    assert broken == []


@EVERY
def test_every_command_line_can_be_typed(page: str) -> None:
    found = {" ".join(words): fault(words) for words in commands(PAGES[page])}
    assert {line: wrong for line, wrong in found.items() if wrong} == {}


@EVERY
def test_every_console_line_can_be_pasted(page: str) -> None:
    """Also into zsh, which takes a remark for arguments."""
    blocks = [block for language, block in FENCE.findall(PAGES[page]) if language == "console"]
    typed = [line.strip() for block in blocks for line in block.splitlines() if "$ " in line]
    assert [line for line in typed if not line.startswith("$ ") or re.search(r"\s#", line)] == []


@EVERY
def test_every_pool_line_is_understood(page: str) -> None:
    wrong = []
    for line in lines_of_code(PAGES[page]):
        verb, *more = line.removeprefix("/pool ").split() or [""]
        if not line.startswith("/pool ") or PLACEHOLDER.search(verb) or verb == "example":
            continue
        if not more and verb in VERBS:  # its name, in a sentence
            continue
        plain = re.sub(r"\[[^\]]*\]", "", line).replace(" USD", " 1").replace("TEXT…", "TEXT")
        found = parse(plain, VERBS)
        if isinstance(found, Mistake) and not found.problem.startswith("`/pool"):
            wrong.append((line, found.problem))
    assert wrong == []


@EVERY
def test_every_setting_and_every_file_of_ours_that_is_named_is_there(page: str) -> None:
    known = {variable(name) for name in Settings.model_fields} | ELSEWHERE
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", PAGES[page]))
    assert named - known - {PREFIX.rstrip("_")} == set()
    paths = [span for span in lines_of_code(PAGES[page]) if PLACES.match(span)]
    assert [path for path in paths if not (ROOT / path).exists() and "NAME" not in path] == []


@EVERY
def test_every_yaml_example_is_what_it_shows(page: str) -> None:
    """A workflow of ours, a configuration, or a workflow of GitHub's."""
    for language, block in FENCE.findall(PAGES[page]):
        if language != "yaml":
            continue
        shown = yaml.safe_load(block)
        if "steps" in shown and "jobs" not in shown:
            parse_workflow(block, page)
        elif "jobs" not in shown:
            read = load(block, frozenset(VERBS))
            assert isinstance(read, RepositoryConfig), read


def test_these_tests_would_see_what_is_not_there() -> None:
    assert fault(["pool", "aprove", "ID"]) == "no command aprove"
    assert fault(["run", "hi", "--budgett", "1"]) == "no flag --budgett of run"
    assert [fault(words) for words in commands("`claude-pool-gh doctr`\n")] == ["no command doctr"]
    assert fault(["run", "hi", "--budget", "1"]) == ""
    assert anchors("## 1. Store the `key`, once\n") == {"1-store-the-key-once"}
    assert LINK.findall("[a](b.md#c) [d](https://e)") == [("b.md", "c")]


def test_enough_is_looked_at() -> None:
    assert len(PAGES) > 30
    assert sum(len(list(commands(text))) for text in PAGES.values()) > 60
