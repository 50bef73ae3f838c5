"""The organization's defaults under the repository's own file, and where each value came from."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.config.load import (
    DEFAULT,
    PATH,
    Configuration,
    Faults,
    Layer,
    flat,
    load,
    merge,
)
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.pool.recipes.yaml_file import Fault

VERBS = frozenset({"review", "fix", "help"})
ORGANIZATION = "octo/.github"
OVER = """\
effort: high
budget: {chain: 5, thread: 50}
permissions: {review: maintain, fix: admin}
bots: [1, 2]
changes: {four_eyes: true, protected: ["infra/*"]}
"""
OWN = """\
budget: {chain: 2}
permissions: {review: write}
bots: [3]
changes: {four_eyes: false}
runs_in: app
"""


def both(over: str, own: str) -> Configuration | Faults:
    return merge([Layer(ORGANIZATION, over, "b1"), Layer(PATH, own, "b2")], VERBS)


def holds(over: str, own: str) -> Configuration:
    found = both(over, own)
    assert isinstance(found, Configuration), found
    return found


def test_the_repositorys_file_goes_before_the_organizations_key_by_key() -> None:
    found = holds(OVER, OWN).value
    assert (found.effort, found.runs_in) == ("high", "app")
    assert (found.budget.chain, found.budget.thread, found.budget.task) == (2, 50, 1)
    assert found.permissions == {"review": "write", "fix": "admin"}
    assert (found.bots, found.changes.four_eyes, found.changes.protected) == (
        (3,),
        False,
        ("infra/*",),
    )


def test_every_value_that_a_file_gives_names_that_file() -> None:
    found = holds(OVER, OWN)
    assert found.sources == {
        "effort": ORGANIZATION,
        "budget.chain": PATH,
        "budget.thread": ORGANIZATION,
        "permissions.review": PATH,
        "permissions.fix": ORGANIZATION,
        "bots": PATH,
        "changes.four_eyes": PATH,
        "changes.protected": ORGANIZATION,
        "runs_in": PATH,
    }
    assert found.source("budget.task") == found.source("nothing") == DEFAULT
    assert set(found.sources) <= set(flat(found.value))


def test_a_value_that_is_the_default_all_the_same_was_given_by_its_file() -> None:
    found = holds("effort: high\nmodel: claude-x\n", "model: null\nwall_minutes: 15\n")
    assert (found.value.model, found.source("model"), found.source("wall_minutes")) == (
        None,
        PATH,
        PATH,
    )


SCHEDULED = "audits: {nightly: {schedule: {cron: '0 3 * * *', timezone: UTC}}}\n"
UNSCHEDULED = "audits: {nightly: {schedule: null}}\n"


def test_a_section_that_the_organization_left_out_in_words_can_be_given() -> None:
    found = holds(UNSCHEDULED, SCHEDULED)
    schedule = found.value.audits["nightly"].schedule
    assert schedule is not None
    assert schedule.cron == "0 3 * * *"
    assert found.sources == {
        "audits.nightly.schedule.cron": PATH,
        "audits.nightly.schedule.timezone": PATH,
    }


def test_a_section_that_the_organization_gives_can_be_left_out_in_words() -> None:
    found = holds(SCHEDULED, UNSCHEDULED)
    assert found.value.audits["nightly"].schedule is None
    assert found.sources == {"audits.nightly.schedule": PATH}


def test_without_files_everything_is_the_default() -> None:
    assert merge([], VERBS) == Configuration(RepositoryConfig())
    assert holds("", "# nothing").sources == {}


def test_one_file_alone_is_read_as_without_layers() -> None:
    found = merge([Layer(PATH, OVER, "b")], VERBS)
    assert isinstance(found, Configuration)
    assert found.value == load(OVER, VERBS)
    assert set(found.sources.values()) == {PATH}


def test_the_blob_changes_with_either_file() -> None:
    def blob(*names: str) -> str:
        found = merge(
            [Layer(ORGANIZATION if at else PATH, "", name) for at, name in enumerate(names)], VERBS
        )
        assert isinstance(found, Configuration)
        return found.blob

    blobs = [blob("a", "b"), blob("a", "c"), blob("c", "b"), blob("a"), blob("b"), blob()]
    assert len(set(blobs)) == len(blobs)


@pytest.mark.parametrize(
    "text", ["dor: app", "permissions: {reviw: write}", "wall_minutes: 0", "a: [", "- a"]
)
def test_a_fault_is_named_with_the_file_that_it_is_in(text: str) -> None:
    for over, own, file in (
        (text, OWN, ORGANIZATION),
        (OVER, text, PATH),
        (text, text, ORGANIZATION),
    ):
        found = both(over, own)
        assert isinstance(found, Faults)
        alone = load(text, VERBS)
        assert isinstance(alone, list)
        assert (found.file, list(found.faults)) == (file, alone)


def test_a_verb_of_neither_is_told_with_its_line() -> None:
    assert both("", "runs_in: app\npermissions:\n  reviw: read\n") == Faults(
        PATH, (Fault(3, "unknown key `reviw`, did you mean `review`?"),)
    )


FILES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "runs_in": st.sampled_from(["app", "action"]),
        "effort": st.sampled_from([None, "low", "max"]),
        "wall_minutes": st.integers(1, 240),
        "bots": st.lists(st.integers(1, 9), max_size=2),
        "permissions": st.dictionaries(
            st.sampled_from(sorted(VERBS)), st.sampled_from(["read", "admin"])
        ),
        "budget": st.fixed_dictionaries(
            {}, optional={"task": st.integers(1, 9), "chain": st.integers(1, 9)}
        ),
        "changes": st.fixed_dictionaries(
            {}, optional={"draft": st.booleans(), "approvals": st.integers(1, 3)}
        ),
    },
)


@settings(deadline=None)
@given(FILES, FILES)
def test_each_value_is_that_of_the_last_file_that_gives_it(
    over: dict[str, Any], own: dict[str, Any]
) -> None:
    found = holds(yaml.safe_dump(over), yaml.safe_dump(own))
    first, second = (flat(RepositoryConfig.model_validate(each)) for each in (over, own))
    for key, value in flat(found.value).items():
        path = key.split(".")
        if value == {}:  # nothing was given in it
            continue
        if _has(own, path):
            assert (value, found.source(key)) == (second[key], PATH)
        elif _has(over, path):
            assert (value, found.source(key)) == (first[key], ORGANIZATION)
        else:
            assert (value, found.source(key)) == (flat(RepositoryConfig())[key], DEFAULT)


def _has(values: Any, path: list[str]) -> bool:
    return not path or (
        isinstance(values, dict) and path[0] in values and _has(values[path[0]], path[1:])
    )


def test_a_dotted_key_for_every_value_in_the_order_of_the_file() -> None:
    keys = list(flat(RepositoryConfig()))
    assert keys[:4] == ["runs_in", "model", "effort", "budget.task"]
    assert {key.split(".")[0] for key in keys} == set(RepositoryConfig.model_fields)
