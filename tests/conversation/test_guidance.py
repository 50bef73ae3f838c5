"""The maintainers' rules: which files count, how they are told, and that every agent is told them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from claude_pool_gh.conversation.recipes.recipe_terms import BRIEF
from claude_pool_gh.conversation.repository.guidance import (
    GUIDES,
    HEADING,
    guided,
    imported,
    told,
    wanted,
)
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall

BRIEF_STEP = HostCall(name="brief", call="fix.brief")
RULES = "{steps.brief.guidance}"


def test_the_guides_of_the_root_and_of_every_folder_above_the_files_count() -> None:
    assert wanted([]) == ["AGENTS.md", "CLAUDE.md", ".claude/CLAUDE.md"]
    assert wanted(["web/app/a.ts", "web/b.ts"]) == [
        f"{folder}{name}" for folder in ("", "web/", "web/app/") for name in GUIDES
    ]
    assert len(wanted([f"{n}/a.py" for n in range(500)])) == 180


def test_guides_are_told_from_the_root_inwards_each_text_once() -> None:
    found = {
        "web/AGENTS.md": "Tabs.",
        "AGENTS.md": "Spaces.",
        "CLAUDE.md": "@AGENTS.md\n",
        "web/CLAUDE.md": "Tabs.\n",
    }
    assert told(found) == f"{HEADING}\n\nFrom AGENTS.md:\n\nSpaces.\n\nFrom web/AGENTS.md:\n\nTabs."
    assert told({}) == told({"AGENTS.md": " \n"}) == ""
    assert told({}, ["web/AGENTS.md"]).endswith(
        "read the nearest before you work there: web/AGENTS.md"
    )


def test_a_file_that_a_guide_names_counts_and_the_line_that_names_it_does_not() -> None:
    shim = "<!-- The rules of all agents. -->\n@AGENTS.md\n"
    assert imported({"CLAUDE.md": shim, "AGENTS.md": "x"}) == []
    assert imported({"CLAUDE.md": shim}) == ["AGENTS.md"]
    assert imported({"web/CLAUDE.md": "Use @alice.\n- @./rules/a.md\n@../../secret.md\n"}) == [
        "web/rules/a.md"
    ]
    assert (
        told({"CLAUDE.md": shim, "AGENTS.md": "Spaces."})
        == f"{HEADING}\n\nFrom AGENTS.md:\n\nSpaces."
    )


def test_a_long_guide_leaves_room_for_the_nearest_and_says_that_it_was_cut() -> None:
    text = told({"AGENTS.md": "x" * 50_000, "web/AGENTS.md": "Tabs."})
    assert len(text) < 13_000
    assert "(the rest of this file is left out)\n\nFrom web/AGENTS.md:\n\nTabs." in text


def test_every_agent_is_told_them_in_its_instructions() -> None:
    steps = guided(
        (
            BRIEF_STEP,
            AgentRun(name="a", system="You fix.", prompt="{steps.brief.about}"),
            AgentRun(name="b", prompt="Do it."),
            Branches(
                name="c",
                branches=(
                    AgentRun(name="d", prompt="D."),
                    AgentRun(name="e", system="E", prompt=""),
                ),
            ),
            AgentRun(name="f", system=f"Mine: {RULES}", prompt="x"),
        )
    )
    _, a, b, c, f = steps
    assert isinstance(a, AgentRun)
    assert (a.system, a.prompt) == (f"You fix.\n\n{RULES}", "{steps.brief.about}")
    assert isinstance(b, AgentRun)
    assert (b.system, b.prompt) == ("", f"{RULES}\n\nDo it.")
    assert isinstance(c, Branches)
    assert [each.system or each.prompt for each in c.branches] == [
        f"{RULES}\n\nD.",
        f"E\n\n{RULES}",
    ]
    assert isinstance(f, AgentRun)
    assert f.system == f"Mine: {RULES}", (
        "a recipe that says itself where they stand is left as it is"
    )


def test_a_workflow_without_a_brief_gets_one() -> None:
    step = AgentRun(name="look", prompt="Look.")
    first, second = guided((step,))
    assert first == HostCall(name="brief", call=BRIEF)
    assert isinstance(second, AgentRun)
    assert second.prompt == f"{RULES}\n\nLook."
    first, second = guided((step.model_copy(update={"name": "brief"}),))
    assert first.name == "brief0"
    assert isinstance(second, AgentRun)
    assert second.prompt == "{steps.brief0.guidance}\n\nLook."


@pytest.mark.parametrize(
    "text",
    [
        {"system": "{thread.diff}"},
        {"prompt": "{thread.diff}"},
        {"title": "{thread.diff}"},
        {"recovery": "{thread.diff}"},
        {"arguments": {"x": "{thread.diff}"}},
    ],
    ids=lambda text: next(iter(text)),
)
@pytest.mark.parametrize("in_a_branch", [False, True])
def test_wherever_an_agent_asks_for_the_thread_before_the_brief_there_is_one_before_it(
    text: dict[str, Any], in_a_branch: bool
) -> None:
    run = AgentRun(**{"name": "look", "prompt": "p", **text})
    step = Branches(name="look", branches=(run,)) if in_a_branch else run
    own = HostCall(name="told", call="ask.brief")
    first, look, _ = guided([step, own])
    assert first == HostCall(name="brief", call=BRIEF)
    made = look.branches[0] if isinstance(look, Branches) else look
    assert "{steps.brief.diff}" in made.model_dump_json()
    assert "{thread." not in made.model_dump_json()
    unasked = AgentRun(name="look", prompt="p")
    assert guided([unasked, own]) == (unasked, own), "what is told nothing needs no brief"


def test_comments_that_never_end_take_little_time() -> None:
    began = time.process_time()
    assert "a<!--<!--" in told({"CLAUDE.md": "a<!-- b -->" + "<!--" * 100_000})
    assert time.process_time() - began < 5


def test_what_a_workflow_asks_of_the_thread_comes_from_its_brief() -> None:
    run = AgentRun(name="look", prompt="{thread.title}", arguments={"x": "{thread.comments}"})
    first, look = guided([run])
    assert isinstance(look, AgentRun)
    assert first == HostCall(name="brief", call=BRIEF)
    assert look.prompt.endswith("{steps.brief.title}")
    assert look.arguments == {"x": "{steps.brief.conversation}"}
    own = HostCall(name="told", call="ask.brief")
    branches = Branches(name="b", branches=(AgentRun(name="one", prompt="{thread.diff}"),))
    _, made = guided([own, branches])
    assert isinstance(made, Branches)
    assert made.branches[0].prompt.endswith("{steps.told.diff}")
    steps = guided([run, own, AgentRun(name="late", prompt="x")])
    assert [step.name for step in steps] == ["brief", "look", "told", "late"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- a -->Keep.", "Keep."),
        ("Keep.<!-- a --> And.<!-- b -->", "Keep. And."),
        ("Keep.<!-- a", "Keep.<!-- a"),
        ("<!-- a --><!-- b -->", None),
        (" \n", None),
    ],
    ids=["at the beginning", "several", "never closed", "nothing else", "blank"],
)
def test_comments_are_no_rules(text: str, said: str | None) -> None:
    found = told({"CLAUDE.md": text})
    assert found == (f"{HEADING}\n\nFrom CLAUDE.md:\n\n{said}" if said else "")


def test_of_the_guides_of_other_folders_the_first_twenty_are_named() -> None:
    found = told({"AGENTS.md": "Keep."}, [f"d{number}/AGENTS.md" for number in range(25)])
    assert found.endswith(
        "before you work there: " + ", ".join(f"d{n}/AGENTS.md" for n in range(20))
    )
    assert told({}, ["d/AGENTS.md"]).startswith(HEADING), "also where there are no others"


def test_all_guides_together_are_bounded_and_each_has_its_share() -> None:
    many = {f"d{number}/AGENTS.md": f"{number} " + "x" * 5_000 for number in range(40)}
    found = told(many)
    assert len(found) == len(HEADING) + 2 + 24_000
    assert f"From d0/AGENTS.md:\n\n0 {'x' * 1_498}\n(the rest of this file is left out)" in found
    one = told({"AGENTS.md": "y" * 13_000})
    assert one.endswith("y" * 12_000 + "\n(the rest of this file is left out)")
    assert told({"AGENTS.md": "y" * 12_000}).endswith("yy")


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("@docs/rules.md", ["docs/rules.md"]),
        ("- @./docs/rules.md ", ["docs/rules.md"]),
        ("* @rules.txt", ["rules.txt"]),
        ("See @docs/rules.md", []),
        ("@mona", []),
        ("@../secret.md", []),
        ("@a/../../secret.md", []),
        ("<!--\n@docs/rules.md\n-->", []),
        ("@AGENTS.md", []),
        ("@a.md\n@a.md\n@b.md", ["a.md", "b.md"]),
        ("\n".join(f"@{n}.md" for n in range(7)), [f"{n}.md" for n in range(5)]),
    ],
    ids=[
        "by itself",
        "in a list",
        "starred",
        "amid words",
        "a person",
        "above",
        "above in the middle",
        "in a comment",
        "itself",
        "each once",
        "the first five",
    ],
)
def test_a_line_that_only_names_a_file_brings_that_in(line: str, paths: list[str]) -> None:
    assert imported({"AGENTS.md": line}) == paths
    beside = imported({"web/AGENTS.md": "@rules.md"})
    assert beside == ["web/rules.md"], "beside the guide that names it"
