from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console  # noqa: TID251 - a tool of ours, with texts of ours

from claude_pool_gh.rehearsal.model import ModelRequest, Reply, ScriptedModel, say
from claude_pool_gh.rehearsal.reviewer import Planted, Reviewer
from evals.audit import audited
from evals.corpus import Expected, Stated, matches, read_cases
from evals.run import evaluate, print_scores
from tests import ours
from tests.acceptance.auditor import Auditor, claim


def test_the_corpus_holds_twelve_defects_nine_clean_ones_and_nine_traps() -> None:
    kinds = [case.kind for case in read_cases()]
    assert (kinds.count("defect"), kinds.count("clean"), kinds.count("trap")) == (12, 9, 9)


def test_a_finding_matches_by_file_lines_and_keyword() -> None:
    wanted = Expected(path="a.py", first=10, last=12, accept=("void",))
    assert matches(wanted, Stated(path="a.py", line=15, text="A Void row"))
    assert not matches(wanted, Stated(path="a.py", line=16, text="a void row"))
    assert not matches(wanted, Stated(path="b.py", line=11, text="a void row"))
    assert not matches(wanted, Stated(path="a.py", line=11, text="something else"))


@pytest.mark.rotating(4)
async def test_an_audit_is_scored_by_the_planted_defect_that_it_reports(tmp_path: Path) -> None:
    (case,) = read_cases(["01"])
    assert case.expected is not None
    line = case.expected.first
    evidence = (case.head[case.expected.path] or b"").decode().splitlines()[line - 1]
    found = claim(case.expected.path, line, evidence, f"It stops early: {case.expected.accept[0]}")
    async with ScriptedModel.start(Auditor(claims=(found,))) as model:
        environment = ours.environment(
            HOME=str(tmp_path), ANTHROPIC_API_KEY="x", ANTHROPIC_BASE_URL=model.url
        )
        (scored,) = [each async for each in audited([case], environment, budget=1.0)]
    assert (scored.hit, scored.false_alarms, scored.failed) == (True, 0, ""), scored
    assert scored.microdollars > 0


@pytest.mark.long
async def test_the_evaluation_scores_what_the_bot_and_the_plain_prompt_say() -> None:
    defect, clean = read_cases(["01"])[0], read_cases(["07"])[0]
    assert defect.expected is not None
    lines = (defect.head[defect.expected.path] or b"").decode().splitlines()
    evidence = "\n".join(lines[defect.expected.first - 1 : defect.expected.first + 1])
    finding = {
        "path": defect.expected.path,
        "start_line": defect.expected.first,
        "end_line": defect.expected.first + 1,
        "severity": "high",
        "category": "correctness",
        "title": f"It stops early: {defect.expected.accept[0]}",
        "body": "Because.",
        "scenario": "a -> b",
        "evidence": evidence,
        "confidence": 0.9,
    }
    reviewer = Reviewer([Planted(finding)], quick=True)
    plain = [{"path": "x.py", "line": 1, "title": "A false alarm", "body": ""}]

    def script(request: ModelRequest) -> Reply:
        return reviewer(request) if request.tools else say(json.dumps(plain))

    console = Console(record=True, width=100)
    async with ScriptedModel.start(script) as model:
        scores = await evaluate(
            [defect, clean],
            url=model.url,
            key="sk-ant-x",
            model="claude-sonnet-5-5",
            console=console,
        )
    print_scores(scores, console)
    assert [(s.hit, s.false_alarms, s.failed) for s in scores.bot] == [
        (True, 0, ""),
        (False, 0, ""),
    ]
    assert [(s.hit, s.false_alarms) for s in scores.plain] == [(False, 1), (False, 1)]
    assert sum(s.microdollars for s in [*scores.bot, *scores.plain]) == model.bill.total
    assert "1 of 1" in console.export_text()
