"""What the words of a command mean to its verb, and what its chain says it will do."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.config.model import Changes, RepositoryConfig
from claude_pool_gh.conversation import registry
from claude_pool_gh.conversation.changes.change_facts import with_limits
from claude_pool_gh.conversation.lookups.finding_lookup import named, reads_as_name
from claude_pool_gh.conversation.verbs.audit import named as audit_named
from claude_pool_gh.conversation.verbs.run import _ended
from claude_pool_gh.conversation.verbs.triage import shown
from claude_pool_gh.findings.states import Standing
from claude_pool_gh.findings.tables import KnownFinding
from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from tests.conversation.rows import chain, step
from tests.findings.make import finding

VERBS = registry.handlers()


# ---- findings


@pytest.mark.parametrize(
    ("word", "is_name"),
    [
        ("0a1b2c", True),
        ("0A1B2C3D", True),
        ("123456", True),
        ("0a1b2", False),
        ("0a1b2c3d4", False),
        ("abcdef", False),
        ("0a1b2g", False),
        ("", False),
    ],
    ids=["six", "eight", "digits", "five", "nine", "a word", "no hex", "nothing"],
)
def test_a_finding_is_named_by_six_to_eight_digits_with_a_number_in_it(
    word: str, is_name: bool
) -> None:
    assert reads_as_name(word) is is_name


@pytest.mark.parametrize(
    ("word", "mark"),
    [
        ("0123456789aa", "0123456789aa"),
        ("0123456789A", "0123456789aa"),
        ("abcdef", "abcdef456789"),
        ("012345", None),
        ("01234", None),
        ("abcde", None),
        ("ffffff", None),
    ],
    ids=["whole", "its beginning", "the only one", "two", "short", "short but only", "none"],
)
def test_a_word_names_the_one_finding_that_begins_so(word: str, mark: str | None) -> None:
    known = [
        KnownFinding(name, finding(), Standing.open)
        for name in ("0123456789aa", "0123456789bb", "abcdef456789")
    ]
    found = named(word, known)
    assert (None if found is None else found.mark) == mark


# ---- audits


@pytest.mark.parametrize(
    ("words", "audit", "paths"),
    [
        ((), "defects", ()),
        (("security",), "security", ()),
        (("night", "src/", "lib/"), "night", ("src/", "lib/")),
        (("src/",), "defects", ("src/",)),
        (("unknown", "src/"), "defects", ("unknown", "src/")),
        (("Night",), "defects", ("Night",)),
        (("src/", "night"), "defects", ("src/", "night")),
    ],
    ids=["none", "a kind", "configured", "a path", "no audit", "in another case", "not first"],
)
def test_a_first_word_that_names_no_audit_is_a_path(
    words: tuple[str, ...], audit: str, paths: tuple[str, ...]
) -> None:
    assert audit_named(words, {"night"}) == (audit, paths)


# ---- workflows


def agent(name: str, *tools: str) -> AgentRun:
    overrides = TaskOverrides(tools=list(tools)) if tools else TaskOverrides()
    return AgentRun(name=name, prompt="p", overrides=overrides)


READS, EDITS = agent("read", "Read", "Grep"), agent("mend", "Read", "Edit")
HOST = HostCall(name="brief", call="thread.brief")


@pytest.mark.parametrize(
    ("steps", "again_from"),
    [
        ((EDITS,), "mend"),
        ((agent("write", "Write"),), "write"),
        ((HOST, READS, EDITS, agent("more", "Edit")), "mend"),
        ((READS, Branches(name="both", branches=(READS, EDITS))), "both"),
    ],
    ids=["edits", "writes", "the first that does", "in a branch"],
)
def test_what_a_workflow_changes_goes_through_the_gate(
    steps: tuple[Step, ...], again_from: str
) -> None:
    *own, propose, out = _ended(steps)
    assert tuple(own) == steps
    assert (propose.name, propose.gate, propose.again_from) == ("propose", True, again_from)
    assert isinstance(propose, HostCall)
    assert isinstance(out, HostCall)
    assert (propose.call, out.call) == ("change.propose", "change.open")


@pytest.mark.parametrize(
    "steps",
    [(READS,), (HOST, READS), (agent("any"),), (Branches(name="b", branches=(READS, READS)),)],
    ids=["reads", "after a brief", "no tools", "branches that read"],
)
def test_what_a_workflow_only_reads_is_answered(steps: tuple[Step, ...]) -> None:
    *own, last = _ended(steps)
    assert tuple(own) == steps
    assert isinstance(last, HostCall)
    assert (last.name, last.call) == ("reply", "run.reply")


def test_the_hosts_own_step_has_its_name_for_itself() -> None:
    for steps in ((EDITS, agent("propose", "Read")), (agent("propose", "Read"),)):
        with pytest.raises(RecipeError, match="no step may be called `propose`"):
            _ended(steps)


def test_the_gates_of_a_plan_allow_as_many_rejections_as_the_configuration() -> None:
    config = RepositoryConfig(changes=Changes(max_rejections=7))
    gate = HostCall(name="propose", call="change.propose", gate=True)
    assert [each.max_rejections for each in with_limits((EDITS, gate), config)] == [3, 7]


# ---- labels


def test_labels_are_told_with_what_they_mean_a_line_each() -> None:
    told = shown({"bug": "Something  is\nwrong", "ui\u200b": "", "x" * 70: "long"})
    assert told.split("\n") == ["- bug: Something is wrong", "- ui", f"- {'x' * 60}: long"]
    assert shown({}) == "(none)"


# ---- intents


FOUND = {"groups": [{}, {}], "files": 14, "incremental": False}


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "Reads the change. A second run checks every finding."),
        ({"other": 1}, "Reads the change. A second run checks every finding."),
        (FOUND, "Reads 14 files in 2 parts. A second run checks every finding."),
        (
            FOUND | {"groups": [{}], "files": 1},
            "Reads 1 file. A second run checks every finding.",
        ),
        (
            FOUND | {"incremental": True},
            "Reads the new changes in 14 files in 2 parts. A second run checks every finding.",
        ),
    ],
    ids=["not begun", "an older row", "parts", "one part", "less"],
)
def test_a_review_says_how_much_it_reads(result: Any, said: str) -> None:
    brief = HostCall(name="brief", call="review.brief")
    found = chain(brief, rows=[step("brief", result=result)])
    assert VERBS["review"].intent(found) == said


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"audit", "fix", "review", "run"}))
def test_every_verb_says_what_it_does_in_a_sentence(verb: str) -> None:
    said = VERBS[verb].intent(chain(verb=verb))
    assert said.endswith(".")
    assert said[0].isupper()
