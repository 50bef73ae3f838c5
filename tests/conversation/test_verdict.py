"""What a review came to, from what its agents said."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.conversation.review.reading import unread_in_words
from claude_pool_gh.conversation.review.verdict import conclude, place, weigh
from claude_pool_gh.pool.outcomes import Outcome, Verdict
from claude_pool_gh.pool.ports import Ending
from tests.findings.make import finding


def judged(verdict: Any) -> dict[str, Any]:
    return {"ending": "completed", "structured": {"verdict": verdict, "reason": "so"}}


def candidate(**fields: Any) -> dict[str, Any]:
    return {"title": "t", "claim": "c", "finding": finding(**fields).model_dump(mode="json")}


def ended(ending: Ending | None, reason: str = "why") -> dict[str, Any]:
    said = {"reason": reason, "structured": {"findings": []}}
    return said if ending is None else said | {"ending": str(ending)}


DONE = ended(Ending.completed)


def test_only_what_was_confirmed_is_kept_and_each_stays_with_its_own_judgement() -> None:
    candidates = [candidate(evidence=name) for name in "abcd"]
    found = weigh(candidates, [judged("refuted"), judged("confirmed"), judged("unsure"), judged("confirmed")])
    assert [one.evidence for one in found.confirmed] == ["b", "d"]
    assert (found.refuted, found.unsure) == (1, 1)


@pytest.mark.parametrize(
    "task",
    [
        {}, {"structured": None}, {"structured": {}}, judged("CONFIRMED"), judged("yes"), judged(None), judged(1),
        {"structured": {"verdict": "confirmed"}}, {"structured": {"verdict": "confirmed", "reason": ""}},
        {"structured": {"verdict": "confirmed", "reason": "x", "extra": 1}}, {"structured": ["confirmed"]},
        {"structured": "confirmed"}, {"text": "confirmed"}, {"ending": "failed", "structured": None},
    ],
)  # fmt: skip
def test_without_a_clear_word_a_candidate_is_unsure_and_not_posted(task: dict[str, Any]) -> None:
    found = weigh([candidate()], [task])
    assert (found.confirmed, found.refuted, found.unsure) == ((), 0, 1)


def test_a_judgement_too_many_or_too_few_is_an_error() -> None:
    for tasks in ([], [judged("confirmed")] * 2):
        with pytest.raises(ValueError, match="zip"):
            weigh([candidate()], tasks)


HUNK = [1, 3, 1, 3]


def test_inline_goes_what_the_diff_shows_up_to_the_limit() -> None:
    shown = [finding(evidence=str(n), start_line=n, end_line=n) for n in (1, 2, 3)]
    other = [finding(path="other.py", evidence=str(n)) for n in range(5)]
    placed = place([*other, *shown], {"shop/prices.py": [HUNK]}, 2)
    assert placed.inline == (shown[0], shown[1])
    assert placed.more == (shown[2],)
    assert placed.outside == tuple(other)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=20), st.integers(1, 10))
def test_no_finding_is_lost_stands_in_two_places_or_changes_its_order(
    stated: list[tuple[bool, int]], most_inline: int
) -> None:
    found = [
        finding(path="in" if inside else "out", evidence=f"{at} {n}") for at, (inside, n) in enumerate(stated)
    ]
    placed = place(found, {"in": [HUNK]}, most_inline)
    within = [one for one in found if one.path == "in"]
    assert [*placed.inline, *placed.more] == within
    assert len(placed.inline) == min(most_inline, len(within))
    assert list(placed.outside) == [one for one in found if one.path == "out"]


def test_a_whole_review_is_clean_or_has_findings() -> None:
    assert conclude([DONE], [], confirmed=0, unread=0) == Outcome(verdict=Verdict.clean)
    assert conclude([DONE, DONE], [DONE], confirmed=0, unread=0) == Outcome(verdict=Verdict.clean)
    assert conclude([DONE], [DONE], confirmed=1, unread=0) == Outcome(verdict=Verdict.findings)


def test_a_review_in_which_nobody_read_is_never_clean() -> None:
    assert conclude([], [], confirmed=0, unread=0).verdict is Verdict.failed


@pytest.mark.parametrize("confirmed", [0, 3])
def test_a_review_that_left_files_unread_is_not_whole(confirmed: int) -> None:
    assert conclude([DONE], [DONE], confirmed=confirmed, unread=7) == Outcome(
        verdict=Verdict.out_of_budget, reason="the change is too large for one review; 7 files were not read"
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
    assert conclude([DONE], [ended(ending)], confirmed=confirmed, unread=unread) == wanted


def test_every_ending_but_completed_has_its_verdict() -> None:
    assert {ending for ending in VERDICTS if ending} == set(Ending) - {Ending.completed}


def test_how_many_parts_are_missing_is_said() -> None:
    some = [DONE, ended(Ending.failed), ended(Ending.cancelled), DONE]
    assert conclude(some, [], confirmed=0, unread=0).reason == "2 of 4 parts could not be read: why"
    assert conclude([DONE], some, confirmed=0, unread=0).reason == "2 of 4 parts could not be verified: why"


def test_what_was_not_read_outranks_what_was_not_verified() -> None:
    assert (
        conclude([ended(Ending.failed)], [ended(Ending.quota)], confirmed=0, unread=0).verdict
        is Verdict.failed
    )


def test_of_several_endings_the_one_that_a_person_can_do_most_about_is_told() -> None:
    order = [
        Ending.quota, Ending.out_of_budget, Ending.out_of_turns, Ending.timed_out, Ending.failed, Ending.cancelled,
    ]  # fmt: skip
    for first, second in itertools.combinations(order, 2):
        for tasks in ([ended(first, "first"), ended(second)], [ended(second), ended(first, "first")]):
            outcome = conclude(tasks, [], confirmed=0, unread=0)
            assert (outcome.verdict, outcome.reason) == (
                VERDICTS[first],
                "2 of 2 parts could not be read: first",
            )


ENDINGS = st.sampled_from([None, *Ending])


@settings(deadline=None)
@given(st.lists(ENDINGS, max_size=4), st.lists(ENDINGS, max_size=4), st.integers(0, 3), st.integers(0, 3))
def test_only_a_whole_review_is_whole(
    found: list[Ending | None], verified: list[Ending | None], confirmed: int, unread: int
) -> None:
    outcome = conclude(
        [ended(one) for one in found], [ended(one) for one in verified], confirmed=confirmed, unread=unread
    )
    whole = bool(found) and not unread and all(one is Ending.completed for one in found + verified)
    assert (outcome.verdict in (Verdict.clean, Verdict.findings)) == whole
    assert (outcome.verdict is Verdict.clean) == (whole and not confirmed)


def test_a_result_of_another_form_is_no_clean_review() -> None:
    for structured in (None, {"findings": "none"}, {}):
        outcome = conclude([DONE | {"structured": structured}], [], confirmed=0)
        assert outcome.verdict is Verdict.failed


def test_claims_that_nobody_verified_are_not_passed_over() -> None:
    assert conclude([DONE], [], confirmed=0, unverified=3).verdict is Verdict.out_of_budget


def test_a_review_that_could_not_read_a_file_is_not_green_and_names_it() -> None:
    told = unread_in_words([("a.py", "odd"), *[("b.py", "long")] * 4])
    assert told == "5 files could not be read whole (a.py: odd; b.py: long; b.py: long; and 2 more)"
    assert conclude([DONE], [], confirmed=0, not_read=told) == Outcome(
        verdict=Verdict.skipped, reason=f"nothing found, but {told}"
    )
    assert conclude([DONE], [], confirmed=1, not_read=told).verdict is Verdict.findings


def test_a_part_of_the_change_is_never_a_clean_review() -> None:
    outcome = conclude([DONE], [], confirmed=0, only=["README.md"])
    assert outcome == Outcome(verdict=Verdict.skipped, reason="nothing found, but only README.md was read")
    assert conclude([DONE], [], confirmed=1, only=["README.md"]).verdict is Verdict.findings
