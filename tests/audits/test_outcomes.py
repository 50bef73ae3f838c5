"""What agents say counts only as far as the host can see; what was not read is never called clean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from claude_pool_gh.audits import results
from claude_pool_gh.audits.merging import alike, joined
from claude_pool_gh.audits.model import (
    AuditFinding,
    AuditPlan,
    AuditResult,
    AuditState,
    Completeness,
    Cut,
    Estimate,
    Range,
    Shard,
    ShardState,
    SkippedFile,
    SkipReason,
)
from claude_pool_gh.audits.outputs import summary
from claude_pool_gh.audits.results import ShardCounts, Unjudged
from claude_pool_gh.audits.rules import KINDS, RULES
from claude_pool_gh.audits.stated import MOST_OF_ONE, claims_of, schemas
from claude_pool_gh.audits.weighing import Candidate, weigh
from claude_pool_gh.pool.model.outcomes import Verdict
from tests.findings.make import finding

NOTHING = Range(low=0, likely=0, high=0)
A = Shard(id="a", title="a", paths=("a.py",), tokens=10, size=40)
B = Shard(id="b", title="b", paths=("b.py", "c.py"), tokens=10, size=40)
PLAN = AuditPlan(
    audit="defects",
    repository="octo/shop",
    commit="1" * 40,
    branch="main",
    by=Cut.size,
    shards=(A, B),
    estimate=Estimate(tokens=20, cost=NOTHING, seconds=NOTHING),
    budget=1,
)
COUNTS = ShardCounts(stated=(0, 0), kept=(0, 0), costs=(5, 6))
THERE = ("a.py", "b.py", "c.py")


def said(
    *found: Any, opened: Sequence[str] = ("a.py", "b.py", "c.py"), **more: Any
) -> dict[str, Any]:
    """The outcome of a finder's task."""
    return {
        "ending": "completed",
        "structured": {"findings": list(found)},
        "looked_at": {"files": list(opened)},
    } | more


def stated(**fields: Any) -> dict[str, Any]:
    """A claim in a finder's answer."""
    values = finding().model_dump(include=set(_FIELDS), mode="json")
    return values | {"rule": "defects/crash"} | fields


_FIELDS = (
    *("path", "start_line", "end_line", "severity", "title", "body", "scenario", "evidence"),
    "confidence",
)


def result(tasks: Sequence[Mapping[str, Any]], **fields: Any) -> AuditResult:
    """A result of these finders."""
    planned = replace(PLAN, skipped=fields.pop("skipped", ()))
    covered = results.coverage(planned, tasks, COUNTS, THERE)
    values: dict[str, Any] = {
        "plan": PLAN,
        "coverage": covered,
        "completeness": results.completeness(covered, Unjudged()),
        "findings": (),
        "started_ms": 1,
        "ended_ms": 2,
        "problems": results.problems(covered, Unjudged()),
    }
    return AuditResult(**values | fields)


OPEN = AuditFinding(
    id="1234567890",
    rule="defects/crash",
    finding=finding(),
    state=AuditState.open,
    commit="1" * 40,
    verified=True,
    reread=False,
)


def test_one_faulty_claim_costs_itself_and_too_many_are_counted() -> None:
    many = [stated(title=f"t{at}") for at in range(MOST_OF_ONE + 5)]
    odd = [{"title": "no path"}, stated(rule="security/injection"), stated(severity="worst"), 7]
    worst = stated(title="worst", severity="critical")
    read = claims_of(said(*many, *odd, worst), "defects")
    assert (read.stated, read.malformed, read.beyond) == (MOST_OF_ONE + 10, 4, 6)
    assert len(read.claims) == MOST_OF_ONE
    assert read.claims[0].finding.title == "worst"
    assert claims_of({"structured": {"findings": "none"}}, "defects").stated == 0


def test_rules_are_a_closed_list_that_the_form_of_answers_names() -> None:
    for kind, rules in KINDS.items():
        form = schemas()[f"audit-{kind}"]["$defs"]["StatedClaim"]["properties"]["rule"]
        assert form["enum"] == [rule.id for rule in rules]
        assert all(rule.id.startswith(f"{kind}/") for rule in rules)
        assert all(rule.name and rule.summary and rule.help for rule in rules)
    assert len(RULES) == sum(map(len, KINDS.values())), "no id stands twice"


def test_a_part_counts_as_read_only_where_its_agent_opened_a_file_of_it() -> None:
    cases = [
        (said(opened=["b.py"]), ShardState.read),
        (said(opened=["a.py"]), ShardState.failed),
        (said(structured=None), ShardState.failed),
        ({"ending": "failed", "reason": "x"}, ShardState.failed),
        ({"ending": "out_of_budget"}, ShardState.cut),
        ({"ending": "cancelled"}, ShardState.cut),
    ]
    for task, state in cases:
        found = results.coverage(PLAN, [said(), task], COUNTS, THERE).shards
        assert [each.state for each in found] == [ShardState.read, state], task
    (_, last) = results.coverage(PLAN, [said()], COUNTS, THERE).shards
    assert last.state is ShardState.not_started


