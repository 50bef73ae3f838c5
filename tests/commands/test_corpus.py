"""Corpora of lines: whatever only looks like a command is none, and no command is missed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Command, Flag, parse
from claude_pool_gh.commands.lines import command_lines
from claude_pool_gh.conversation.handler import VerbHandler
from claude_pool_gh.conversation.registry import handlers

VERBS = {name: handler.verb for name, handler in handlers().items()}
CORPUS = Path(__file__).parent / "corpus"
NEAR: dict[str, list[str]] = yaml.safe_load((CORPUS / "near.yml").read_text("utf-8"))
VALID: list[dict[str, Any]] = yaml.safe_load((CORPUS / "valid.yml").read_text("utf-8"))
BODIES = [body for some in NEAR.values() for body in some]
PARTED = [body for kind in ("in quotes", "in lists", "in HTML") for body in NEAR[kind]]


def accepted(body: str) -> list[Command]:
    found = (parse(line, VERBS) for line in command_lines(body))
    return [each for each in found if isinstance(each, Command)]


def meaning(command: Command) -> list[Any]:
    return [command.verb.name, list(command.words), dict(command.flags)]


def test_the_corpora_are_large_and_hold_nothing_twice() -> None:
    valid = [each["body"] for each in VALID]
    assert len(set(BODIES)) == len(BODIES) >= 300
    assert len(set(valid)) == len(valid) >= 100
    assert not set(valid) & set(BODIES)


MEANT = [mean for each in VALID for mean in each["means"]]


def test_only_verbs_that_there_are_are_meant() -> None:
    assert {mean[0] for mean in MEANT} <= set(VERBS)


@pytest.mark.parametrize("verb", handlers().values(), ids=list(VERBS))
def test_a_verb_and_every_flag_of_its_own_is_among_the_valid_ones(verb: VerbHandler) -> None:
    assert any(mean[0] == verb.name for mean in MEANT), (
        f"no text in corpus/valid.yml means {verb.name}"
    )
    written = [each["body"] for each in VALID]
    for flag in verb.flags:
        assert any(
            m[0] == verb.name and flag.name in (m[2] if len(m) > 2 else {}) for m in MEANT
        ), flag
        forms = (f"--{flag.name}",) if flag.is_switch else (f"--{flag.name} ", f"--{flag.name}=")
        for form in forms:
            assert any(f"/pool {verb.name}" in body and form in body for body in written), form


@pytest.mark.parametrize("flag", COMMON, ids=[flag.name for flag in COMMON])
def test_every_flag_that_all_verbs_with_agents_have_is_among_the_valid_ones(flag: Flag) -> None:
    for form in (f"--{flag.name} ", f"--{flag.name}="):
        assert any(form in each["body"] and flag.name in str(each["means"]) for each in VALID), form


@pytest.mark.parametrize("kind", NEAR)
def test_none_of_the_near_commands_is_accepted(kind: str) -> None:
    assert {body: found for body in NEAR[kind] if (found := accepted(body))} == {}


@pytest.mark.parametrize("each", VALID, ids=[repr(each["body"])[:60] for each in VALID])
def test_none_of_the_valid_commands_is_missed_or_misread(each: dict[str, Any]) -> None:
    wanted = [[mean[0], *mean[1:], *([[], {}][len(mean) - 1 :])] for mean in each["means"]]
    assert [meaning(command) for command in accepted(each["body"])] == wanted


def test_line_ends_of_windows_change_nothing() -> None:
    for each in VALID:
        body = each["body"].replace("\r\n", "\n")
        if "\r" not in body:
            windows = body.replace("\n", "\r\n")
            assert list(map(meaning, accepted(windows))) == list(map(meaning, accepted(body)))
    for body in BODIES:
        assert accepted(body.replace("\r\n", "\n").replace("\n", "\r\n")) == []


def test_words_before_and_after_wake_no_near_command() -> None:
    for body in BODIES:
        assert accepted(f"Hello.\n\n{body}") == [], body
        if body in PARTED:
            assert accepted(f"{body}\n\nThank you.") == [], body


def test_a_command_above_a_near_command_is_the_only_one() -> None:
    for body in BODIES:
        assert [command.verb.name for command in accepted(f"/pool cost\n\n{body}")] == ["cost"], (
            body
        )


def test_the_near_commands_would_be_found_without_markdown() -> None:
    kinds = (
        "in code",
        "in quotes",
        "in lists",
        "in HTML",
        "in links, images, tables, headings, definitions",
    )
    for kind in kinds:
        naive = [
            line for body in NEAR[kind] for line in body.split("\n") if line.startswith("/pool")
        ]
        assert naive, kind
