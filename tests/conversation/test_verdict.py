"""What a review came to, from what its agents said."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.conversation.review.questions import of_claim, of_known
from claude_pool_gh.conversation.review.reading import unread_in_words
from claude_pool_gh.conversation.review.verdict import (
    conclude,
    is_whole,
    place,
    unopened,
    without_known,
)
from claude_pool_gh.conversation.review.verification import Verification, doubtful, verify_claims
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.terms.severity import Severity
from tests.findings.make import finding


def judged(
    verdict: Any, *, opened: Sequence[str] = ("shop/prices.py",), **more: Any
) -> dict[str, Any]:
    structured = {"verdict": verdict, "reason": "so", **more}
    return {"ending": "completed", "structured": structured, "looked_at": {"files": list(opened)}}


def candidate(
    *, others: Sequence[Finding] = (), exists: bool = True, added: bool = False, **fields: Any
) -> dict[str, Any]:
    return of_claim(finding(**fields), "", others=others, exists=exists, added=added)


def known(*, now: Finding | None = None, exists: bool = True, **fields: Any) -> dict[str, Any]:
    return of_known(finding(**fields), "", now=now, exists=exists)


def ended(ending: Ending | None, reason: str = "why") -> dict[str, Any]:
    said = {"reason": reason, "structured": {"findings": []}}
    return said if ending is None else said | {"ending": str(ending)}


DONE = ended(Ending.completed)


def lists(found: Verification) -> dict[str, int]:
    """How many are in each list; those that are empty are left out."""
    counts = {
        name: len(getattr(found, name))
        for name in (
            "confirmed",
            "refuted",
            "unsettled",
            "before",
            "still",
            "fixed",
            "unchecked",
            "broken",
        )
    }
    return {name: number for name, number in counts.items() if number}


def test_each_claim_stays_with_its_own_judgement() -> None:
    candidates = [candidate(evidence=name, title=name) for name in "abcd"]
    found = verify_claims(
        candidates, [judged("refuted"), judged("confirmed"), judged("unsure"), judged("confirmed")]
    )
    assert [one.evidence for one in found.confirmed] == ["b", "d"]
    assert [(one.title, one.reason) for one in found.refuted] == [("a", "so")]
    assert [(one.title, one.reason, one.severity) for one in found.unsettled] == [
        ("c", "so", Severity.high)
    ]


@pytest.mark.parametrize(
    "task",
    [
        {},
        {"structured": None},
        {"structured": {}},
        judged("CONFIRMED"),
        judged("yes"),
        judged(None),
        judged(1),
        {"structured": {"verdict": "confirmed"}},
        {"structured": {"verdict": "confirmed", "reason": ""}},
        judged("confirmed", extra=1),
        {"structured": ["confirmed"]},
        {"structured": "confirmed"},
        {"text": "confirmed"},
        {"ending": "failed", "structured": None},
        judged("still"),
        judged("fixed"),
        judged("confirmed", opened=()),
        judged("refuted", opened=()),
        judged("confirmed", opened=("other.py",)),
        judged("refuted", opened=("other.py",)),
    ],
)
def test_without_a_clear_word_of_a_run_that_opened_its_file_a_claim_is_not_settled(
    task: dict[str, Any],
) -> None:
    found = verify_claims([candidate()], [task])
    assert lists(found).items() >= {"unsettled": 1}.items()
    assert not found.confirmed + found.refuted
    assert found.unsettled[0].title == "The rebate is taken twice"
    assert found.unsettled[0].reason


@pytest.mark.parametrize("path", ["shop/prices.py", "./shop/prices.py"])
def test_a_verifier_that_opened_the_file_of_the_claim_counts(path: str) -> None:
    assert lists(verify_claims([candidate()], [judged("confirmed", opened=("x.py", path))])) == {
        "confirmed": 1
    }
    gone = candidate(exists=False)
    assert lists(verify_claims([gone], [judged("confirmed", opened=("callers.py",))])) == {
        "confirmed": 1
    }
    searched = judged("confirmed", opened=()) | {
        "looked_at": {"files": [], "searches": ["get_owner"]}
    }
    assert lists(verify_claims([gone], [searched])) == {"confirmed": 1}, (
        "there is nothing of it to open"
    )
    assert lists(verify_claims([candidate()], [searched])) == {"unsettled": 1}
    assert lists(verify_claims([gone], [judged("confirmed", opened=())])) == {"unsettled": 1}


def test_a_judgement_too_many_or_too_few_is_an_error() -> None:
    for tasks in ([], [judged("confirmed")] * 2):
        with pytest.raises(ValueError, match="zip"):
            verify_claims([candidate()], tasks)


def test_the_second_reader_decides_on_severity_and_suggestion() -> None:
    stated = candidate(suggestion="    return total", severity="critical")
    (found,) = verify_claims(
        [stated], [judged("confirmed", severity="low", suggestion="fixes")]
    ).confirmed
    assert (found.severity, found.suggestion) == (Severity.low, "    return total")
    for word in ("wrong", "none"):
        (found,) = verify_claims([stated], [judged("confirmed", suggestion=word)]).confirmed
        assert (found.severity, found.suggestion) == (Severity.critical, None)


def test_what_was_there_before_is_listed_and_no_finding_unless_the_change_brings_its_lines() -> (
    None
):
    old = judged("confirmed", introduced=False)
    assert lists(verify_claims([candidate()], [old])) == {"before": 1}
    assert lists(verify_claims([candidate(added=True)], [old])) == {"confirmed": 1}


def test_other_statements_of_the_same_lines_are_mentioned_and_never_refuted_along_with_it() -> None:
    other = finding(title="It leaks", severity="low")
    both = candidate(others=[other, finding()])
    (found,) = verify_claims([both], [judged("confirmed")]).confirmed
    assert found.body.endswith("Also stated of these lines: It leaks")
    refuted = verify_claims([both], [judged("refuted")])
    assert lists(refuted) == {"refuted": 1, "unsettled": 1}
    assert refuted.unsettled[0].title == "It leaks"
    assert "not verified by itself" in refuted.unsettled[0].reason
    assert lists(verify_claims([both], [judged("unsure")])) == {"unsettled": 2}
    long = candidate(others=[other], body="x" * 4000)
    (found,) = verify_claims([long], [judged("confirmed")]).confirmed
    assert Finding.model_validate(found.model_dump()) == found


# what is open already


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        (judged("still"), {"still": 1}),
        (judged("fixed"), {"fixed": 1}),
        (judged("unsure"), {"unchecked": 1}),
        (judged("confirmed"), {"unchecked": 1}),
        (judged("refuted"), {"unchecked": 1}),
        (judged("fixed", opened=()), {"unchecked": 1}),
        (judged("fixed", opened=("other.py",)), {"unchecked": 1}),
        (
            judged(
                "still",
                opened=("b.py",),
                place={"path": "b.py", "start_line": 1, "end_line": 1, "evidence": "x"},
            ),
            {"still": 1},
        ),
        ({"ending": "out_of_budget", "reason": "no money"}, {"unchecked": 1}),
        ({"ending": "failed", "reason": "broke", "structured": {"findings": []}}, {"unchecked": 1}),
        ({}, {"unchecked": 1}),
    ],
)
def test_only_the_word_of_a_run_that_looked_makes_a_known_finding_fixed(
    task: dict[str, Any], wanted: dict[str, int]
) -> None:
    assert lists(verify_claims([known()], [task])) == wanted


def test_where_a_known_finding_is_not_checked_the_reason_is_kept() -> None:
    ((found, reason),) = verify_claims(
        [known()], [{"ending": "out_of_budget", "reason": "no money"}]
    ).unchecked
    assert (found, reason) == (finding(), "not verified: no money")


# another reader


def test_a_critical_claim_that_is_not_settled_gets_another_reader_and_no_other_does() -> None:
    candidates = [
        candidate(severity=severity)
        for severity in ("critical", "high", "critical", "critical", "low")
    ]
    tasks = [
        judged("unsure"),
        judged("unsure"),
        judged("confirmed"),
        {"ending": "out_of_budget"},
        judged("unsure", severity="critical"),
    ]
    assert [at for at, _ in doubtful(candidates, tasks)] == [0, 4]
    assert [
        at for at, _ in doubtful([candidate(severity="critical")], [judged("refuted", opened=())])
    ] == [0]
    assert [at for at, _ in doubtful([known(severity="critical")], [judged("unsure")])] == [0]


def test_the_word_of_the_other_reader_counts_where_the_first_settles_nothing() -> None:
    critical = candidate(severity="critical")
    for word, wanted in (
        ("confirmed", "confirmed"),
        ("refuted", "refuted"),
        ("unsure", "unsettled"),
    ):
        assert lists(verify_claims([critical], [judged("unsure")], {0: judged(word)})) == {
            wanted: 1
        }
    assert lists(verify_claims([critical], [judged("refuted")], {0: judged("confirmed")})) == {
        "refuted": 1
    }
    failed = {"ending": "failed", "reason": "broke"}
    assert lists(verify_claims([critical], [judged("unsure")], {0: failed})) == {
        "unsettled": 1,
        "broken": 1,
    }


VERDICTS_SAID = st.sampled_from(
    ["confirmed", "refuted", "unsure", "still", "fixed", "nonsense", None]
)
JUDGED = st.builds(
    lambda verdict, opened, ending, introduced: {
        **judged(verdict, opened=opened, introduced=introduced),
        "ending": ending,
    },
    VERDICTS_SAID,
    st.sampled_from([(), ("shop/prices.py",), ("other.py",)]),
    st.sampled_from([*Ending]),
    st.booleans(),
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), JUDGED, st.none() | JUDGED, st.booleans()), max_size=6))
def test_every_claim_ends_in_exactly_one_list(
    said: list[tuple[bool, dict[str, Any], dict[str, Any] | None, bool]],
) -> None:
    candidates = [known() if is_known else candidate(added=added) for is_known, _, _, added in said]
    again = {at: other for at, (_, _, other, _) in enumerate(said) if other is not None}
    found = verify_claims(candidates, [task for _, task, _, _ in said], again)
    claims = found.confirmed + found.refuted + found.unsettled + found.before
    knowns = found.still + found.fixed + found.unchecked
    assert len(claims) == sum(not is_known for is_known, *_ in said)
    assert len(knowns) == sum(is_known for is_known, *_ in said)


# where they are shown


HUNK = [1, 3, 1, 3]


def test_inline_goes_what_the_diff_shows_up_to_the_limit() -> None:
    shown = [finding(evidence=str(n), start_line=n, end_line=n) for n in (1, 2, 3)]
    other = [finding(path="other.py", evidence=str(n)) for n in range(5)]
    placed = place([*other, *shown], {"shop/prices.py": [HUNK]}, 2)
    assert placed.inline == (shown[0], shown[1])
    assert placed.more == (shown[2],)
    assert placed.outside == tuple(other), "none of them is lost"


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=20), st.integers(1, 10))
def test_no_finding_stands_in_two_places_or_changes_its_order(
    stated: list[tuple[bool, int]], most_inline: int
) -> None:
    found = [
        finding(path="in" if inside else "out", evidence=f"{at} {n}")
        for at, (inside, n) in enumerate(stated)
    ]
    placed = place(found, {"in": [HUNK]}, most_inline)
    within = [one for one in found if one.path == "in"]
    assert [*placed.inline, *placed.more] == within
    assert len(placed.inline) == min(most_inline, len(within))
    assert list(placed.outside) == [one for one in found if one.path == "out"]


def test_six_confirmed_findings_outside_the_diff_are_six() -> None:
    six = [finding(start_line=line, end_line=line) for line in range(1, 7)]
    assert place(six, {}, 10).outside == tuple(six)


def test_a_new_finding_on_the_lines_of_one_that_was_found_again_is_that_one() -> None:
    old, new = finding(severity="low", mark="aaaa"), finding(severity="critical")
    worse = old.model_copy(update={"severity": Severity.critical})
    assert without_known([new], [], []) == ([new], [])
    assert without_known([new], [old], []) == ([], [worse])
    assert without_known([new], [], [old]) == ([], [worse]), "a quote with a line more or less"
    other = finding(category="security", start_line=1, end_line=3)
    assert without_known([other], [], [old]) == ([other], [old]), "another harm on the same lines"
    assert without_known([finding(start_line=9, end_line=9)], [old], [old])[1] == [old, old]
    in_other_words = finding(severity="low", title="In other words")
    assert without_known([in_other_words], [old], []) == ([], [old])


@pytest.mark.parametrize(
    "change",
    [
        {"severity": "critical", "title": "Injection"},
        {"category": "security", "title": "Injection"},
        {"severity": "low", "title": "Injection", "start_line": 1, "end_line": 4},
    ],
    ids=["worse", "another harm", "other lines too"],
)
@pytest.mark.parametrize("place", ["again", "standing"])
def test_another_defect_on_the_same_lines_is_not_lost_in_the_open_one(
    place: str, change: dict[str, Any]
) -> None:
    old, new = finding(severity="low", start_line=3, end_line=5), finding(**change)
    again, standing = ([old], []) if place == "again" else ([], [old])
    assert without_known([new], again, standing) == ([new], [old])


# what it came to


def test_a_whole_review_is_clean_or_has_findings() -> None:
    assert conclude([DONE], [], confirmed=0) == Outcome(verdict=Verdict.clean)
    assert conclude([DONE, DONE], [], confirmed=0) == Outcome(verdict=Verdict.clean)
    assert conclude([DONE], [], confirmed=1) == Outcome(verdict=Verdict.findings)


def test_a_review_in_which_nobody_read_is_never_clean() -> None:
    assert conclude([], [], confirmed=0).verdict is Verdict.failed
    nothing = conclude([], [], confirmed=0, nothing="the pull request changes nothing")
    assert nothing == Outcome(verdict=Verdict.skipped, reason="the pull request changes nothing")
    assert conclude([], [], confirmed=1, nothing="nothing changed").verdict is Verdict.findings


@pytest.mark.parametrize("confirmed", [0, 3])
def test_a_review_that_left_files_unread_is_not_whole(confirmed: int) -> None:
    assert conclude([DONE], [], confirmed=confirmed, unread=7) == Outcome(
        verdict=Verdict.out_of_budget,
        reason="the change is too large for one review; 7 files were not read",
    )


VERDICTS = {
    Ending.quota: Verdict.quota,
    Ending.out_of_budget: Verdict.out_of_budget,
    Ending.out_of_turns: Verdict.out_of_turns,
    Ending.cancelled: Verdict.cancelled,
    Ending.timed_out: Verdict.failed,
    Ending.failed: Verdict.failed,
    None: Verdict.failed,
}


@pytest.mark.parametrize("ending", VERDICTS)
@pytest.mark.parametrize("confirmed", [0, 2])
@pytest.mark.parametrize("unread", [0, 2])
def test_a_part_that_did_not_end_well_decides_whatever_was_found(
    ending: Ending | None, confirmed: int, unread: int
) -> None:
    wanted = Outcome(verdict=VERDICTS[ending], reason="why", ours=True)
    assert conclude([ended(ending)], [], confirmed=confirmed, unread=unread) == wanted
    wanted = wanted.model_copy(update={"reason": "1 claim could not be verified: why"})
    assert conclude([DONE], [ended(ending)], confirmed=confirmed, unread=unread) == wanted


def test_every_ending_but_completed_has_its_verdict() -> None:
    assert {ending for ending in VERDICTS if ending} == set(Ending) - {Ending.completed}


def test_how_many_parts_are_missing_is_said() -> None:
    some = [DONE, ended(Ending.failed), ended(Ending.cancelled), DONE]
    assert conclude(some, [], confirmed=0).reason == "2 of 4 parts could not be read: why"
    assert conclude([DONE], some[1:3], confirmed=0).reason == "2 claims could not be verified: why"


def test_what_was_not_read_outranks_what_was_not_verified() -> None:
    found = conclude([ended(Ending.failed)], [ended(Ending.quota)], confirmed=0)
    assert found.verdict is Verdict.failed


def test_of_several_endings_the_one_that_a_person_can_do_most_about_is_told() -> None:
    order = [
        Ending.quota,
        Ending.out_of_budget,
        Ending.out_of_turns,
        Ending.timed_out,
        Ending.failed,
        Ending.cancelled,
    ]
    for first, second in itertools.combinations(order, 2):
        for tasks in (
            [ended(first, "first"), ended(second)],
            [ended(second), ended(first, "first")],
        ):
            outcome = conclude(tasks, [], confirmed=0)
            assert (outcome.verdict, outcome.reason) == (
                VERDICTS[first],
                "2 of 2 parts could not be read: first",
            )


FOUND: dict[str, list[dict[str, Any]]] = {
    "nobody read": [],
    "all read": [DONE],
    "both parts read": [DONE, DONE],
    "another form": [DONE, DONE | {"structured": None}],
    "no ending": [ended(None)],
    **{
        f"a part ended: {each}": [DONE, ended(each)]
        for each in Ending
        if each is not Ending.completed
    },
}
BROKEN: list[list[dict[str, Any]]] = [
    [],
    *([ended(each)] for each in Ending if each is not Ending.completed),
]


def test_a_review_is_green_only_where_all_was_read_and_nothing_is_left_open() -> None:
    """Every combination of what can be wrong with a review."""
    green = 0
    for (how, found), broken in itertools.product(FOUND.items(), BROKEN):
        for confirmed, unsettled, unopened_, unread in itertools.product((0, 1), repeat=4):
            for only, nothing in itertools.product(((), ("README.md",)), ("", "nothing changed")):
                outcome = conclude(
                    found,
                    broken,
                    confirmed=confirmed,
                    unsettled=unsettled,
                    unopened=unopened_,
                    unread=unread,
                    only=only,
                    nothing=nothing,
                )
                left = any((broken, unsettled, unopened_, unread))
                clean = how in ("all read", "both parts read") and not any(
                    (left, confirmed, only, nothing)
                )
                assert (outcome.verdict is Verdict.clean) == clean, (how, outcome)
                assert not (is_whole(outcome) and left), (
                    "nothing that is open is ever taken as read"
                )
                green += clean
    assert green == 2


@pytest.mark.parametrize(
    ("unsettled", "unopened_", "reason"),
    [
        (1, 0, "1 claim could not be settled"),
        (2, 1, "2 claims could not be settled, 1 part answered from the diff alone"),
        (0, 3, "3 parts answered from the diff alone"),
    ],
)
def test_what_is_not_settled_is_said(unsettled: int, unopened_: int, reason: str) -> None:
    for confirmed, verdict in ((0, Verdict.unsettled), (1, Verdict.findings)):
        outcome = conclude([DONE], [], confirmed=confirmed, unsettled=unsettled, unopened=unopened_)
        assert outcome == Outcome(verdict=verdict, reason=reason)
        assert not is_whole(outcome)


def test_a_result_of_another_form_is_no_clean_review() -> None:
    for structured in (None, {"findings": "none"}, {}):
        outcome = conclude([DONE | {"structured": structured}], [], confirmed=0)
        assert outcome.verdict is Verdict.failed


def test_a_review_that_could_not_read_a_file_is_not_green_and_names_it() -> None:
    told = unread_in_words([("a.py", "odd"), *[("b.py", "long")] * 4])
    assert told == "5 files could not be read whole (a.py: odd; b.py: long; b.py: long; and 2 more)"
    unread = conclude([DONE], [], confirmed=0, not_read=told)
    assert unread == Outcome(verdict=Verdict.unsettled, reason=told)
    found = conclude([DONE], [], confirmed=1, unsettled=1, not_read=told)
    assert found == Outcome(
        verdict=Verdict.findings, reason=f"{told}, 1 claim could not be settled"
    )
    assert not is_whole(found)


def test_a_part_of_the_change_is_never_a_clean_review() -> None:
    outcome = conclude([DONE], [], confirmed=0, only=["README.md"])
    assert outcome == Outcome(
        verdict=Verdict.skipped, reason="nothing found, but only README.md was read"
    )
    assert conclude([DONE], [], confirmed=1, only=["README.md"]).verdict is Verdict.findings


@pytest.mark.parametrize(
    ("looked", "wanted"),
    [
        ({}, ["a.py and 1 more"]),
        ({"searches": ["a"]}, ["a.py and 1 more"]),
        ({"files": ["other.py"]}, []),
        ({"files": ["./big.py"]}, []),
    ],
)
def test_a_part_of_which_nobody_opened_a_file_is_answered_from_the_diff_alone(
    looked: dict[str, Any], wanted: list[str]
) -> None:
    group = {"title": "a.py and 1 more", "paths": ["a.py", "big.py"], "gone": []}
    assert unopened([group], [DONE | {"looked_at": looked}]) == wanted


def test_a_part_that_was_not_answered_at_all_is_not_said_to_be_answered() -> None:
    group = {"title": "a.py", "paths": ["a.py"], "gone": []}
    assert unopened([group], [DONE | {"ending": Ending.out_of_budget, "looked_at": {}}]) == []


def test_of_a_part_that_is_gone_a_search_is_a_look() -> None:
    group = {"title": "a.py", "paths": ["a.py"], "gone": ["a.py"]}
    assert unopened([group], [DONE | {"looked_at": {"files": [], "searches": ["a"]}}]) == []
    assert unopened([group], [DONE | {"looked_at": {}}]) == ["a.py"]
