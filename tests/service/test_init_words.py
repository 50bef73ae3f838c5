"""The decisions of `init` that need no GitHub: names of actions, addresses, manifests, and whose token is used."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from claude_pool_gh.github.effects import registry
from claude_pool_gh.service.doctor.doctor_github import EVENTS
from claude_pool_gh.service.init import manifest as manifests
from claude_pool_gh.service.init import operator
from claude_pool_gh.service.init.files import (
    ActionReference,
    FileComparison,
    compared,
    workflow,
)

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("octo/claude-pool-gh", ActionReference("octo/claude-pool-gh")),
        (f"o-1/a.b_c@{SHA}", ActionReference("o-1/a.b_c", SHA)),
    ],
)
def test_an_action_is_a_repository_with_or_without_a_commit(
    text: str, found: ActionReference
) -> None:
    assert ActionReference.parsed(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "octo",
        "octo/pool@v1",
        "octo/pool@main",
        f"octo/pool@{SHA[:39]}",
        f"octo/pool@{SHA}0",
        f"octo/pool@{SHA.upper()}",
        "octo/pool/sub",
        "octo/pool name",
        f"octo/pool@{SHA}\n",
        "octo_/pool",
        "https://github.com/octo/pool",
    ],
)
def test_what_can_move_or_is_no_action_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not OWNER/NAME or OWNER/NAME@COMMIT with all 40"):
        ActionReference.parsed(text)


def test_the_workflow_is_pinned_and_the_tag_stands_behind_as_a_remark() -> None:
    text = workflow(ActionReference("octo/pool", SHA, "v1.2"))
    assert f"uses: octo/pool@{SHA} # v1.2\n" in text
    assert "OWNER" not in text
    steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
    assert f"octo/pool@{SHA}" in [step.get("uses") for step in steps]
    assert "octo/pool@COMMIT" in workflow(ActionReference("octo/pool"))


@pytest.mark.parametrize(
    ("there", "standing", "wanted"),
    [
        (None, FileComparison.NEW, True),
        ("text", FileComparison.SAME, False),
        ("other", FileComparison.DIFFERENT, False),
        ("", FileComparison.DIFFERENT, False),
    ],
)
def test_only_what_is_not_there_is_written(
    there: str | None, standing: FileComparison, wanted: bool
) -> None:
    found = compared("a.yml", "text", there)
    assert (found.standing, found.wanted, found.text) == (standing, wanted, "text")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://pool.example.com", "https://pool.example.com"),
        ("https://pool.example.com/", "https://pool.example.com"),
        ("https://pool.example.com/webhook", "https://pool.example.com"),
        ("https://pool.example.com/webhook/", "https://pool.example.com"),
        ("https://a.example/pool", "https://a.example/pool"),
        ("https://a.example:8443", "https://a.example:8443"),
    ],
)
def test_the_address_of_a_server_is_taken_without_the_path_that_we_add(text: str, url: str) -> None:
    assert manifests.checked_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pool.example.com",
        "http://pool.example.com",
        "https://",
        "https://pool.example.com?a=b",
        "https://pool.example.com#a",
        "https://[::1",
        "https://localhost",
        "https://LOCALHOST:8080",
        "https://127.0.0.1",
        "https://127.9.9.9",
        "https://[::1]",
    ],
)
def test_an_address_that_github_cannot_use_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an address|GitHub cannot reach|Invalid IPv6"):
        manifests.checked_url(text)


def test_a_server_that_github_reaches_hears_of_events_and_another_asks() -> None:
    reached = manifests.manifest("n", "https://a.example", "http://127.0.0.1:1/created")
    assert reached["hook_attributes"] == {"url": "https://a.example/webhook", "active": True}
    assert reached["default_events"] == list(EVENTS)
    assert (reached["public"], reached["url"]) == (False, "https://a.example")
    asking = manifests.manifest("n", "", "http://127.0.0.1:1/created")
    assert not {"hook_attributes", "default_events"} & set(asking)
    assert asking["redirect_url"] == "http://127.0.0.1:1/created"
    assert asking["default_permissions"] == reached["default_permissions"]
    assert "events: none: the server asks GitHub" in manifests.shown(asking)
    assert f"events: {', '.join(EVENTS)}" in manifests.shown(reached)


def test_a_permission_is_asked_for_at_the_strongest_level_that_anything_needs() -> None:
    found = manifests.permissions()
    assert list(found) == sorted(found)
    rank = {"read": 1, "write": 2, "admin": 3}
    for kind in registry.kinds().values():
        for name, level in manifests.declared(kind.permission):
            assert kind.optional or rank[found[name]] >= rank[level]


@pytest.mark.parametrize(
    ("needs", "found"),
    [
        ("issues=write", [("issues", "write")]),
        ("issues=write; pull_requests=read", [("issues", "write"), ("pull_requests", "read")]),
        ("a=read,b=write", [("a", "read"), ("b", "write")]),
    ],
)
def test_of_alternatives_each_is_needed(needs: str, found: list[tuple[str, str]]) -> None:
    assert list(manifests.declared(needs)) == found


def test_a_name_is_short_enough_and_ends_with_a_letter() -> None:
    assert manifests.usual_name("octo") == "claude-pool-octo"
    long = manifests.usual_name("a" * 21 + "-" + "b" * 16)
    assert len(long) <= manifests.NAME_LIMIT
    assert not long.endswith("-")
    assert manifests.usual_name("") != manifests.usual_name("")


def gh(folder: Path, told: str) -> None:
    """A program of GitHub's own that says this."""
    program = folder / "gh"
    program.write_text(f"#!/bin/sh\n{told}\n")
    program.chmod(0o755)


def test_a_token_of_the_environment_goes_before_the_one_of_githubs_own_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert operator.token("github.com") == "", "there is neither"
    gh(tmp_path, 'echo "of $1 $2 $3 $4"')
    assert operator.token("git.example") == "of auth token --hostname git.example"
    monkeypatch.setenv("GH_TOKEN", "second")
    assert operator.token("github.com") == "second"
    monkeypatch.setenv("GITHUB_TOKEN", "first")
    assert operator.token("github.com") == "first"


def test_a_program_that_nobody_is_signed_in_with_gives_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.setenv(name, "")
    gh(tmp_path, "echo not signed in; exit 1")
    assert operator.token("github.com") == ""
