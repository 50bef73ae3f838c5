"""What the host decides over several reviews of one pull request: what is fixed, the same, hidden, read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.conversation.review.check_findings import CANDIDATES, check_findings
from claude_pool_gh.conversation.review.gather import gather, restored, stored
from claude_pool_gh.conversation.review.unplaced import unplaced
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.tables import Standing
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import HostStepContext
from claude_pool_gh.reports.headline import headline
from claude_pool_gh.reports.views import Remark
from tests.conversation.review_steps import Answers, Steps, pull, steps

CALC = "".join(f"def f{i}(x):\n    return x + {i}\n\n" for i in range(1, 31))
ZERO = CALC.replace("return x + 15\n", "return x / 0\n")  # line 44 is the changed line
CLEAN = Outcome(verdict=Verdict.clean)


def claim(
    path: str, line: int, evidence: str, title: str, severity: str = "high", **more: Any
) -> dict[str, Any]:
    return {
        "path": path,
        "start_line": line,
        "end_line": line + evidence.count("\n"),
        "severity": severity,
        "category": "correctness",
        "title": title,
        "body": "Because.",
        "scenario": "f(1) -> wrong",
        "evidence": evidence,
        "confidence": 0.95,
        **more,
    }


DIVIDES = claim("app/calc.py", 44, "    return x / 0", "f15 divides by zero")


def calc(folder: Path, head: str = ZERO) -> Any:
    return steps(folder, {"app/calc.py": CALC}, {"app/calc.py": head})


async def states(here: Steps) -> list[tuple[str, str, int]]:
    return [(each.state, each.finding.path, each.finding.start_line) for each in await here.known()]


# fixed needs a judgement


MOVED = ZERO.replace("    return x / 0\n", "    mean = x / 0; notify(mean)\n    return mean\n")


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("unsure", "open"),
        ("confirmed", "open"),
        ("refuted", "open"),
        ("still", "open"),
        ("fixed", "fixed"),
    ],
)
async def test_a_defect_whose_code_changed_is_fixed_only_where_a_reader_says_so(
    tmp_path: Path, word: str, state: str
) -> None:
    with calc(tmp_path) as here:
        outcome, _, _ = await here.review([DIVIDES], "confirmed")
        assert outcome == Outcome(verdict=Verdict.findings)
        here.commit({"app/calc.py": MOVED})
        outcome, reviewed, results = await here.review([], word)
        (asked,) = results["check"]["candidates"]
        assert "-    return x / 0\n+    mean = x / 0; notify(mean)" in asked["claim"]
        assert "Because." not in asked["claim"], "the first reader's argument is not shown"
        assert [each for each, *_ in await states(here)] == [state]
        assert outcome == (CLEAN if word == "fixed" else Outcome(verdict=Verdict.findings))
        assert len(reviewed.fixed) == (word == "fixed")
        assert len(reviewed.standing) == (word != "fixed")
        assert [each.reason for each in reviewed.unchecked] == (
            [] if word in ("still", "fixed") else ["so it is"]
        )


async def test_a_defect_that_nobody_opened_stays_open(tmp_path: Path) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        here.commit({"app/calc.py": MOVED})
        outcome, reviewed, _ = await here.review([], "fixed", opened=False)
        assert outcome.verdict is Verdict.findings
        assert reviewed.fixed == ()


async def test_a_defect_that_is_found_again_keeps_its_name_and_gets_its_new_place(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        ((first),) = await here.known()
        here.commit({"app/calc.py": "import os\n" + MOVED})
        place = {
            "path": "app/calc.py",
            "start_line": 45,
            "end_line": 45,
            "evidence": "    mean = x / 0; notify(mean)",
        }
        await here.review([], {"verdict": "still", "place": place})
        (now,) = await here.known()
        assert (now.mark, now.finding.start_line, now.head) == (first.mark, 45, here.heads[-1])
        assert now.finding.evidence == place["evidence"]
        here.commit({"app/other.py": "x = 1\n"})
        outcome, _, results = await here.review([], "fixed")
        assert results["check"]["candidates"] == [], "its code is unchanged now: nobody is asked"
        assert outcome.verdict is Verdict.findings


async def test_another_defect_under_the_title_of_a_known_one_is_not_lost_with_it(
    tmp_path: Path,
) -> None:
    same = "It divides by zero"
    with calc(tmp_path) as here:
        await here.review([DIVIDES | {"title": same}], "confirmed")
        head = CALC.replace("x + 25\n", "x / 0\n").replace("x + 5\n", "5 / 0\n")
        here.commit({"app/calc.py": head})
        found = [
            claim("app/calc.py", 74, "    return x / 0", same),
            claim("app/calc.py", 14, "    return 5 / 0", same),
        ]

        def says(candidate: Any) -> str:
            return "fixed" if candidate["kind"] == "known" else "confirmed"

        outcome, reviewed, _ = await here.review(found[:1], says)
        assert outcome.verdict is Verdict.unsettled
        assert [each.line for each in reviewed.unsettled] == [74]
    (tmp_path / "both").mkdir()
    with calc(tmp_path / "both") as here:
        await here.review([DIVIDES | {"title": same}], "confirmed")
        here.commit({"app/calc.py": head})
        outcome, reviewed, _ = await here.review(found, says)
        assert outcome.verdict is Verdict.findings
        assert [each.start_line for each in reviewed.new] == [14]
        assert [each.line for each in reviewed.unsettled] == [74]


@pytest.mark.parametrize("by", ["name", "title"])
async def test_a_known_defect_that_is_stated_again_is_judged_and_not_reported_anew(
    tmp_path: Path, by: str
) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        (first,) = await here.known()
        here.commit({"app/calc.py": MOVED})
        more = {"restates": first.mark[:12], "title": "In other words"} if by == "name" else {}
        again = DIVIDES | {"evidence": "    mean = x / 0; notify(mean)"} | more
        outcome, reviewed, results = await here.review([again], "still")
        assert [each["kind"] for each in results["check"]["candidates"]] == ["known"]
        (now,) = await here.known()
        assert (now.mark, now.finding.evidence) == (first.mark, "    mean = x / 0; notify(mean)")
        assert (reviewed.new, outcome.verdict) == ((), Verdict.findings)


async def test_lines_that_only_move_ask_nobody(tmp_path: Path) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        here.commit({"app/calc.py": "import os\n\n" + ZERO})
        _, reviewed, results = await here.review([DIVIDES | {"category": "security"}])
        assert results["check"]["candidates"] == []
        assert (reviewed.known, [each.start_line for each in reviewed.standing]) == (1, [46])
        assert await states(here) == [("open", "app/calc.py", 46)]


@pytest.mark.parametrize("word", ["fixed", "unsure", "still"])
async def test_a_fix_that_leaves_the_lines_as_they_are_is_judged(tmp_path: Path, word: str) -> None:
    """As most are: by a check above the lines, in the function that they call, or where they are called."""
    guarded = ZERO.replace(
        "    return x / 0\n", "    if not x:\n        return 0\n    return x / 0\n"
    )
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        here.commit({"app/calc.py": guarded})
        outcome, reviewed, results = await here.review([], word)
        (asked,) = results["check"]["candidates"]
        assert "+    if not x:" in asked["claim"]
        assert await states(here) == [
            ("fixed" if word == "fixed" else "open", "app/calc.py", 46 if word == "still" else 44)
        ]
        assert (outcome == CLEAN) == (word == "fixed")
        assert len(reviewed.unchecked) == (word == "unsure")


@pytest.mark.parametrize("word", ["unsure", "beyond the limit", "fixed"])
async def test_one_that_nobody_could_judge_again_is_no_new_one_in_other_words(
    tmp_path: Path, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change around it leaves its lines as they are: it would be posted twice there. Where it is fixed, it is new."""
    if word == "beyond the limit":
        monkeypatch.setattr(f"{check_findings.__module__}.RECHECKED", 0)
    changed = ZERO.replace("    return x / 0\n", "    x = int(x)\n    return x / 0\n")
    again = DIVIDES | {"title": "An error for every x", "start_line": 45, "end_line": 45}
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        here.commit({"app/calc.py": changed})

        def says(candidate: Any) -> str:
            return word if candidate["kind"] == "known" else "confirmed"

        outcome, reviewed, results = await here.review([again], says)
        assert [each["kind"] for each in results["check"]["candidates"]][-1] == "claim"
        assert len(reviewed.new) == len(reviewed.fixed) == (word == "fixed")
        assert outcome.verdict is Verdict.findings
        assert [each for each, *_ in await states(here)].count("open") == 1


