"""The packaged workflows, each run whole: the real CLI edits a real repository, and only the model is scripted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh import ClaudeAgent, Pool
from claude_pool_gh.pool.model.records import ChainResult
from claude_pool_gh.recipes import built_in
from claude_pool_gh.rehearsal.model import Answer, ModelRequest, ScriptedModel, Text, ToolUse

SHOP = "def total(cents, pieces):\n    return cents * pieces\n"
BULK = "def total(cents, pieces):\n    full = cents * pieces\n    return full * 95 // 100 if pieces >= 10 else full\n"
TEST = "from shop import total\n\n\ndef test_ten_pieces_are_cheaper():\n    assert total(100, 10) == 950\n"

Turn = tuple[Text | ToolUse, ...]


def edit(old: str, new: str, path: str = "shop.py") -> list[Turn]:
    return [
        (ToolUse("Read", {"file_path": path}),),
        (ToolUse("Edit", {"file_path": path, "old_string": old, "new_string": new}),),
        (Text(f"Changed {path}."),),
    ]


def write(path: str, content: str) -> list[Turn]:
    return [(ToolUse("Write", {"file_path": path, "content": content}),), (Text(f"Added {path}."),)]


def result(value: dict[str, Any]) -> list[Turn]:
    return [(ToolUse("Grep", {"pattern": "def "}),), (ToolUse("StructuredOutput", value),)]


@dataclass
class Colleagues:
    """Answers each skill, known by the first words of its prompt, with its next part."""

    parts: dict[str, list[list[Turn]]]
    seen: list[str] = field(default_factory=list)

    def __call__(self, request: ModelRequest) -> Answer:
        skill = next(name for name in self.parts if first_words(name) in request.text)
        if request.turn == 0:
            self.seen.append(skill)
        turns = self.parts[skill][self.seen.count(skill) - 1]
        return Answer(turns[min(request.turn, len(turns) - 1)])


def first_words(skill: str) -> str:
    text = built_in(f"skills/{skill}/SKILL.md")
    assert text is not None
    return text.split("---\n", 2)[2].strip().split("{")[0].splitlines()[0].strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.py").write_text(SHOP)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@a", "commit", "-qm", "A shop")
    return folder


def git(folder: Path, *command: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", *command], cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout


@dataclass(frozen=True)
class Played:
    """A workflow that was run to its end."""

    result: ChainResult
    seen: Sequence[str]
    presented: str


async def play(
    repository: Path, workflow: str, arguments: dict[str, str], parts: dict[str, list[list[Turn]]]
) -> Played:
    colleagues = Colleagues(parts)
    presented, asked = "", None
    async with (
        ScriptedModel.start(colleagues) as model,
        Pool.open(ClaudeAgent(key="x", base_url=model.url), folder=repository, slots=2) as pool,
    ):
        chain = await pool.submit_workflow(workflow, arguments)
        ended = await pool.wait_chain(chain)
        if ended is None:
            progress = await pool.chain_progress(chain)
            presented, asked = progress.review_output or "", progress.review_commit
            await pool.approve(chain)
            ended = await pool.wait_chain(chain)
        assert ended is not None
        assert asked in (None, ended.commit), "what was approved is what there is"
    assert (repository / "shop.py").read_text() == SHOP, "the user's own folder is not touched"
    return Played(ended, colleagues.seen, presented)


@pytest.mark.long
async def test_an_issue_becomes_a_change_with_tests_that_waits_for_approval(
    repository: Path,
) -> None:
    played = await play(
        repository,
        "issue_to_pr",
        {"issue": "Five percent off from ten pieces on"},
        {
            "plan-change": [
                result({"ready": True, "questions": [], "plan": "Change total in shop.py."})
            ],
            "implement-change": [edit(SHOP, BULK)],
            "write-tests": [write("test_shop.py", TEST)],
            "describe-change": [
                result({"title": "Give a bulk discount", "body": "Ten pieces cost less."})
            ],
        },
    )
    assert played.result.success, played.result
    assert list(played.seen) == [
        "plan-change",
        "implement-change",
        "write-tests",
        "describe-change",
    ]
    assert "Give a bulk discount" in played.presented
    assert git(repository, "show", f"{played.result.commit}:shop.py") == BULK
    assert git(repository, "show", f"{played.result.commit}:test_shop.py") == TEST
    assert git(repository, "status", "--porcelain") == ""


async def test_an_issue_that_leaves_open_what_is_wanted_ends_with_its_questions(
    repository: Path,
) -> None:
    asks = {"ready": False, "questions": ["How much off?"], "plan": ""}
    played = await play(
        repository, "issue_to_pr", {"issue": "Cheaper!"}, {"plan-change": [result(asks)]}
    )
    assert played.result.success
    assert "How much off?" in played.result.final_output
    assert [step.skipped for step in played.result.steps] == [False, True, True, True]


@pytest.mark.long
async def test_a_file_is_refactored_tested_checked_and_mended(repository: Path) -> None:
    worse = SHOP.replace("cents * pieces", "pieces + cents")
    verdict = {"verdict": "fix", "problems": ["shop.py: total(2, 3) gives 5, not 6"]}
    played = await play(
        repository,
        "refactor_and_test",
        {"target_file": "shop.py", "refactor_goal": "Shorter"},
        {
            "refactor": [edit(SHOP, worse)],
            "write-tests": [write("test_shop.py", TEST)],
            "check-change": [result(verdict)],
            "apply-review": [edit("pieces + cents", "pieces * cents")],
        },
    )
    assert played.result.success, played.result
    assert list(played.seen) == ["refactor", "write-tests", "check-change", "apply-review"]
    assert "pieces * cents" in git(repository, "show", f"{played.result.commit}:shop.py")
    assert git(repository, "show", f"{played.result.commit}:test_shop.py") == TEST


async def test_a_part_is_reviewed_mended_and_reviewed_again(repository: Path) -> None:
    problem = {
        "path": "shop.py",
        "line": 2,
        "title": "No discount",
        "scenario": "total(100, 10) -> 1000",
    }
    played = await play(
        repository,
        "review_and_fix",
        {"review_target": "shop.py"},
        {
            "review-code": [result({"problems": [problem]}), result({"problems": []})],
            "apply-review": [edit(SHOP, BULK)],
        },
    )
    assert played.result.success, played.result
    assert list(played.seen) == ["review-code", "apply-review", "review-code"]
    assert git(repository, "show", f"{played.result.commit}:shop.py") == BULK
    assert played.result.final_output == '{"problems": []}'


@pytest.mark.long
async def test_a_part_without_problems_is_left_alone(repository: Path) -> None:
    nothing = {"review-code": [result({"problems": []})]}
    played = await play(repository, "review_and_fix", {"review_target": "shop.py"}, nothing)
    assert played.result.success
    assert [step.skipped for step in played.result.steps] == [False, True, True]
