"""The documented example names every key with its default, and says something about each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from claude_pool_gh.config.load import flat, load
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.registry import handlers

EXAMPLE = (Path(__file__).parents[2] / "docs/claude-pool.example.yml").read_text("utf-8")
VALUES: dict[str, Any] = yaml.safe_load(EXAMPLE)
DEFAULTS = RepositoryConfig().model_dump(mode="json")


def keys(values: dict[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of all keys, sections too, in the order of the file."""
    found = []
    for key, value in values.items():
        found.append(f"{prefix}{key}")
        found += keys(value, f"{prefix}{key}.") if isinstance(value, dict) else []
    return found


def test_it_is_read_without_a_fault_and_changes_nothing() -> None:
    found = load(EXAMPLE, frozenset(handlers()))
    assert isinstance(found, RepositoryConfig), found
    assert found == RepositoryConfig()


def test_it_names_every_key_in_the_order_of_the_model() -> None:
    lacks = [key for key in keys(DEFAULTS) if key not in keys(VALUES)]
    assert not lacks, f"docs/claude-pool.example.yml lacks {', '.join(lacks)}"
    assert keys(VALUES) == keys(DEFAULTS)
    assert list(VALUES) == list(RepositoryConfig.model_fields)


@pytest.mark.parametrize("key", flat(RepositoryConfig()))
def test_each_value_is_the_default(key: str) -> None:
    value: Any = VALUES
    for part in key.split("."):
        assert part in value, (
            f"docs/claude-pool.example.yml lacks {key}: {flat(RepositoryConfig())[key]!r}"
        )
        value = value[part]
    assert value == flat(RepositoryConfig())[key]


def test_a_remark_of_one_line_stands_above_every_key() -> None:
    lines = EXAMPLE.splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if line.strip()
        and not line.lstrip().startswith("#")
        and not before.lstrip().startswith("# ")
    ]
    assert bare == []
    assert max(map(len, lines)) <= 120


def test_this_test_would_see_a_key_that_is_missing() -> None:
    shorter = EXAMPLE.replace("  four_eyes: false\n", "")
    assert keys(yaml.safe_load(shorter)) != keys(DEFAULTS)


@pytest.mark.parametrize(
    "example",
    [
        "permissions: {ask: triage, fix: maintain}",
        "bots: [49699333]",
        "review: {exclude: ['docs/*', '*.md']}",
        "changes: {checks: [{name: tests, run: make test, minutes: 10}]}",
    ],
)
def test_what_the_remarks_suggest_can_be_written(example: str) -> None:
    assert isinstance(load(example, frozenset(handlers())), RepositoryConfig)
