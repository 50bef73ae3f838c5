"""What a second reader's word is worth, what is told of what is left open, and what a later review may build on."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.conversation.review.questions import of_claim, of_known
from claude_pool_gh.conversation.review.stated import MOST_STATED, stated_by
from claude_pool_gh.conversation.review.unplaced import corrected
from claude_pool_gh.conversation.review.verdict import conclude, is_whole, unopened, without_known
from claude_pool_gh.conversation.review.verification import doubtful, opened, verify_claims
from claude_pool_gh.findings.anchor import DroppedFinding
from claude_pool_gh.findings.model import Claim, Finding
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.terms.severity import Severity
from tests.findings.make import finding

READ = {"ending": "completed", "structured": {"findings": []}, "looked_at": {"files": ["a.py"]}}


def word(verdict: str, path: str = "shop/prices.py", **more: Any) -> dict[str, Any]:
    said = {"verdict": verdict, "reason": "so", **more}
    return {"ending": "completed", "structured": said, "looked_at": {"files": [path]}}


def claim(*others: Finding, added: bool = False, exists: bool = True, **of: Any) -> dict[str, Any]:
    return of_claim(finding(**of), "", others=others, exists=exists, added=added)


# ---- what was opened


@pytest.mark.parametrize(
    ("looked", "place", "exists", "counts"),
    [
        ({"files": ["shop/prices.py"]}, None, True, True),
        ({"files": ["./shop/prices.py"]}, None, True, True),
        ({"files": ["shop/new.py"]}, "shop/new.py", True, True),
        ({"files": ["shop/new.py"]}, "./shop/new.py", True, True),
        ({"files": ["shop/new.py"]}, "shop/other.py", True, False),
        ({"files": ["shop/new.py"]}, None, True, False),
        ({"searches": ["rebate"]}, None, True, False),
        ({"searches": ["rebate"]}, None, False, True),
        ({"files": ["any.py"]}, None, False, True),
        ({}, None, False, False),
        (None, None, False, False),
        (None, None, True, False),
    ],
    ids=[
        "the file",
        "written otherwise",
        "the file where it stands now",
        "that written otherwise",
        "another than it names",
        "another",
        "a search",
        "a search for what is gone",
        "any file where its own is gone",
        "nothing of what is gone",
        "nothing is known of what is gone",
        "nothing is known",
    ],
)
def test_whoever_answers_has_opened_the_file_that_it_is_about(
    looked: Any, place: str | None, exists: bool, counts: bool
) -> None:
    where = None if place is None else {"path": place, "start_line": 1, "end_line": 1}
    task = word("confirmed", place=where) | {"looked_at": looked}
    assert opened(task, claim(exists=exists)) is counts


# ---- a run that broke


@pytest.mark.parametrize(
    ("task", "broke", "reason"),
    [
        ({"ending": "failed", "reason": "no money"}, True, "not verified: no money"),
        ({"ending": "failed"}, True, "not verified: the run failed"),
        ({}, True, "not verified: the run failed"),
        ({"ending": "completed"}, False, "no clear answer"),
        (word("confirmed") | {"ending": "out_of_turns", "looked_at": {}}, False, None),
    ],
    ids=["with a reason", "without", "nothing known", "no answer", "an answer before its end"],
)
def test_a_run_that_ended_without_an_answer_is_no_answer(
    task: dict[str, Any], broke: bool, reason: str | None
) -> None:
    found = verify_claims([claim()], [task])
    assert (len(found.broken), len(found.unsettled)) == (int(broke), 1)
    assert reason in (None, found.unsettled[0].reason)


@pytest.mark.parametrize(
    ("stated", "task", "again"),
    [
        ("critical", word("unsure"), True),
        ("critical", word("confirmed"), False),
        ("critical", {"ending": "failed"}, False),
        ("critical", word("confirmed") | {"looked_at": {}}, True),
        ("high", word("unsure"), False),
        ("high", word("unsure", severity="critical"), True),
        ("critical", word("unsure", severity="low"), True),
    ],
    ids=[
        "unsure",
        "settled",
        "broken",
        "opened nothing",
        "not critical",
        "critical to the second",
        "critical to the first",
    ],
)
def test_another_reader_is_asked_where_one_that_came_to_an_end_settled_nothing(
    stated: str, task: dict[str, Any], again: bool
) -> None:
    assert bool(list(doubtful([claim(severity=stated)], [task]))) is again


# ---- several statements of the same lines


OTHER = finding(title="Never closed")
SAME = finding(title="THE REBATE IS TAKEN TWICE")


def test_a_refuted_claim_leaves_the_others_of_its_lines_open() -> None:
    found = verify_claims([claim(OTHER, SAME)], [word("refuted")])
    assert [each.title for each in found.refuted] == ["The rebate is taken twice"]
    ((title, reason),) = [(each.title, each.reason) for each in found.unsettled]
    assert title == "Never closed"
    assert reason == (
        "stated of the same lines as 'The rebate is taken twice', which was refuted; not verified by itself"
    )


def test_one_that_was_there_before_leaves_the_others_open_too() -> None:
    found = verify_claims([claim(OTHER, SAME)], [word("confirmed", introduced=False)])
    assert [each.title for each in found.before] == ["The rebate is taken twice"]
    ((title, reason),) = [(each.title, each.reason) for each in found.unsettled]
    assert title == "Never closed"
    assert "which was there before; not verified by itself" in reason


def test_one_that_nobody_settled_is_named_with_the_others() -> None:
    found = verify_claims([claim(OTHER, SAME)], [word("unsure")])
    assert [each.title for each in found.unsettled] == ["The rebate is taken twice", "Never closed"]


def test_a_confirmed_one_mentions_the_others_within_what_a_comment_may_hold() -> None:
    (one,) = verify_claims([claim(OTHER, SAME)], [word("confirmed")]).confirmed
    assert one.body == "`total` has it already.\n\nAlso stated of these lines: Never closed"
    (long,) = verify_claims([claim(OTHER, body="x" * 4_000)], [word("confirmed")]).confirmed
    assert len(long.body) == 4_000
    assert long.body.startswith("xxx")
    assert long.body.endswith("Also stated of these lines: Never closed")
    many = [finding(title=f"{number} {'y' * 190}") for number in range(30)]
    (one,) = verify_claims([claim(*many)], [word("confirmed")]).confirmed
    assert one.body == "`total` has it already.", "the claim itself goes before the others"


def test_a_known_one_that_is_fixed_leaves_open_what_was_stated_anew() -> None:
    again = finding(title="The rebate is lost")
    asked = of_known(finding(), "", now=again, exists=True)
    found = verify_claims([asked], [word("fixed")])
    assert [each.title for each in found.fixed] == ["The rebate is taken twice"]
    (left,) = found.unsettled
    assert left.title == "The rebate is lost"
    assert left.reason.startswith("stated as 'The rebate is taken twice' again, which is fixed")


# ---- what is known already


def at(start: int, end: int, **fields: Any) -> Finding:
    return finding(start_line=start, end_line=end, **fields)


@pytest.mark.parametrize(
    ("new", "is_known"),
    [
        (at(2, 4, title="In other words"), True),
        (at(3, 3, title="In other words"), True),
        (at(1, 9, title="In other words"), True),
        (at(3, 6, title="In other words"), False),
        (at(3, 6), True),
        (at(3, 6, title="THE REBATE is taken twice"), True),
        (at(5, 6), False),
        (at(2, 4, category="security"), False),
        (at(2, 4, severity="critical", title="In other words"), False),
        (at(2, 4, severity="critical"), True),
    ],
    ids=[
        "the same lines",
        "within them",
        "around them",
        "across their end",
        "across it under the same title",
        "in another case",
        "elsewhere",
        "another kind of harm",
        "worse in other words",
        "worse under the same title",
    ],
)
def test_a_confirmed_one_is_new_unless_it_is_an_open_one(new: Finding, is_known: bool) -> None:
    fresh, known = without_known([new], [], [at(2, 4)])
    assert (fresh == []) is is_known
    assert known[0].severity is (new.severity if is_known else Severity.high)


# ---- parts, and the whole


def test_every_part_is_looked_at_whatever_became_of_those_before_it() -> None:
    groups = [{"title": name, "paths": [name], "gone": []} for name in ("a", "b", "c")]
    unread = READ | {"looked_at": {}}
    assert unopened(groups, [{"ending": "failed"}, unread, READ]) == ["b"]
    assert unopened(groups[:2], [READ, unread]) == ["b"]


def test_an_operator_must_act_where_any_part_says_so() -> None:
    broken: list[dict[str, Any]] = [
        {"ending": "failed", "reason": "no key", "operator": True},
        {"ending": "failed"},
    ]
    assert conclude(broken, [], confirmed=0).operator
    assert not conclude([{"ending": "failed"}], [], confirmed=0).operator


def test_where_the_only_part_broke_its_reason_is_told_as_it_is() -> None:
    one: dict[str, Any] = {"ending": "failed", "reason": "it broke"}
    other = READ
    assert conclude([one], [], confirmed=0).reason == "it broke"
    assert (
        conclude([one, other], [], confirmed=0).reason == "1 of 2 parts could not be read: it broke"
    )
    verified = conclude([READ, READ], [one], confirmed=0)
    assert verified.reason == "1 claim could not be verified: it broke"


def test_what_has_no_form_is_told_apart_from_what_nobody_read() -> None:
    odd = READ | {"structured": "fine"}
    assert (
        conclude([odd], [], confirmed=0).reason == "an agent's result is not of the form asked for"
    )
    assert conclude([], [], confirmed=0).reason == "no agent read anything"


@pytest.mark.parametrize(("unread", "told"), [(1, "1 file was"), (2, "2 files were")])
def test_how_many_files_were_not_read_is_told(unread: int, told: str) -> None:
    found = conclude([READ], [], confirmed=0, unread=unread)
    assert found.verdict is Verdict.out_of_budget
    assert found.reason == f"the change is too large for one review; {told} not read"


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("reason", ["", "1 claim could not be settled"])
def test_a_later_review_builds_only_on_one_that_read_and_settled_all(
    verdict: Verdict, reason: str
) -> None:
    whole = verdict in (Verdict.clean, Verdict.findings) and not reason
    assert is_whole(Outcome(verdict=verdict, reason=reason)) is whole


# ---- what was stated


GOOD = finding().model_dump(mode="json", include=set(Claim.model_fields))


@pytest.mark.parametrize(
    ("stated", "title", "path", "reason"),
    [
        (GOOD | {"path": ""}, GOOD["title"], "", "path: "),
        (GOOD | {"title": ""}, "a claim without a title", GOOD["path"], "title: "),
        (GOOD | {"start_line": 0}, GOOD["title"], GOOD["path"], "start_line: "),
        (GOOD | {"path": "p" * 900}, GOOD["title"], "p" * 500, "path: "),
        ("nonsense", "a claim without a title", "", "the claim: "),
        ({"path": None}, "a claim without a title", "", "path: "),
    ],
    ids=["no path", "no title", "no line", "a long path", "no claim", "no text"],
)
def test_a_claim_of_another_form_is_named_as_far_as_it_goes(
    stated: Any, title: str, path: str, reason: str
) -> None:
    (lost,) = stated_by({"structured": {"findings": [stated]}}).lost
    assert (lost.title, lost.path) == (title, path)
    assert lost.reason.startswith(f"not of the form asked for: {reason}")


def test_of_too_many_the_worst_and_surest_stay() -> None:
    many = [GOOD | {"title": f"t{n}", "confidence": 0.5} for n in range(MOST_STATED)]
    sure = GOOD | {"title": "sure", "confidence": 0.9}
    found = stated_by({"structured": {"findings": [*many, sure]}})
    assert found.claims[0].title == "sure"
    assert [each.title for each in found.lost] == [f"t{MOST_STATED - 1}"]
    worst = GOOD | {"title": "worst", "severity": "critical", "confidence": 0.1}
    found = stated_by({"structured": {"findings": [sure, worst]}})
    assert [each.title for each in found.claims] == ["worst", "sure"]


def test_a_correction_replaces_only_what_had_no_place() -> None:
    placed = finding(path="a.py", title="Same title")
    odd = finding(path="b.py", title="Same title")
    right = odd.model_copy(update={"start_line": 9})
    dropped = DroppedFinding(odd.title, odd.path, "it is not in the file")
    assert corrected([placed, odd], [placed, dropped], [right]) == [placed, right]
    assert corrected([placed], [placed], [right]) == [placed]
