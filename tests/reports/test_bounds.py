"""Small words of reports at their edges: money, warnings, advice, and how many of many are named."""

from __future__ import annotations

import pytest

from claude_pool_gh.commands.grammar import Flag, Verb
from claude_pool_gh.pool.model.caps import CapUse
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.reports import changes, replies, tables
from claude_pool_gh.reports.figures import amounts, dollars, duration, minutes
from claude_pool_gh.reports.refusals import KEEPS, advice
from claude_pool_gh.reports.tables import CostView, StatusView
from claude_pool_gh.reports.views import ChangeStatus, Suspect
from claude_pool_gh.terms.roles import Role
from tests.reports.make import change


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (1, "$0.0000"), (9_999, "$0.0100"), (10_000, "$0.01"), (1_234_567, "$1.23")],
)
def test_fractions_of_a_cent_are_told_only_where_it_is_less(amount: int, text: str) -> None:
    assert (dollars(amount), dollars(amount, upper_bound=True)) == (text, f"≤ {text}")


@pytest.mark.parametrize(
    ("parts", "texts", "total"),
    [
        ([], [], "$0.00"),
        ([10_000, 20_000], ["$0.01", "$0.02"], "$0.03"),
        ([15_000, 15_000], ["$0.02", "$0.01"], "$0.03"),
        ([0, 20_000], ["$0.00", "$0.02"], "$0.02"),
        ([100, 20_000], ["$0.0001", "$0.0200"], "$0.0201"),
        ([9_999, 20_000], ["$0.0100", "$0.0200"], "$0.0300"),
    ],
)
def test_amounts_add_up_as_they_are_shown(parts: list[int], texts: list[str], total: str) -> None:
    assert amounts(parts) == (texts, total)


@pytest.mark.parametrize(
    ("ms", "exact", "rough"),
    [
        (900, "0.9 s", "under 1 min"),
        (9_999, "10.0 s", "under 1 min"),
        (10_000, "10 s", "under 1 min"),
        (59_000, "59 s", "under 1 min"),
        (60_000, "1 min", "1 min"),
        (119_999, "1 min 59 s", "1 min"),
        (599_999, "9 min 59 s", "9 min"),
        (605_000, "10 min", "10 min"),
        (3_600_000, "1 h", "60 min"),
        (5_700_000, "1 h 35 min", "95 min"),
    ],
)
def test_a_time_is_told_as_people_say_it(ms: int, exact: str, rough: str) -> None:
    assert (duration(ms), minutes(ms)) == (exact, rough)


# ---- advice


@pytest.mark.parametrize(
    ("refusal", "keeps"),
    [
        ("GH006: Protected branch", True),
        ("GH009: Secrets detected", True),
        ("GH001: Large files", True),
        ("commits must have verified signatures", False),
        ("the branch has moved", False),
    ],
    ids=["rules", "a secret", "size", "it says how by yourself", "it says how to go on"],
)
def test_that_the_patch_is_kept_is_said_where_the_advice_does_not_say_more(
    refusal: str, *, keeps: bool
) -> None:
    assert advice(refusal).endswith(f" {KEEPS}") is keeps
    assert advice("something else") == KEEPS


# ---- tables


@pytest.mark.parametrize(("used", "warns"), [(79, False), (80, True), (100, True)])
def test_a_cap_that_is_nearly_used_up_is_marked(used: int, *, warns: bool) -> None:
    use = CapUse("thread", 100_000_000, used * 1_000_000)
    view = CostView(by_verb=(), by_model=(), by_user=(), by_week=(), caps=(use,), month=0)
    assert ("| thread ⚠️ |" in tables.cost(view)) is warns
    assert ("| thread |" in tables.cost(view)) is not warns


