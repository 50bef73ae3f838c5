"""action.yml and the workflows, looked at without running them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from claude_pool_gh.action import endings
from claude_pool_gh.action.results import JobResult
from claude_pool_gh.pool.model.outcomes import Verdict
from tests.action.runner import ACTION, ENTRY, ROOT

BIN = Path(sys.executable).parent
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"]}
SECRETS = re.compile(
    r"\$\{\{[^}]*(inputs\.(?:anthropic_api_key|github_token|state_key)|github\.token|secrets\.)[^}]*\}\}"
)
ONLY_WHETHER = re.compile(r"\$\{\{ inputs\.\w+ != '' \}\}")


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-actions", "action.yml"),
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
    ],
)
def test_the_yaml_has_the_shape_that_github_wants(schema: str, file: str) -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", schema, str(ROOT / file)]
    subprocess.run(command, check=True, capture_output=True)


def test_the_action_and_the_workflow_pass_a_security_linter() -> None:
    files = [str(ROOT / "action.yml"), str(ROOT / ".github/workflows/ci.yml")]
    command = [str(BIN / "zizmor"), "--offline", "--persona", "auditor", *files]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_step_that_tests_fork_starts_what_they_fork() -> None:
    assert [name for name, step in STEPS.items() if step["run"] == ENTRY] == ["run"]


def _gets_a_secret(step: str) -> bool:
    given = [str(text) for text in STEPS[step].get("env", {}).values()]
    return any(SECRETS.search(text) and not ONLY_WHETHER.fullmatch(text) for text in given)


def test_only_the_steps_that_speak_to_github_and_the_model_have_a_secret() -> None:
    assert [step for step in STEPS if _gets_a_secret(step)] == ["run", "after"]
    assert "anthropic_api_key" not in str(STEPS["after"])


def test_the_run_hears_a_cancel() -> None:
    """The runner signals the entry process alone, and only while the step's condition is false after a cancel."""
    for step in STEPS.values():
        assert step["run"].strip().splitlines()[-1].startswith("exec ")
    assert "always()" not in STEPS["run"].get("if", "")
    assert STEPS["after"]["if"].startswith("always()")


def test_what_is_installed_is_pinned_by_hash_and_never_built() -> None:
    script = (ROOT / "claude_pool_gh/action/install.sh").read_text().replace("\\\n", " ")
    asked = [line for line in script.splitlines() if "pip install" in line]
    assert len(asked) == 2, "of uv, and by uv"
    for line in asked:
        assert "--require-hashes" in line
        assert "--no-deps" in line
        assert "--only-binary :all:" in line or "--no-build" in line
    assert not re.search(r"curl|sudo|wget|npm|https?://", script)
    for name in ("requirements-install.lock", "requirements.lock"):
        entries = re.split(r"\n(?=[a-z])", (ROOT / name).read_text())
        assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)


@pytest.mark.parametrize(
    "script", sorted(ROOT.glob("claude_pool_gh/**/*.sh")), ids=lambda p: p.name
)
def test_what_finds_nothing_ends_no_script(script: Path) -> None:
    """`set -E` carries the trap into `$(...)`: what it says there would be taken for what was found."""
    looked = re.findall(
        r"\$\((?:compgen|grep|pgrep|command -v|which)\b[^()]*\)", script.read_text()
    )
    assert [each for each in looked if not each.endswith("|| true)")] == []
    assert bool(looked) == (script.name == "install.sh")


def test_every_outcome_has_its_place_in_the_table_and_in_the_actions_description() -> None:
    every = {*Verdict, *endings.JobOutcome}
    assert set(endings.RED) == every
    described = ACTION["outputs"]["outcome"]["description"]
    assert [word for word in every if not re.search(rf"\b{word}\b", described)] == []


def test_every_name_of_a_step_says_what_it_does() -> None:
    assert [step["name"].partition(", ")[0] for step in STEPS.values()] == ["claude-pool"] * 4


def test_the_schema_of_the_result_is_the_one_in_the_documentation() -> None:
    """To write it anew: `python -m claude_pool_gh.action.results > docs/action-result.schema.json`."""
    written = json.loads((ROOT / "docs/action-result.schema.json").read_text())
    assert written == JobResult.model_json_schema(mode="serialization")
    described = ACTION["outputs"]["result"]["description"]
    assert "docs/action-result.schema.json" in described
