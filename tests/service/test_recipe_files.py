"""Workflows and skills in a shell: checked whole before anything is paid for, listed, copied."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from claude_pool_gh.conversation.prompts.thread_prompt import ThreadPrompt
from claude_pool_gh.conversation.recipes.recipe_terms import BRIEF_RESULT
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.service.cli import main
from claude_pool_gh.service.shell.recipe_files import check_all, eject, library_at

FAULTY = """name: describe
description: d
steps:
  - name: look
    prompt: What does this change? {thread.titel}
  - name: two
    skill: look
    tools: [Bash]
  - name: three
    skill: nosuch
  - name: four
    prompt: "{steps.lok.output}"
"""
SKILL = """---
name: look
description: d
allowed-tools: Read Bash(git log:*)
---
Use {item} and run scripts/a.py.
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def put(project: Path, name: str, text: str) -> Path:
    file = project / ".github" / "claude-pool" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def shell(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_every_fault_of_a_workflow_is_told_with_its_file_and_line(project: Path) -> None:
    put(project, "workflows/describe.yml", FAULTY)
    put(project, "skills/look/SKILL.md", SKILL)
    done = shell("workflow", "check")
    assert (done.exit_code, done.stdout) == (1, "")
    name = ".github/claude-pool/workflows/describe.yml"
    assert sorted(line.removeprefix(f"{name}: ")[:7] for line in done.stderr.splitlines()) == [
        "line 11",
        "line 3:",
        "line 4,",
        "line 6,",
    ]
    for said in (
        "unknown part of the thread `titel`, did you mean `title`?",
        "unknown tool `Bash`; known: Edit, Glob, Grep, Read, Write",
        "unknown skill `nosuch`",
        "no earlier step is called 'lok'",
    ):
        assert said in done.stderr
    whole = json.loads(shell("workflow", "check", "--json").stdout)
    assert [len(each["faults"]) for each in whole] == [4]


def test_a_workflow_is_checked_as_it_runs_on_github_or_in_a_shell(project: Path) -> None:
    text = (
        "name: w\ndescription: d\nsteps:\n  - {name: a, prompt: '{thread.diff}', tools: [Bash]}\n"
    )
    file = str(put(project, "workflows/w.yml", text))
    assert "unknown tool `Bash`" in shell("workflow", "check", file).stderr
    said = shell("workflow", "check", "--shell", file).stderr
    assert "`{thread.diff}` is there only on GitHub" in said
    put(project, "workflows/w.yml", text.replace("{thread.diff}", "x"))
    assert shell("workflow", "check", "--shell", file).output == "no errors in 1 file\n"


def test_what_of_a_skill_has_no_effect_here_is_told(project: Path) -> None:
    put(project, "skills/look/SKILL.md", SKILL)
    put(project, "skills/look/scripts/a.py", "print()")
    done = shell("skill", "check")
    assert done.exit_code == 0
    assert "note: Bash: agents have no such tool on GitHub" in done.stdout
    assert "note: scripts/a.py: agents can read programs, not run them" in done.stdout
    put(project, "skills/other/SKILL.md", SKILL)
    done = shell("skill", "check")
    assert done.exit_code == 1
    assert "line 2: the skill calls itself `look`, its folder is `other`" in done.stderr


def test_a_skill_that_names_what_can_be_no_file_is_checked_all_the_same(project: Path) -> None:
    put(project, "skills/look/SKILL.md", SKILL.replace("scripts/a.py", f"scripts/{'a' * 300}.py"))
    done = shell("skill", "check")
    assert (done.exit_code, done.stderr) == (0, "")


def test_a_configuration_is_checked_with_the_recipes_beside_it(project: Path) -> None:
    file = project / ".github" / "claude-pool.yml"
    put(project, "workflows/describe.yml", FAULTY)
    file.write_text("budget: {chian: 3}\n")
    done = shell("config", "check", ".github/claude-pool.yml")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(".github/claude-pool.yml: line 1: unknown key `chian`")
    assert ".github/claude-pool/workflows/describe.yml: line 4" in done.stderr
    file.write_text("budget: {chain: 3}\n")
    put(
        project,
        "workflows/describe.yml",
        "name: describe\ndescription: d\nsteps: [{name: a, prompt: b}]\n",
    )
    assert shell("config", "check", ".github/claude-pool.yml").output == "no errors\n"


def test_without_a_name_the_configuration_here_is_checked(project: Path) -> None:
    file = project / ".github" / "claude-pool.yml"
    file.parent.mkdir()
    file.write_text("budget: {chian: 3}\n")
    done = shell("config", "check")
    assert done.exit_code == 1
    assert done.stderr.startswith(".github/claude-pool.yml: line 1: unknown key `chian`")
    file.rename(file.with_suffix(".yaml"))
    assert "rename it to .github/claude-pool.yml" in shell("config", "check").stderr
    file.with_suffix(".yaml").unlink()
    put(project, "workflows/describe.yml", FAULTY)
    assert "describe.yml: line 4" in shell("config", "check").stderr
    shutil.rmtree(project / ".github")
    done = shell("config", "check")
    assert done.exit_code == 1
    assert "there is no .github/claude-pool.yml here, and none is needed" in done.stderr


def test_recipes_are_listed_with_where_they_come_from(project: Path) -> None:
    file = put(project, "workflows/mine.yml", "name: mine\n")
    found = {each["name"]: each for each in json.loads(shell("workflow", "list", "--json").stdout)}
    assert found["issue_to_pr"]["source"] == "built-in"
    assert found["issue_to_pr"]["arguments"] == ["issue"]
    assert found["mine"]["source"] == str(file.relative_to(project))
    assert found["mine"]["description"].startswith("FAULTY: ")
    assert "review-code" in shell("skill", "list").stdout


def test_programs_get_the_files_that_were_copied(project: Path) -> None:
    first, again = (json.loads(shell("recipes", "eject", "review", "--json").stdout) for _ in "12")
    assert ".github/claude-pool/workflows/review.yml" in first["written"]
    assert all((project / each).is_file() for each in first["written"])
    assert again == {"written": []}


def test_a_built_in_recipe_is_copied_whole_and_holds_as_it_is(project: Path) -> None:
    done = shell("recipes", "eject", "issue_to_pr")
    assert done.exit_code == 0, done.output
    written = done.stdout.splitlines()
    assert ".github/claude-pool/workflows/issue_to_pr.yml" in written
    assert ".github/claude-pool/skills/plan-change/SKILL.md" in written
    assert all((project / each).is_file() for each in written)
    assert [each.faults for each in check_all(project)] == [()] * len(written)
    changed = project / written[0]
    changed.write_text("mine")
    assert eject("issue_to_pr", project) == []
    assert changed.read_text() == "mine", "what is there is kept"
    done = shell("recipes", "eject", "nosuch")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is no built-in recipe 'nosuch'" in done.stderr


@pytest.mark.parametrize("name", ["review", "ask", "triage", "fix", "implement"])
def test_a_copied_recipe_of_a_command_passes_the_check(project: Path, name: str) -> None:
    shell("recipes", "eject", name)
    assert (project / ".github/claude-pool/workflows" / f"{name}.yml").is_file()
    done = shell("workflow", "check")
    assert done.exit_code == 0, done.stderr
    assert f"takes the place of the built-in `{name}`" in done.stdout


@pytest.mark.parametrize(
    ("name", "step", "said"),
    [
        ("w", "name: reply, prompt: b", "line 4, step reply: no step may be called `reply`"),
        ("w", "name: open, prompt: b", "line 4, step open: no step may be called `open`"),
        ("w", "name: propose, prompt: b", "no step may be called `propose`"),
        ("Big", "name: a, prompt: b", "line 1: `/pool run` takes no workflow of the name `Big`"),
        ("w", "name: a, prompt: '{steps.b.dif}'", "step a: unknown output of step b `dif`"),
        ("w", "name: a, prompt: '{steps.b.who} {steps.b.diff}'", ""),
    ],
)
def test_what_pool_run_would_refuse_is_found_before_it_is_asked(
    project: Path, name: str, step: str, said: str
) -> None:
    brief = "  - {name: b, host: thread.brief}\n" if "steps.b" in step else ""
    text = f"name: {name}\ndescription: d\nsteps:\n{brief}  - {{{step}}}\n"
    put(project, f"workflows/{name}.yml", text)
    done = shell("workflow", "check")
    assert said in done.stderr
    assert (done.exit_code, done.stderr == "") == ((1, False) if said else (0, True))


def test_a_workflow_has_the_name_of_its_file(project: Path) -> None:
    text = "name: other\ndescription: d\nsteps: [{name: a, prompt: b}]\n"
    file = put(project, "workflows/w.yml", text)
    wanted = "line 1: the workflow calls itself `other`, its file is `w`"
    assert wanted in shell("workflow", "check").stderr
    with pytest.raises(RecipeError, match="calls itself `other`"):
        library_at(project).workflow("w")
    assert shell("workflow", "check", "--shell", str(file)).exit_code == 0, "a file is only a file"


def test_the_fields_of_the_brief_are_those_that_it_has() -> None:
    brief = ThreadPrompt(head="", title="", description="", parts={}, fence="").result
    assert {*brief, "who", "request"} == BRIEF_RESULT