def test_a_file_that_the_agent_of_its_part_did_not_open_was_not_read() -> None:
    made = result([said(), said(opened=["b.py"])])
    assert (made.coverage.read, made.coverage.unread) == (("a.py", "b.py"), ("c.py",))
    assert (made.coverage.files_read, made.coverage.files_unread) == (2, 1)
    assert made.completeness is Completeness.partial
    assert made.problems == (
        "1 file not read: the agent that answered for the part did not open them.",
    )
    assert results.outcome(made, [said(), said()]).verdict is Verdict.unsettled


def test_of_names_that_were_kept_without_a_part_nobody_knows_which_file_was_opened() -> None:
    kept = replace(A, paths=("[redacted].py", "[redacted].py"))
    covered = results.coverage(
        replace(PLAN, shards=(kept,)), [said(opened=["[redacted].py"])], COUNTS, THERE
    )
    assert (covered.files_read, covered.files_unread) == (0, 2)


def test_what_is_beyond_the_budget_keeps_an_audit_from_being_complete() -> None:
    plan = replace(PLAN, shards=(A,), beyond=(B,))
    covered = results.coverage(plan, [said()], COUNTS, THERE)
    assert results.completeness(covered, Unjudged()) is Completeness.partial
    assert covered.unread == ("b.py", "c.py")
    told = results.problems(covered, Unjudged(unverified=2))
    assert told[0] == "2 files not read: the budget does not reach it."
    assert "2 serious claims not verified" in told[1]


@pytest.mark.parametrize(
    ("tasks", "fields", "verdict"),
    [
        ([said(), said()], {}, Verdict.clean),
        ([said(), said()], {"findings": (OPEN,)}, Verdict.findings),
        ([said(), said()], {"problems": ("something.",)}, Verdict.unsettled),
        ([said(), said(opened=[])], {}, Verdict.unsettled),
        ([said(opened=[]), said(opened=[])], {}, Verdict.failed),
        ([said(), {"ending": "out_of_budget", "reason": "no money"}], {}, Verdict.out_of_budget),
        ([said(), {"ending": "quota", "reason": "limit"}], {"findings": (OPEN,)}, Verdict.quota),
        ([said(), {"ending": "cancelled"}], {}, Verdict.cancelled),
    ],
)
def test_only_what_was_read_whole_and_settled_is_clean(
    tasks: list[dict[str, Any]], fields: dict[str, Any], verdict: Verdict
) -> None:
    made = result(tasks, **fields)
    found = results.outcome(made, tasks)
    assert found.verdict is verdict
    assert made.is_clean == (verdict is Verdict.clean)
    assert found.reason or verdict in (Verdict.clean, Verdict.findings)


def test_a_file_whose_content_is_not_here_is_missed_and_one_that_nobody_can_read_is_named() -> None:
    def left_out(reason: SkipReason) -> AuditResult:
        skipped = (SkippedFile(path="x.py", reason=reason),)
        return result([said(), said()], plan=replace(PLAN, skipped=skipped), skipped=skipped)

    missing = left_out(SkipReason.missing)
    assert missing.problems == ("1 file not read: their content is not here.",)
    assert (missing.completeness, missing.is_clean) == (Completeness.partial, False)
    odd = summary.verdict(left_out(SkipReason.odd_name)).text
    assert odd == "nothing found in 3 files; 1 file cannot be read (1 name that is not UTF-8)"
    assert summary.verdict(left_out(SkipReason.binary)).text == "nothing found in 3 files"


def test_an_audit_of_some_paths_says_so_where_it_found_nothing() -> None:
    plan = replace(PLAN, only=("a.py",))
    found = results.outcome(result([said(), said()], plan=plan), [said(), said()])
    assert (found.verdict, found.reason) == (
        Verdict.skipped,
        "nothing found, but only a.py was read",
    )


def candidate(kind: str = "claim", mark: str = "m1", **fields: Any) -> Candidate:
    """A candidate about the usual finding."""
    return Candidate.model_validate(
        {"kind": kind, "mark": mark, "rule": "defects/crash", "finding": finding()} | fields
    )


def judged(verdict: str, *, opened: Sequence[str] = ("shop/prices.py",), **more: Any) -> Any:
    """The outcome of a second reader's task."""
    answer = {"verdict": verdict, "severity": "low", "suggestion": "none", "reason": "read it"}
    return {
        "ending": "completed",
        "structured": answer | more,
        "looked_at": {"files": list(opened)},
    }


