"""The workflows that people copy: what GitHub, a linter and the README say of them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from claude_pool_gh.action import look
from tests.action.runner import ACTION, ROOT
from tests.action.test_static import BIN

FILES = sorted((ROOT / "examples/workflows").glob("*.yml"))
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(params=FILES, ids=lambda file: file.name)
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file as somebody uses it, with a commit in place."""
    return copy_of(request.param, tmp_path)


def copy_of(file: Path, folder: Path) -> Path:
    """The same."""
    made = folder / file.name
    made.write_text(file.read_text().replace("@COMMIT", f"@{SHA}"))
    return made


def test_each_has_the_shape_that_github_wants(tmp_path: Path) -> None:
    copies = [str(copy_of(file, tmp_path)) for file in FILES]
    check = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *copies]
    done = subprocess.run(check, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_security_linter_finds_nothing_that_has_no_reason(copied: Path) -> None:
    command = [str(BIN / "zizmor"), "--offline", "--persona", "auditor", str(copied)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    reasons = (ROOT / "examples/workflows/README.md").read_text()
    ignored = re.findall(r"zizmor: ignore\[([\w,-]+)\]", copied.read_text())
    assert [
        name for each in ignored for name in each.split(",") if f"`{name}`" not in reasons
    ] == []


def test_it_gives_only_inputs_that_there_are_and_no_permission_beyond_the_job(copied: Path) -> None:
    workflow = yaml.safe_load(copied.read_text())
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] == 30
        assert set(job["steps"][-1]["with"]) <= set(ACTION["inputs"])
    granted = [
        line
        for line in copied.read_text().splitlines()
        if re.match(r" {6,10}[a-z-]+: (read|write)\b", line)
    ]
    assert granted
    assert all(" # " in line for line in granted), "a permission without its reason"


def test_the_readme_shows_the_first_one_and_it_is_short() -> None:
    first = (ROOT / "examples/workflows/commands.yml").read_text()
    assert first in (ROOT / "README.md").read_text()
    assert len(first.splitlines()) <= 20


def test_the_first_one_listens_to_every_event_with_a_text() -> None:
    workflow = yaml.safe_load((ROOT / "examples/workflows/commands.yml").read_text())
    heard = {
        (event, kind) for event, how in workflow[True].items() for kind in how.get("types", ())
    }
    assert heard == set(look._TEXTS)


def test_the_first_one_makes_a_dry_run_in_the_pull_request_that_adds_it_and_only_there() -> None:
    workflow = yaml.safe_load((ROOT / "examples/workflows/commands.yml").read_text())
    assert workflow[True]["pull_request"] == {"paths": [".github/workflows/claude-pool.yml"]}
    assert set(workflow["jobs"]["pool"]["steps"][0]["with"]) == {"anthropic_api_key"}
    for event, action, dry_run, command in (
        ("pull_request", "opened", True, "/pool review"),
        ("issue_comment", "created", False, ""),
        ("pull_request_review", "submitted", False, ""),
        ("pull_request_review_comment", "created", False, ""),
    ):
        meant = look.meant(event, {"action": action}, look.inputs_of({}))
        assert (look.flag("dry_run", meant.dry_run), meant.command) == (dry_run, command)