def test_a_thread_without_runs_says_so() -> None:
    empty = StatusView(chains=(), busy=1, slots=2, waiting=0)
    assert tables.status(empty).startswith(
        "No commands yet.\n\n1 of 2 slots are busy, the queue is"
    )
    shares = StatusView(chains=(), busy=0, slots=0, waiting=0, shares={"review": {"fixed": 1}})
    assert "| review | 1 | 1 (100 %) | 0 | 0 | 0 |" in tables.status(shares)


def test_a_setting_without_a_value_is_shown_empty() -> None:
    text = tables.configuration({"model": None, "notify": False}, {"model": "f"}, "default")
    assert "| `model` |  | f |" in text
    assert "| `notify` | `false` | default |" in text


# ---- replies


def capped(left: int, line: str = "/pool review") -> str:
    refusal = CapReached("thread", asked=3_000_000, limit=10_000_000, left=left)
    return replies.cap_reached(refusal, line)


@pytest.mark.parametrize(
    ("left", "told"),
    [(49_999, None), (50_000, "--budget 0.05"), (1_239_999, "--budget 1.23")],
)
def test_what_is_left_is_offered_from_five_cents_on(left: int, told: str | None) -> None:
    text = capped(left)
    assert ("To run within what is left" in text) is (told is not None)
    assert told is None or f"`/pool review {told}`" in text


def test_a_long_line_is_not_said_again() -> None:
    assert "`/pool ask " in capped(50_000, "/pool ask ".ljust(199, "x"))
    assert capped(50_000, "/pool ask ".ljust(200, "x")).endswith("add `--budget 0.05`")


def verb(name: str = "ask", *flags: Flag) -> Verb:
    places = frozenset({"pull", "issue"})
    return Verb(name=name, summary="Asks.", places=places, role=Role.write, flags=flags)


@pytest.mark.parametrize(
    ("has", "locked"), [(Role.triage, True), (Role.write, False), (Role.admin, False)]
)
def test_what_needs_a_higher_role_is_marked(has: Role, *, locked: bool) -> None:
    text = replies.help_all({"ask": verb()}, {"ask": Role.write}, has)
    assert ("| write 🔒 |" in text) is locked
    assert ("🔒 needs a higher role than yours." in text) is locked


def test_a_verb_without_flags_is_told_without_a_list() -> None:
    assert (
        replies.help_verb(verb(), Role.write)
        == "`/pool ask`\n\nAsks.\n\nNeeds the role **write** here."
    )
    text = replies.help_verb(verb("ask", Flag("deep", "looks longer")), Role.write)
    assert text.endswith("here.\n\n- `--deep TEXT` looks longer")


@pytest.mark.parametrize(
    ("people", "owners", "told"),
    [
        (0, (), ""),
        (1, (), "1 more person must approve: why."),
        (2, (), "2 more people must approve: why."),
        (0, ("a", "b"), "A code owner of `a`, `b` must be among them (`changes.codeowners`)."),
        (0, tuple("abcdef"), "A code owner of `a`, `b`, `c`, `d`, `e` must be among them"),
    ],
)
def test_who_is_still_needed_is_told(people: int, owners: tuple[str, ...], told: str) -> None:
    text = replies.still_needed(people, "why", owners)
    assert text == told if not owners or len(owners) < 6 else text.startswith(told)


# ---- changes


@pytest.mark.parametrize(
    ("number", "more"), [(1, None), (10, None), (11, "- and 1 more"), (14, "- and 4 more")]
)
def test_of_many_random_tokens_ten_are_named(number: int, more: str | None) -> None:
    tokens = tuple(Suspect(f"f{n}.py", n + 1, "q7Zt", 32) for n in range(number))
    text = changes._suspects(change(suspects=tokens))
    lines = [line for line in text.split("\n") if line.startswith("- ")]
    assert lines[0] == "- `f0.py:1`, 32 characters beginning with `q7Zt`"
    assert len(lines) == min(number, 10) + (more is not None)
    assert more is None or lines[-1] == more
    assert changes._suspects(change(suspects=tokens, fate=ChangeStatus.pushed)) == ""