def test_a_judgement_counts_only_of_a_reader_that_opened_the_file() -> None:
    found = weigh([candidate()], [judged("confirmed")])
    assert [each.finding.severity for each in found.confirmed] == ["low"]
    assert weigh([candidate()], [judged("refuted")]).refuted == [candidate()]
    for task in (judged("confirmed", opened=["other.py"]), judged("unsure"), judged("still")):
        weighed = weigh([candidate()], [task])
        assert (weighed.confirmed, len(weighed.unsettled)) == ([], 1)
    broken = weigh([candidate()], [{"ending": "failed", "reason": "gone"}])
    assert (len(broken.broken), broken.unsettled[0].reason) == (1, "not verified: gone")


def test_a_known_finding_is_fixed_only_where_a_reader_says_so_who_looked() -> None:
    known = candidate("known")
    assert weigh([known], [judged("fixed")]).fixed == [known]
    for task in (judged("fixed", opened=[]), judged("unsure"), {"ending": "out_of_turns"}):
        weighed = weigh([known], [task])
        assert (weighed.fixed, weighed.unchecked) == ([], [known])
    gone = candidate("known", exists=False)
    assert weigh([gone], [judged("fixed", opened=["any.py"])]).fixed == [gone]


def test_a_suggestion_stays_only_where_the_second_reader_says_that_it_works() -> None:
    with_advice = candidate(finding=finding(suggestion="    return total"))
    kept = weigh([with_advice], [judged("confirmed", suggestion="fixes")])
    assert kept.confirmed[0].finding.suggestion == "    return total"
    dropped = weigh([with_advice], [judged("confirmed", suggestion="wrong")])
    assert dropped.confirmed[0].finding.suggestion is None


def merge(*groups: Sequence[str]) -> dict[str, Any]:
    """The outcome of a judge's task."""
    return {"structured": {"same": [{"ids": list(ids), "reason": "one"} for ids in groups]}}


def test_a_judge_joins_only_what_it_was_asked_about_and_the_worst_statement_stays() -> None:
    low = candidate(mark="low", finding=finding(severity="low", title="l"))
    high = candidate(mark="high", finding=finding(severity="high", title="h"))
    other = candidate(mark="other", finding=finding(title="o"))
    every = [low, high, other]
    found = joined(every, [["low", "high"]], [merge(["low", "high", "other", "made-up"])]).new
    assert [(each.mark, [f.title for f in also]) for each, also in found] == [
        ("high", ["l"]),
        ("other", []),
    ]
    assert len(joined(every, [["low", "high"]], [{"ending": "failed"}]).new) == 3
    chained = joined(
        every, [["low", "high", "other"]], [merge(["low", "high"], ["high", "other"])]
    ).new
    assert len(chained) == 2, "no chain of joins melts everything into one"


def test_only_claims_of_one_rule_are_asked_about() -> None:
    other = candidate(mark="m3", rule="defects/contract")
    groups = alike([candidate(), candidate(mark="m2"), other])
    assert [[each.mark for each in group] for group in groups] == [["m1", "m2"]]


def placed(mark: str, start: int, end: int, **more: Any) -> Candidate:
    kind = more.pop("kind", "claim")
    rule = more.pop("rule", "defects/crash")
    stated = finding(start_line=start, end_line=end, **more)
    return candidate(mark=mark, kind=kind, rule=rule, finding=stated)


def test_open_findings_leave_room_for_the_claims_that_are_asked_about() -> None:
    open_ = [placed(f"open-{line}", line, line, kind="known") for line in range(1, 14)]
    wide = [placed("wide", 1, 13, severity="high"), placed("a", 40, 40), placed("b", 50, 50)]
    (group,) = alike(wide, open_)
    marks = [each.mark for each in group]
    assert [mark for mark in marks if not mark.startswith("open")] == ["wide", "a", "b"]
    assert len(marks) == 6
    many = [placed(f"claim-{line}", line, line) for line in range(1, 14)]
    (group,) = alike(many, open_)
    pairs = [name for line in range(1, 7) for name in (f"claim-{line}", f"open-{line}")]
    assert [each.mark for each in group] == pairs


def test_a_claim_in_the_lines_of_an_open_finding_may_be_that_one_in_other_words() -> None:
    open_ = [
        placed("open", 45, 51, kind="known", rule="defects/contract", severity="medium"),
        placed("elsewhere", 1, 9, kind="known"),
    ]
    mild = placed("mild", 45, 52, severity="medium")
    worse = placed("worse", 50, 50, severity="high", rule="defects/race")
    (first, second) = alike([mild, worse], open_)
    assert [[each.mark for each in group] for group in (first, second)] == [
        ["worse", "open"],
        ["mild", "open"],
    ]
    names = [["worse", "open"], ["mild", "open"]]
    same = [merge(["worse", "open"]), merge(["mild", "open"])]
    found = joined([mild, worse], names, same, open_)
    assert [each.mark for each, _ in found.new] == ["worse"], "what is worse is not lost in it"
    assert found.again == {"open"}
    apart = joined([mild, worse], names, [merge(), merge()], open_)
    assert ([each.mark for each, _ in apart.new], apart.again) == (["mild", "worse"], frozenset())
    assert alike([placed("other", 52, 60)], open_) == []