async def test_code_that_moves_into_another_definition_asks(tmp_path: Path) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        here.commit({"app/calc.py": ZERO.replace("def f15(x)", "def ratio(x)")})
        outcome, _, results = await here.review([], "unsure")
        assert len(results["check"]["candidates"]) == 1
        assert outcome.verdict is Verdict.findings


# renames


async def test_a_file_that_is_only_renamed_fixes_nothing_and_keeps_its_findings(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        (first,) = await here.known()
        here.commit({"app/calc.py": None, "app/sums.py": ZERO})
        outcome, reviewed, results = await here.review([DIVIDES | {"path": "app/sums.py"}])
        assert results["check"]["candidates"] == []
        assert outcome.verdict is Verdict.findings
        assert reviewed.known == 1
        (now,) = await here.known()
        assert (now.mark, now.state, now.finding.path) == (first.mark, "open", "app/sums.py")
        here.commit({"app/sums.py": None, "app/third.py": ZERO})
        await here.review()
        assert await states(here) == [("open", "app/third.py", 44)]
        # A new file under the old name with the same code is another finding.
        here.commit({"app/calc.py": ZERO})
        _, reviewed, _ = await here.review([DIVIDES], "confirmed")
        assert [each.path for each in reviewed.new] == ["app/calc.py"]
        assert len({each.mark for each in await here.known()}) == 2


async def test_a_file_that_is_deleted_or_renamed_with_a_change_asks(tmp_path: Path) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        here.commit({"app/calc.py": None, "app/sums.py": MOVED})
        _, _, results = await here.review([], "unsure")
        (asked,) = results["check"]["candidates"]
        assert asked["finding"]["path"] == "app/sums.py"
        assert "rename" in asked["claim"] or "+    mean = x / 0" in asked["claim"]
        here.commit({"app/sums.py": None})
        outcome, _, results = await here.review([], "unsure")
        (asked,) = results["check"]["candidates"]
        assert asked["exists"] is False
        assert outcome.verdict is Verdict.findings
        assert await states(here) == [("open", "app/calc.py", 44)]


@pytest.mark.parametrize(
    ("again", "head", "is_gone"),
    [
        ("", ZERO, False),
        ("", ZERO, True),
        ("", MOVED, True),
        ("app/third.py", ZERO, False),
        ("app/third.py", ZERO, True),
        ("app/sums.py", MOVED, False),
    ],
)
async def test_a_branch_that_is_rewritten_while_a_file_is_renamed_keeps_its_findings(
    tmp_path: Path, head: str, again: str, *, is_gone: bool
) -> None:
    """Through a force-push on a newer base. A reader is asked unless it is known that the code is as it was."""
    with calc(tmp_path) as here:
        if again:  # the pull request itself had renamed it before
            here.commit({"app/calc.py": None, "app/sums.py": ZERO})
        path = "app/sums.py" if again else "app/calc.py"
        await here.review([DIVIDES | {"path": path}], "confirmed")
        (first,) = await here.known()
        here.run("checkout", "-q", "-b", "newer", here.base)
        here.base = here.commit({"other.py": "x = 1\n"})
        new = again or "app/sums.py"
        here.commit({"app/calc.py": None, new: head})
        if is_gone:
            gone = {"head": "f" * 40}
            await here.database.transact(
                lambda tx: tx.execute(tables.findings.update().values(**gone))
            )
        place = {"path": new, "start_line": 44, "end_line": 44, "evidence": head.split("\n")[43]}
        outcome, _, results = await here.review([], {"verdict": "still", "place": place})
        (now,) = await here.known()
        assert (now.mark, now.state, now.finding.path) == (first.mark, "open", new)
        assert outcome.verdict is Verdict.findings
        is_unchanged = head == ZERO and not is_gone
        assert len(results["check"]["candidates"]) == (not is_unchanged)


async def test_a_rewritten_branch_whose_old_commit_is_gone_fixes_nothing(tmp_path: Path) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        await here.database.transact(
            lambda tx: tx.execute(tables.findings.update().values(head="f" * 40))
        )
        here.commit({"app/calc.py": MOVED})
        outcome, _, results = await here.review([], "unsure")
        assert "is not known" in results["check"]["candidates"][0]["claim"]
        assert outcome.verdict is Verdict.findings


async def test_a_fix_that_a_push_takes_back_is_noticed_whatever_the_first_reader_says(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        here.commit({"app/calc.py": CALC})
        outcome, _, _ = await here.review([], "fixed")
        assert [state for state, *_ in await states(here)] == ["fixed"]
        here.commit({"app/calc.py": "import os\n" + ZERO})
        outcome, _, _ = await here.review([], "unsure")
        assert outcome.verdict is Verdict.unsettled
        outcome, reviewed, _ = await here.review([], "confirmed")
        assert [each.start_line for each in reviewed.new] == [45], "it is posted again"
        assert await states(here) == [("open", "app/calc.py", 45)]
        assert outcome.verdict is Verdict.findings


async def test_a_quote_with_a_line_more_is_no_second_finding_in_the_next_run(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        wider = DIVIDES | {
            "start_line": 43,
            "evidence": "def f15(x):\n    return x / 0",
            "title": "No check of x",
        }
        _, reviewed, _ = await here.review([wider], "confirmed")
        assert (reviewed.new, reviewed.known) == ((), 1)
        assert len(await here.known()) == 1


# every claim is named


async def test_a_claim_that_cannot_be_placed_is_neutral_and_named(tmp_path: Path) -> None:
    with steps(tmp_path, {"a.py": "    x = 1  # TODO\n"}, {"a.py": "    x = 2  # TODO\n"}) as here:
        wrong = claim("a.py", 1, "    y = 3", "It is wrong", "critical")
        outcome, reviewed, _ = await here.review([wrong])
        assert outcome == Outcome(verdict=Verdict.unsettled, reason="1 claim could not be settled")
        assert [each.title for each in reviewed.unsettled] == ["It is wrong"]
        assert reviewed.unsettled[0].reason
        assert await here.database.read(lambda tx: tables.last_reviewed(tx, "1:7")) is None


@pytest.mark.parametrize("word", ["unsure", "still", "fixed", "nonsense"])
async def test_a_claim_of_which_nobody_is_sure_is_neutral_and_named_with_the_reason(
    tmp_path: Path, word: str
) -> None:
    with calc(tmp_path) as here:
        outcome, reviewed, _ = await here.review([DIVIDES], word)
        assert outcome.verdict is Verdict.unsettled
        assert [each.title for each in reviewed.unsettled] == ["f15 divides by zero"]
        outcome, reviewed, _ = await here.review([DIVIDES], "refuted")
        assert outcome == CLEAN
        assert [(each.title, each.reason) for each in reviewed.refuted] == [
            ("f15 divides by zero", "so it is")
        ]


@pytest.mark.parametrize("word", ["confirmed", "refuted"])
async def test_a_word_of_somebody_who_opened_nothing_does_not_count(
    tmp_path: Path, word: str
) -> None:
    with calc(tmp_path) as here:
        outcome, reviewed, _ = await here.review([DIVIDES], word, opened=False)
        assert outcome == Outcome(
            verdict=Verdict.unsettled,
            reason="1 claim could not be settled, 1 part answered from the diff alone",
        )
        assert reviewed.new == ()


async def test_more_claims_than_one_review_verifies_are_named(tmp_path: Path) -> None:
    many = "".join(f"def g{i}(x):\n    return x / {i}\n\n" for i in range(1, 101))
    with steps(tmp_path, {"a.py": ""}, {"a.py": many}) as here:
        claims = [
            claim("a.py", 3 * i - 1, f"    return x / {i}", f"g{i} divides", "low")
            for i in range(1, 32)
        ]
        outcome, reviewed, results = await here.review(
            [*claims, {"title": "Half a claim", "severity": "high"}], "confirmed"
        )
        assert len(results["check"]["candidates"]) == 30
        assert len(reviewed.new) == 30
        assert outcome == Outcome(verdict=Verdict.findings, reason="2 claims could not be settled")
        assert {each.title for each in reviewed.unsettled} == {"Half a claim", "g31 divides"}
        assert CANDIDATES == 60


async def test_what_a_reader_found_before_its_last_turn_is_kept_and_the_review_is_not_whole(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        outcome, reviewed, _ = await here.review([DIVIDES], "confirmed", ending="out_of_turns")
        assert outcome.verdict is Verdict.out_of_turns
        assert [each.title for each in reviewed.new] == ["f15 divides by zero"]
        assert headline(outcome, reviewed).startswith("PARTLY REVIEWED (1 finding)")
        assert [state for state, *_ in await states(here)] == ["open"]
        assert await here.database.read(lambda tx: tables.last_reviewed(tx, "1:7")) is None


async def test_overlapping_statements_are_verified_once_and_the_same_line_of_two_functions_twice(
    tmp_path: Path,
) -> None:
    text = "def a(x):\n    y = 1\n    return y / x\n\ndef b(x):\n    y = 1\n    return y / x\n"
    with steps(tmp_path, {"a.py": ""}, {"a.py": text}) as here:
        claims = [
            claim("a.py", 3, "    return y / x", "a divides"),
            claim("a.py", 2, "    y = 1\n    return y / x", "a is wrong", "medium"),
            claim("a.py", 7, "    return y / x", "b divides"),
        ]
        _, reviewed, results = await here.review(claims, "confirmed")
        assert len(results["check"]["candidates"]) == 2
        assert [(each.title, each.start_line) for each in reviewed.new] == [
            ("a divides", 3),
            ("b divides", 7),
        ]
        assert "Also stated of these lines: a is wrong" in reviewed.new[0].body
        assert len(await here.known()) == 2


# dismissals


async def dismissed(here: Steps, reason: str = "by design") -> None:
    for each in await here.known():
        await here.database.transact(
            lambda tx, m=each.mark: tables.settle(
                tx, "1:7", m, Standing.dismissed, 5, reason=reason
            )  # type: ignore[misc]
        )


async def test_a_dismissal_hides_what_was_dismissed_shows_it_and_hides_nothing_that_is_alike(
    tmp_path: Path,
) -> None:
    with steps(
        tmp_path, {"app/a.py": ""}, {"app/a.py": "def f(a, b):\n    return a / b\n"}
    ) as here:
        divides = claim("app/a.py", 2, "    return a / b", "It divides by zero")
        await here.review([divides], "confirmed")
        await dismissed(here)
        outcome, reviewed, _ = await here.review([divides | {"severity": "critical"}], "confirmed")
        assert outcome == CLEAN
        assert reviewed.hidden == (
            Remark(
                title="It divides by zero",
                path="app/a.py",
                line=2,
                severity=reviewed.hidden[0].severity,
                reason=f"by design ({(await here.known())[0].mark[:8]})",
            ),
        )
        here.commit(
            {"app/a.py": "def f(a, b):\n    return b / a\n\ndef g(a, b):\n    return a / b\n"}
        )
        other = claim("app/a.py", 2, "    return b / a", "It divides by zero", "critical")
        elsewhere = claim("app/a.py", 5, "    return a / b", "g divides by zero", "critical")
        outcome, reviewed, _ = await here.review([other, elsewhere], "confirmed", thread=8)
        assert outcome.verdict is Verdict.findings
        assert [each.start_line for each in reviewed.new] == [2, 5]
        assert reviewed.hidden == ()


async def test_a_dismissal_that_is_taken_back_counts_whatever_the_first_reader_says(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        await dismissed(here)
        outcome, _, _ = await here.review([])
        assert outcome == CLEAN
        (known,) = await here.known()
        assert await here.database.transact(lambda tx: tables.reopen(tx, "1:7", known.mark))
        outcome, reviewed, _ = await here.review([])
        assert outcome.verdict is Verdict.findings
        assert [each.title for each in reviewed.standing] == ["f15 divides by zero"]
        assert await states(here) == [("open", "app/calc.py", 44)]
        assert not await here.database.transact(lambda tx: tables.reopen(tx, "1:7", known.mark))


async def test_what_a_dismissal_has_hidden_elsewhere_is_read_again_once_it_is_taken_back(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        await dismissed(here)
        outcome, reviewed, _ = await here.review([DIVIDES], thread=8)
        assert (outcome, len(reviewed.hidden)) == (CLEAN, 1)
        here.commit({"b.py": "x = 1\n"})
        assert (await here.brief(here.facts(8)))["groups"][0]["paths"] == ["b.py"], "the control"
        (known,) = await here.known()
        await here.database.transact(lambda tx: tables.reopen(tx, "1:7", known.mark))
        whole = (await here.brief(here.facts(8)))["groups"][0]["paths"]
        assert whole == ["app/calc.py", "b.py"]


# what a review is held against


async def test_less_is_read_only_where_nothing_but_the_head_is_another(tmp_path: Path) -> None:
    with calc(tmp_path) as here:
        outcome, _, _ = await here.review([])
        assert outcome == CLEAN
        here.commit({"b.py": "x = 1\n"})
        assert (await here.brief(here.facts()))["groups"][0]["paths"] == ["b.py"]
        whole = ["app/calc.py", "b.py"]
        for change in (
            {"config_blob": "other"},
            {"base_ref": "release"},
            {"settings": {"fail_on": "high"}},
        ):
            here.settings = change
            assert (await here.brief(here.facts()))["groups"][0]["paths"] == whole, change
        here.settings = {}
        here.run("checkout", "-q", "--orphan", "rewritten")
        here.commit({})
        here.base = here.heads[-1]
        here.commit({"app/calc.py": ZERO + "\n", "b.py": "x = 2\n"})
        assert (await here.brief(here.facts()))["groups"][0]["paths"] == whole, "another merge base"


async def test_a_claim_that_was_left_open_has_everything_read_again(tmp_path: Path) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "unsure")
        here.commit({"b.py": "x = 1\n"})
        assert (await here.brief(here.facts()))["groups"][0]["paths"] == ["app/calc.py", "b.py"]
        await here.review([], opened=False)
        here.commit({"c.py": "x = 1\n"})
        assert (await here.brief(here.facts()))["groups"][0]["paths"] == [
            "app/calc.py",
            "b.py",
            "c.py",
        ]


async def test_a_lock_file_that_nobody_read_is_not_green_and_has_nothing_read_again(
    tmp_path: Path,
) -> None:
    """One line of it says what is installed, and from where."""
    with calc(tmp_path) as here:
        here.commit({"yarn.lock": "resolved elsewhere\n"})
        outcome, reviewed, _ = await here.review([])
        told = "yarn.lock looks generated and was not read"
        assert outcome == Outcome(verdict=Verdict.unsettled, reason=told)
        assert reviewed.generated == ["yarn.lock"]
        here.commit({"b.py": "x = 1\n"})
        assert (await here.brief(here.facts()))["groups"][0]["paths"] == ["b.py"]
        assert (await here.review([]))[0].reason == told
        outcome, _, _ = await here.review([DIVIDES], "confirmed")
        assert outcome == Outcome(verdict=Verdict.findings, reason=told)


async def test_a_lock_file_that_was_read_by_its_name_besides_all_the_rest_is_green(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        here.commit({"yarn.lock": "resolved elsewhere\n"})
        await here.review([])
        here.settings = {"paths": ["yarn.lock"]}
        outcome, reviewed, results = await here.review([])
        assert results["brief"]["groups"][0]["paths"] == ["yarn.lock"]
        assert (outcome, list(reviewed.generated)) == (CLEAN, [])
        here.commit({"b.py": "x = 1\n"})
        assert (await here.review([]))[0].verdict is Verdict.skipped, "the rest was not read here"


@pytest.mark.parametrize(
    ("named", "changed", "expected"),
    [
        (["yarn.lock"], {"yarn.lock": "1\n"}, CLEAN),
        (["*.lock", "yarn.lock"], {"yarn.lock": "1\n"}, CLEAN),
        (["yarn.lock"], {"yarn.lock": "1\n", "go.sum": "1\n"}, None),
        (["yarn.lock"], {"yarn.lock": "1\n", "b.py": "x = 1\n"}, None),
        (["yarn.lock", "b.py"], {"yarn.lock": "1\n", "b.py": "x = 1\n"}, CLEAN),
    ],
)
async def test_a_change_whose_files_are_all_named_is_green(
    tmp_path: Path, named: list[str], changed: dict[str, str | None], expected: Outcome | None
) -> None:
    """Of a change of nothing but a lock file there is no other review than one that names it."""
    with calc(tmp_path) as here:
        here.base = here.heads[-1]
        here.commit(changed)
        here.settings = {"paths": named}
        outcome, _, _ = await here.review([])
        assert outcome == (expected or outcome)
        assert (outcome.verdict is Verdict.clean) == (expected is not None)


async def test_what_the_repository_itself_excludes_keeps_no_review_from_being_green(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        here.commit({"yarn.lock": "resolved elsewhere\n"})
        here.settings = {"settings": {"exclude": ["*.lock"]}}
        assert (await here.review([]))[0] == CLEAN


async def test_a_push_of_nothing_worth_reading_does_not_hide_what_is_open(tmp_path: Path) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        here.commit({})
        outcome, reviewed, results = await here.review()
        assert results["find"] == []
        assert (outcome.verdict, len(reviewed.standing)) == (Verdict.findings, 1)


async def test_what_was_ignored_is_open_again_in_a_pull_request_that_is_reviewed(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        await here.review([DIVIDES], "confirmed")
        await here.database.transact(lambda tx: tables.ignore_open(tx, "1:7", 9))
        outcome, _, _ = await here.review([])
        assert outcome.verdict is Verdict.findings
        assert [state for state, *_ in await states(here)] == ["open"]


# how the pull request stands at the end


@pytest.mark.parametrize(
    ("status", "postable"),
    [("ahead", True), ("identical", True), ("diverged", False), ("behind", False)],
)
async def test_a_push_meanwhile_is_no_rewritten_branch_however_many_commits_it_brings(
    tmp_path: Path, status: str, postable: bool
) -> None:
    with calc(tmp_path) as here:
        here.answers = Answers(
            {"/pulls/7": pull("e" * 40), "/compare/": {"status": status, "commits": []}}
        )
        _, reviewed, _ = await here.review([DIVIDES], "confirmed")
        assert reviewed.posted == postable
        assert len(await here.known()) == postable
        assert ("was rewritten" in reviewed.note) == (not postable)


async def test_a_review_against_another_base_than_the_present_one_is_not_green(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        here.answers = Answers({"/pulls/7": pull(here.heads[-1], base_ref="release")})
        outcome, _, _ = await here.review([])
        note = "the pull request goes into release now, not into main"
        assert outcome == Outcome(verdict=Verdict.skipped, reason=note)
        assert await here.database.read(lambda tx: tables.last_reviewed(tx, "1:7")) is None


async def test_a_finding_against_another_base_is_posted_with_the_next_review_of_the_old_one(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        here.answers = Answers({"/pulls/7": pull(here.heads[-1], base_ref="release")})
        outcome, reviewed, _ = await here.review([DIVIDES], "confirmed")
        assert (outcome.verdict, reviewed.posted) == (Verdict.findings, False)
        assert await here.known() == []
        here.answers = Answers()
        outcome, reviewed, _ = await here.review([DIVIDES], "confirmed")
        assert (outcome.verdict, reviewed.posted) == (Verdict.findings, True)
        assert await states(here) == [("open", "app/calc.py", 44)]


async def test_a_review_at_another_merge_base_than_the_present_one_is_not_green(
    tmp_path: Path,
) -> None:
    with calc(tmp_path) as here:
        compared = {"merge_base_commit": {"sha": "a" * 40}}
        here.answers = Answers({"/pulls/7": pull(here.heads[-1]), "/compare/": compared})
        outcome, reviewed, _ = await here.review([])
        note = "main was rewritten or has taken commits of this head since"
        assert (outcome, reviewed.note) == (Outcome(verdict=Verdict.skipped, reason=note), note)
        assert await here.database.read(lambda tx: tables.last_reviewed(tx, "1:7")) is None
        compared["merge_base_commit"] = {"sha": here.base}
        outcome, _, _ = await here.review([])
        assert outcome == CLEAN, "the base only went on"


async def test_a_pull_request_of_which_github_says_nothing_is_not_green(tmp_path: Path) -> None:
    """A refusal costs the green check; while GitHub is away nothing is concluded, and the step is done again."""
    with calc(tmp_path) as here:
        here.answers = Answers({"/pulls/7": ForgeRefused(403, "Resource not accessible")})
        outcome, reviewed, _ = await here.review([])
        assert outcome == Outcome(verdict=Verdict.skipped, reason=reviewed.note)
        assert "GitHub answered 403: Resource not accessible" in reviewed.note
        here.answers = Answers({"/elsewhere": {}})
        with pytest.raises(ForgeUnavailable):
            await here.review([])
        here.answers = Answers()
        outcome, _, _ = await here.review([])
        assert outcome == CLEAN


# rows


async def test_a_result_survives_its_row_and_older_ones_are_read(tmp_path: Path) -> None:
    with calc(tmp_path) as here:
        _, reviewed, _ = await here.review(
            [DIVIDES, claim("app/calc.py", 1, "nothing", "Lost")], "confirmed"
        )
        assert restored(stored(reviewed)) == reviewed
    old = {
        "files": 3,
        "inline": [],
        "more": [],
        "outside": [],
        "known": 1,
        "standing": [],
        "fixed": [],
        "refuted": 2,
        "unsure": 1,
        "dropped": ["a.py: b (c)"],
        "left_out": [],
        "unread": [],
        "note": "",
        "posted": True,
    }
    assert restored(old).unsettled == (Remark(title="a.py: b (c)"),)
    assert restored(old).known == 1


# begun before an upgrade


@pytest.mark.parametrize("step", [unplaced, check_findings, gather])
async def test_a_review_that_an_older_server_began_ends_with_the_reason(
    tmp_path: Path, step: Any
) -> None:
    with calc(tmp_path) as here:
        facts = here.facts()
        older = {
            "head": facts.head,
            "merge_base": here.base,
            "groups": [],
            "commentable": {},
            "unread": [],
        }
        check = {
            "candidates": [],
            "standing": [],
            "fixed": [],
            "known": 0,
            "unverified": 0,
            "dropped": [],
        }
        results = {"brief": older, "find": [], "check": check, "verify": []}
        whole: dict[str, Any] = {"digest": "d", "digests": {}, "generated": []}
        for lacks in whole:
            results["brief"] = older | {name: whole[name] for name in whole if name != lacks}
            with pytest.raises(
                StepFailed, match="upgraded after the review had begun; /pool retry"
            ) as failed:
                await step(here.services, HostStepContext("c1", here.plan(facts), results))
            assert failed.value.anew, "`/pool continue` would end in the same way"


def _only_the_trifle_is_fixed(asked: dict[str, Any]) -> str:
    return "fixed" if asked["finding"]["title"] == "The query is logged" else "still"


async def test_what_is_worse_on_the_lines_of_a_trifle_is_not_fixed_with_it(tmp_path: Path) -> None:
    base = "def a(x):\n    return x\n"
    head = "def a(x):\n    q = 'select ' + x\n    run(q)\n    log(q)\n    return x\n"
    with steps(tmp_path, {"a.py": base}, {"a.py": head}) as here:
        trifle = claim("a.py", 3, "    run(q)\n    log(q)", "The query is logged", "low")
        await here.review([trifle], "confirmed")
        here.commit({"o.py": "1\n"})
        hole = claim("a.py", 2, "    q = 'select ' + x\n    run(q)", "SQL injection", "critical")
        _, reviewed, _ = await here.review([hole], "confirmed")
        assert [each.title for each in reviewed.new] == ["SQL injection"]
        here.commit({"a.py": head.replace("    log(q)\n", "")})
        outcome, _, _ = await here.review([], _only_the_trifle_is_fixed)
        assert outcome.verdict is Verdict.findings
