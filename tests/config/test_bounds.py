"""The least and the most that each number and text of the configuration may be, as the documentation promises it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from claude_pool_gh.config.load import flat, load
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.pool.recipes.yaml_file import Fault

WHOLE = {
    "limits.user_hour": (1, 10_000),
    "limits.thread_hour": (1, 10_000),
    "review.most_comments": (1, 30),
    "review.turns": (1, 500),
    "changes.approvals": (1, 10),
    "changes.protected_approvals": (1, 10),
    "changes.max_rejections": (1, 20),
    "changes.most_files": (1, 1_000),
    "changes.most_lines": (1, 100_000),
    "changes.turns": (1, 500),
    "audits.nightly.slots": (1, 64),
    "audits.nightly.turns": (1, 500),
    "wall_minutes": (1, 240),
}
MONEY = (
    "budget.task",
    "budget.chain",
    "budget.thread",
    "budget.user_day",
    "budget.repository_month",
    "audits.nightly.budget",
)
CHECK = {"name": "tests", "run": "make"}
SCHEDULE = {"cron": "0 3 * * *", "timezone": "UTC"}


def read(key: str, value: Any) -> RepositoryConfig | list[Fault]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return load(yaml.safe_dump(value), frozenset({"review"}))


def taken(key: str, value: Any) -> bool:
    found = read(key, value)
    if isinstance(found, list):
        assert len(found) == 1, found
        assert found[0].problem.startswith(f"`{key}"), found
        return False
    assert flat(found)[key] == value
    return True


@pytest.mark.parametrize("key", WHOLE)
def test_a_whole_number_is_taken_within_its_bounds_only(key: str) -> None:
    least, most = WHOLE[key]
    assert [taken(key, each) for each in (least - 1, least, most, most + 1)] == [
        False,
        True,
        True,
        False,
    ]
    odd: tuple[Any, ...] = (least + 0.5, True, str(least), [least])
    assert not [each for each in odd if taken(key, each)]


@pytest.mark.parametrize("key", MONEY)
def test_an_amount_of_money_is_above_nothing_and_no_fortune(key: str) -> None:
    assert [taken(key, each) for each in (0, 0.000001, 100_000, 100_000.01)] == [
        False,
        True,
        True,
        False,
    ]
    assert not [each for each in (True, "1", [1]) if taken(key, each)]


def test_a_number_of_approvers_is_no_switch() -> None:
    (fault,) = faults("changes.protected_approvals", value=True)
    assert fault.problem == "`changes.protected_approvals`: must be a whole number"


def test_every_bounded_number_is_one_of_these() -> None:
    schema = RepositoryConfig.model_json_schema()
    bounded = {
        name
        for section in (schema, *schema["$defs"].values())
        for name, field in section["properties"].items()
        for kind in (field, *field.get("anyOf", ()))
        if {"minimum", "exclusiveMinimum", "maximum"} & set(kind)
    }
    assert bounded - {"minutes"} == {key.rpartition(".")[2] for key in (*WHOLE, *MONEY)}


@pytest.mark.parametrize(
    ("key", "length", "letter"),
    [
        ("review.exclude", 200, "a"),
        ("changes.protected", 200, "a"),
        ("audits.nightly.paths", 200, "a"),
        ("audits.nightly.exclude", 200, "a"),
    ],
)
def test_a_pattern_has_letters_but_not_too_many_and_a_list_ends(
    key: str, length: int, letter: str
) -> None:
    good = [taken(key, [letter * each]) for each in (0, 1, length, length + 1)]
    assert good == [False, True, True, False]
    assert [taken(key, [letter] * each) for each in (0, 100, 101)] == [True, True, False]


@pytest.mark.parametrize(
    ("prefix", "good"),
    [
        ("pool/", True),
        ("a/b_c/D-9/", True),
        ("a" * 59 + "/", True),
        ("a" * 60 + "/", False),
        ("/", False),
        ("/pool/", False),
        ("pool//", False),
        ("po ol/", False),
        ("pool/../", False),
        ("pool.lock/", False),
        ("pool/\n", False),
    ],
)
def test_a_prefix_of_branches_is_a_path_that_git_takes(prefix: str, good: bool) -> None:
    assert taken("changes.branches", prefix) is good


@pytest.mark.parametrize(
    ("model", "good"),
    [
        ("claude-sonnet-5-5", True),
        ("claude-3-5@20250101", True),
        ("claude-a.b", True),
        ("claude-", False),
        ("Claude-x", False),
        ("claude-x y", False),
        ("claude-x/y", False),
        ("claude-x\n", False),
        ("claude-" + "x" * 73, True),
        ("claude-" + "x" * 74, False),
    ],
)
def test_a_model_is_named_by_its_whole_id(model: str, good: bool) -> None:
    assert taken("model", model) is good


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, True),
        ({"name": "a" * 40}, True),
        ({"name": "a" * 41}, False),
        ({"name": "9.b_c-d"}, True),
        ({"name": ".hidden"}, False),
        ({"name": "tests\n"}, False),
        ({"run": "x" * 2_000}, True),
        ({"run": "x" * 2_001}, False),
        ({"minutes": 1}, True),
        ({"minutes": 60}, True),
        ({"minutes": 0}, False),
        ({"minutes": 61}, False),
    ],
)
def test_a_check_is_bounded_in_all_its_parts(change: dict[str, Any], good: bool) -> None:
    found = read("changes.checks", [CHECK | change])
    assert isinstance(found, RepositoryConfig) is good, found


def test_there_are_ten_checks_at_most_and_no_two_of_one_name() -> None:
    many = [CHECK | {"name": f"check-{number}"} for number in range(11)]
    assert isinstance(read("changes.checks", many[:10]), RepositoryConfig)
    assert isinstance(read("changes.checks", many), list)
    (fault,) = faults("changes.checks", [*many[:2], dict(many[1]), dict(many[0])])
    assert "more than one check is called check-" in fault.problem


def faults(key: str, value: Any) -> list[Fault]:
    found = read(key, value)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("nightly", True),
        ("a-9", True),
        ("a" * 40, True),
        ("a" * 41, False),
        ("9a", False),
        ("A", False),
        ("a_b", False),
        ("", False),
    ],
)
def test_an_audit_has_a_name_that_can_be_typed_and_be_part_of_a_ref(name: str, good: bool) -> None:
    found = load(yaml.safe_dump({"audits": {name: {}}}), frozenset())
    assert isinstance(found, RepositoryConfig) is good, found


def test_there_are_fifty_audits_at_most() -> None:
    many: dict[str, Any] = {f"a{number}": {} for number in range(51)}
    assert isinstance(read("audits", many), list)
    many.popitem()
    assert isinstance(read("audits", many), RepositoryConfig)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cron": "*/14 * * * *"}, "at least 15"),
        ({"cron": "0 3 * *"}, "field"),
        ({"cron": "0 3 31 2 *"}, ""),
        ({"cron": " " * 101}, "100"),
        ({"timezone": "Mars/Olympus"}, "no time zone"),
        ({"timezone": "x" * 65}, "64"),
        ({"timezone": None}, ""),
        ({"every": "day"}, "unknown key"),
    ],
)
def test_a_schedule_that_never_or_too_often_comes_is_refused(
    change: dict[str, Any], says: str
) -> None:
    assert isinstance(read("audits.nightly.schedule", SCHEDULE), RepositoryConfig)
    (fault,) = faults("audits.nightly.schedule", SCHEDULE | change)
    assert says in fault.problem


@pytest.mark.parametrize("missing", SCHEDULE)
def test_a_schedule_is_whole(missing: str) -> None:
    rest = {name: value for name, value in SCHEDULE.items() if name != missing}
    assert [missing in each.problem for each in faults("audits.nightly.schedule", rest)] == [True]
