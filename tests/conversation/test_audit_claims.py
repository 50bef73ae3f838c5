"""The claims of an audit's parts, held against what is known: new, an open one again, dismissed, or back."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.audits.model import UnsettledClaim
from claude_pool_gh.audits.stated import ReadClaim, ReadClaims
from claude_pool_gh.conversation.audit import check_claims, gather
from claude_pool_gh.conversation.audit.check_claims import _Now, _Placed, _Stated
from claude_pool_gh.conversation.audit.known import ChangedFinding, Earlier
from claude_pool_gh.findings.identity import fingerprint
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.states import Standing
from claude_pool_gh.findings.tables import KnownFinding
from claude_pool_gh.terms.severity import Severity
from tests.audits.make import result
from tests.findings.make import finding

RULE = "defects/wrong-result"


def there(**fields: Any) -> Finding:
    """A claim as the file has it."""
    return finding(**{"within": "def total", "path": "shop/prices.py", **fields})


def placed(*claims: Finding) -> list[_Placed]:
    return [_Placed(f"shard{at}", RULE, claim) for at, claim in enumerate(claims)]


def known(of: Finding, state: Standing = Standing.open) -> KnownFinding:
    return KnownFinding(fingerprint(of), of, state)


def now(*every: KnownFinding) -> _Now:
    dismissed = [each for each in every if each.state is Standing.dismissed]
    return _Now({each.mark: each for each in every}, {}, dismissed)


def standing(*open_: Finding) -> Earlier:
    return Earlier({fingerprint(each): each for each in open_}, [])


NOBODY = standing()


def test_each_new_claim_is_a_candidate_under_its_own_name() -> None:
    one, other = there(), there(start_line=9, end_line=9, evidence="    return None")
    found = check_claims._sorted(placed(one, other), NOBODY, now())
    assert {each.mark for each in found.new} == {fingerprint(one), fingerprint(other)}
    assert {each.rule for each in found.new} == {RULE}
    assert [each.kind for each in found.new] == ["claim", "claim"]
    assert (found.hidden, found.seen) == (0, [])
    assert [each.shard for each in found.origins] == ["shard0", "shard1"]


def test_claims_of_the_same_lines_are_one_candidate_the_worst_first() -> None:
    trifle = there(severity="low", title="A trifle")
    worst = there(severity="critical", title="A hole")
    (one,) = check_claims._sorted(placed(trifle, worst), NOBODY, now()).new
    assert one.finding.title == "A hole"
    assert [each.title for each in one.others] == ["A trifle"]


OPEN = there(severity="medium")


@pytest.mark.parametrize(
    ("claim", "is_known"),
    [
        (OPEN, True),
        (there(severity="low"), True),
        (there(severity="high"), False),
        (there(severity="medium", category="security"), False),
        (there(severity="medium", title="Another sentence"), True),
        (there(severity="medium", end_line=3, evidence="    return total - rebate\n    x"), True),
        (
            there(
                severity="medium",
                end_line=3,
                evidence="    return total - rebate\n    x",
                title="T",
            ),
            False,
        ),
        (
            there(
                severity="medium",
                end_line=3,
                evidence="    return total - rebate\n    x",
                title=OPEN.title.upper(),
            ),
            True,
        ),
        (there(severity="medium", start_line=9, end_line=9, evidence="    x"), False),
        (there(severity="medium", path="shop/other.py"), False),
        (there(severity="medium", within="def other"), True),
    ],
    ids=[
        "the same",
        "no worse",
        "worse",
        "another kind of harm",
        "in other words",
        "with a line more",
        "with a line more in other words",
        "whatever its case",
        "elsewhere",
        "in another file",
        "the same lines under the same title",
    ],
)
def test_an_open_finding_that_is_stated_again_is_no_new_one(claim: Finding, is_known: bool) -> None:
    found = check_claims._sorted(placed(claim), standing(OPEN), now())
    assert (found.seen == [fingerprint(OPEN)]) is is_known
    assert (found.new == []) is is_known


def test_one_that_is_stated_by_several_parts_is_seen_once() -> None:
    found = check_claims._sorted(placed(OPEN, OPEN), standing(OPEN), now())
    assert (found.seen, found.new) == ([fingerprint(OPEN)], [])
    assert found.places == {fingerprint(OPEN): OPEN}


def test_what_a_maintainer_has_dismissed_is_counted_and_hides_nothing_else() -> None:
    dismissed = known(there(), Standing.dismissed)
    worse = there(severity="critical", title="A hole")
    found = check_claims._sorted(placed(there(), worse, there()), NOBODY, now(dismissed))
    assert found.hidden == 2
    assert [each.finding.title for each in found.new] == ["A hole"]
    assert [each.shard for each in found.origins] == ["shard1"]


@pytest.mark.parametrize(
    ("state", "before", "keeps"),
    [
        (Standing.fixed, there(), True),
        (Standing.ignored, there(), True),
        (Standing.open, there(), False),
        (Standing.dismissed, there(), False),
        (Standing.fixed, there(nth=2), False),
    ],
    ids=["fixed and back", "ignored and back", "open", "dismissed", "another one that was fixed"],
)
def test_a_name_is_kept_by_what_comes_back_and_is_nobody_elses(
    state: Standing, before: Finding, keeps: bool
) -> None:
    claim = there()
    row = KnownFinding(fingerprint(claim), before, state)
    named = now(row).named_for(claim)
    assert (fingerprint(named) == fingerprint(claim)) is keeps
    assert fingerprint(now().named_for(claim)) == fingerprint(claim)


# ---- what its second reader is asked


def item(**fields: Any) -> dict[str, Any]:
    (candidate,) = check_claims._sorted(placed(there(**fields)), NOBODY, now()).new
    return check_claims._item(candidate)


def test_the_second_reader_gets_the_claim_without_the_argument() -> None:
    asked = item(start_line=4, end_line=6, body="because I say so")
    assert asked["title"] == "shop/prices.py:4"
    assert asked["claim"].startswith(
        "In shop/prices.py, lines 4 to 6:\n\n    return total - rebate"
    )
    assert f"Rule: {RULE}\nClaim: The rebate is taken twice\nScenario: two items" in asked["claim"]
    assert "because I say so" not in asked["claim"]
    assert "suggestion" not in asked["claim"]
    assert asked["question"].startswith("Is this claim true of the code in this folder?")
    assert asked["candidate"]["finding"]["path"] == "shop/prices.py"


def test_the_suggestion_and_the_other_statements_are_shown() -> None:
    asked = item(suggestion="    return total")
    assert asked["claim"].endswith("in place of exactly the quoted lines:\n    return total")
    two = placed(there(), there(severity="low", title="Or so"))
    (candidate,) = check_claims._sorted(two, NOBODY, now()).new
    assert check_claims._item(candidate)["claim"].endswith("Also stated of these lines:\n- Or so")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("-a\n+b", "What has changed there since (lines with - are before, with + after):\n-a\n+b"),
        ("", "What exactly has changed there since is not known."),
    ],
)
def test_of_a_known_finding_the_change_is_shown(change: str, told: str) -> None:
    asked = check_claims._again("m" * 20, there(), now(), change, exists=False)
    assert asked["title"] == "shop/prices.py:2 (known)"
    assert asked["claim"].endswith(told)
    assert asked["question"].startswith("This was reported at an earlier commit")
    candidate = asked["candidate"]
    assert (candidate["kind"], candidate["mark"], candidate["exists"]) == ("known", "m" * 20, False)


def test_what_is_serious_is_verified() -> None:
    assert [each for each in Severity if each.rank >= check_claims.SERIOUS.rank] == [
        each for each in Severity if each is not Severity.low
    ]


def test_what_earlier_runs_have_found_survives_its_row() -> None:
    changed = ChangedFinding("m" * 20, there(nth=2), "-a\n+b", exists=False)
    before = Earlier({fingerprint(OPEN): OPEN}, [changed])
    assert Earlier.restored(before.stored()) == before


# ---- what the next run reads again


def test_the_files_of_claims_that_nobody_looked_at_are_noted() -> None:
    shards = [{"id": "one", "paths": ["b.py", "a.py"]}, {"id": "two", "paths": ["c.py", "d.py"]}]
    neither, more = ReadClaims(stated=25), ReadClaims(stated=26, beyond=1)
    odd = ReadClaims(stated=1, malformed=1)
    assert check_claims._dropped_in(shards, [more, neither], []) == ["a.py", "b.py"]
    assert check_claims._dropped_in(shards, [neither, odd], []) == ["c.py", "d.py"]
    named, nowhere = (
        _Stated("two", ReadClaim(rule=RULE, finding=there(path=path))) for path in ("c.py", "x.py")
    )
    assert check_claims._dropped_in(shards, [neither, neither], [named]) == ["c.py"]
    assert check_claims._dropped_in(shards, [neither, neither], [nowhere]) == ["c.py", "d.py"]


def test_files_with_a_claim_that_nobody_could_judge_are_named_for_the_next_run() -> None:
    open_ = UnsettledClaim(
        title="t", path="lock.py", line=9, severity=Severity.high, reason="no answer"
    )
    check = {"unverified_in": ["late.py"], "dropped_in": ["a.py", "b.py"]}
    found = gather._open_in(result(unsettled=(open_,)), check)
    assert found == {"lock.py", "late.py", "a.py", "b.py"}
    assert gather._open_in(result(), {}) == set(), "of a run that an earlier version began"
