from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from claude_pool_gh.config.load import flat
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.service.cli import main
from claude_pool_gh.service.settings import Settings, variable
from tests.service.auditing import commit


@pytest.mark.parametrize(
    "command", ["serve", "worker", "show", "doctor", "rehearse", "replay", "config"]
)
def test_every_command_explains_itself(command: str) -> None:
    done = CliRunner().invoke(main, [command, "--help"])
    assert done.exit_code == 0
    assert len(done.output) > 100


def test_no_secret_can_be_given_as_a_flag() -> None:
    text = CliRunner().invoke(main, ["serve", "--help"]).output
    assert "--webhook-secret" not in text
    assert "--anthropic-api-key" not in text
    assert "--private-key " not in text


@pytest.mark.parametrize(
    "command", [["config", "check"], ["audit", "--plan"], ["chain", "look"], ["workflow", "list"]]
)
def test_no_text_of_a_repository_drives_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    title = r"\e]0;X\a"
    recipe = (
        f'{{name: look, description: "{title}", steps: [{{name: a, prompt: b, "{title}": 1}}]}}'
    )
    files = {
        ".github/claude-pool.yml": f'"{title}": 1\n',
        ".github/claude-pool/workflows/look.yml": recipe,
    }
    commit(tmp_path / "shop", files)
    monkeypatch.chdir(tmp_path / "shop")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(main, command, color=True)
    assert "]0;X" in done.output, "it is told, as it is"
    assert "\x1b]" not in done.output
    assert "\x07" not in done.output


def test_a_configuration_is_checked_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "claude-pool.yml"
    file.write_text("budget:\n  chian: 3\n")
    done = CliRunner().invoke(main, ["config", "check", str(file)])
    assert done.exit_code == 1
    assert "line 2: unknown key `chian`, did you mean `chain`?" in done.output
    file.write_text("budget:\n  chain: 3\n")
    assert CliRunner().invoke(main, ["config", "check", str(file)]).output == "no errors\n"


def test_every_value_that_holds_is_printed_with_its_source(tmp_path: Path) -> None:
    ours, own = tmp_path / "defaults.yml", tmp_path / "claude-pool.yml"
    ours.write_text("budget:\n  chain: 3.5\n  task: 2\npermissions:\n  cost: read\n")
    own.write_text("budget:\n  chain: 4\nbots: [7]\n")
    lines = CliRunner().invoke(main, ["config", "show", str(ours), str(own)]).output.splitlines()
    assert f"budget.chain: 4.0  # {own}" in lines
    assert f"budget.task: 2.0  # {ours}" in lines
    assert f'permissions.cost: "read"  # {ours}' in lines
    assert f"bots: [7]  # {own}" in lines
    assert "budget.thread: 10.0  # default" in lines
    keys = [line.partition(":")[0] for line in lines]
    assert set(keys) == {*flat(RepositoryConfig()), "permissions.cost"} - {"permissions"}
    own.write_text("bugdet: {}\n")
    done = CliRunner().invoke(main, ["config", "show", str(own)])
    assert done.exit_code == 1
    assert f"{own}: line 1: unknown key `bugdet`, did you mean `budget`?" in done.output


def test_the_configurations_schema_is_printed() -> None:
    schema = json.loads(CliRunner().invoke(main, ["config", "schema"]).output)
    assert "budget" in schema["properties"]
    assert schema["additionalProperties"] is False


def test_show_says_where_it_looked(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["show", "abc", "--state-dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "there is no database at" in done.output


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_file_that_is_not_utf_8_is_read_as_the_server_reads_it(
    tmp_path: Path, command: str
) -> None:
    file = tmp_path / "claude-pool.yml"
    file.write_bytes(b"# caf\xe9\nbudgte: {}\n")
    done = CliRunner().invoke(main, ["config", command, str(file)])
    assert done.exit_code == 1
    assert "line 2: unknown key `budgte`, did you mean `budget`?" in done.output


def test_a_worker_that_cannot_work_says_what_to_set(tmp_path: Path) -> None:
    bare = {variable(name): None for name in Settings.model_fields}
    flags = ["worker", "--public-url", "https://pool.example", "--state-dir", str(tmp_path)]
    done = CliRunner().invoke(main, flags, env=bare)
    assert done.exit_code == 1
    for said in (
        "CLAUDE_POOL_APP_ID is not set",
        "ANTHROPIC_API_KEY is not set",
        "CLAUDE_POOL_DATABASE_URL must be the server's postgresql://... address",
        "CLAUDE_POOL_WEBHOOK_SECRET is not set: with CLAUDE_POOL_PUBLIC_URL",
    ):
        assert said in done.output
    shared = ["worker", "--slots", "0", "--database-url", "postgresql://somewhere/pool"]
    said = CliRunner().invoke(main, shared, env=bare).output
    assert "CLAUDE_POOL_SLOTS is 0: a worker without slots would run nothing" in said
    assert "CLAUDE_POOL_WEBHOOK_SECRET" not in said


def test_a_server_that_only_accepts_needs_a_database_that_workers_can_share() -> None:
    bare = {variable(name): None for name in Settings.model_fields}
    said = "--slots: with 0, workers run the agents, and they need CLAUDE_POOL_DATABASE_URL=postgresql://..."
    assert said in CliRunner().invoke(main, ["serve", "--slots", "0"], env=bare).output
    shared = ["serve", "--slots", "0", "--database-url", "postgresql://somewhere/pool"]
    assert said not in CliRunner().invoke(main, shared, env=bare).output
