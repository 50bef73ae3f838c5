"""Settings: what holds where nothing is set, what is refused, and how that is said."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from claude_pool_gh.pool.model.config import Isolation
from claude_pool_gh.service.cli import main
from claude_pool_gh.service.settings import PREFIX, Settings, SettingsError, read, variable
from claude_pool_gh.service.shell.script import _asked
from claude_pool_gh.service.shell.script_options import ScriptOptions

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIB+/==\nAAAA\n-----END RSA PRIVATE KEY-----\n"
NUMBERS = [
    name for name, field in Settings.model_fields.items() if isinstance(field.default, int | float)
]
KEPT = {name for name in Settings.model_fields if name.startswith("keep_")}
NO_LIMIT = {"budget_usd", "wall_timeout", *KEPT}
BARE: Mapping[str, str | None] = {variable(name): None for name in Settings.model_fields}


def told(**environment: str) -> Settings:
    """The settings in an environment of these variables and no other of ours."""
    with CliRunner().isolation(env={**BARE, **environment}):
        return read()


def faults(**environment: str) -> tuple[str, ...]:
    """What is said of an environment that cannot be used."""
    with pytest.raises(SettingsError) as caught:
        told(**environment)
    return caught.value.faults


@pytest.mark.parametrize("holder", ["variable", "file"])
@pytest.mark.parametrize(
    "written",
    [
        KEY,
        KEY.replace("\n", "\\n"),
        '"' + KEY.replace("\n", "\\n") + '"',
        KEY.replace("\n", "\r\n"),
        base64.b64encode(KEY.encode()).decode(),
        base64.encodebytes(KEY.encode()).decode(),
    ],
    ids=["plain", "escaped", "in quotes", "of Windows", "base64", "base64 in lines"],
)
def test_a_key_is_read_however_it_was_brought_into_one_line(
    tmp_path: Path, written: str, holder: str
) -> None:
    (tmp_path / "app.pem").write_text(written, newline="")
    given = {"private_key_file": str(tmp_path / "app.pem")} if holder == "file" else {}
    settings = told(**{variable(name): value for name, value in given.items()})
    if holder == "variable":
        settings = told(**{variable("private_key"): written})
        assert written.strip() in settings.all_secrets
    assert [line.strip() for line in settings.key.splitlines()] == KEY.splitlines()


@pytest.mark.parametrize("written", ["garbage", "aGVsbG8=", "////", ""])
def test_what_is_no_key_is_not_made_one(written: str) -> None:
    assert "BEGIN" not in told(**{variable("private_key"): written}).key


@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_value_in_quotes_is_refused_before_it_fits_nothing(quote: str) -> None:
    name = variable("webhook_secret")
    (fault,) = faults(**{name: f"{quote}{'s' * 40}{quote}"})
    assert fault.startswith(f"{name}: the quotes")
    assert "sss" not in fault
    assert told(**{name: f"{'s' * 40}{quote}"}).secrets == (f"{'s' * 40}{quote}",)


def test_without_any_setting_no_clock_stands_before_a_repositorys_own() -> None:
    assert told().wall_timeout is None


@pytest.mark.parametrize("name", Settings.model_fields)
def test_an_empty_variable_is_as_good_as_none(name: str) -> None:
    assert told(**{variable(name): ""}) == told()


def test_the_end_of_a_line_in_a_file_of_secrets_is_no_part_of_them() -> None:
    """A key with it cannot be sent, and what is said of that names everything but the cause."""
    found = told(ANTHROPIC_API_KEY="key\n", CLAUDE_POOL_APP_ID=" 12\n", CLAUDE_POOL_MODEL="m\n")
    assert found.anthropic_api_key.get_secret_value() == "key"
    assert (found.app_id, found.model) == ("12", "m")


@pytest.mark.parametrize("word", ["none", "None", " none "])
@pytest.mark.parametrize("name", sorted(NO_LIMIT))
def test_one_word_means_no_limit_where_that_is_allowed(name: str, word: str) -> None:
    assert getattr(told(**{variable(name): word}), name) is None


@pytest.mark.parametrize("name", [name for name in NUMBERS if name not in NO_LIMIT])
def test_no_limit_is_refused_elsewhere(name: str) -> None:
    (fault,) = faults(**{variable(name): "none"})
    assert fault.startswith(f"{variable(name)}: ")


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "-inf", "a lot"])
@pytest.mark.parametrize("name", [*sorted(NO_LIMIT), "idle_timeout"])
def test_a_limit_that_is_none_is_refused(name: str, value: str) -> None:
    (fault,) = faults(**{variable(name): value})
    assert fault.startswith(f"{variable(name)}: ")
    assert "pydantic" not in fault
    assert "\n" not in fault


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("CLAUDE_POOL_BUDGET", "CLAUDE_POOL_BUDGET_USD"),
        ("CLAUDE_POOL_WALLTIMEOUT", "CLAUDE_POOL_WALL_TIMEOUT"),
        ("claude_pool_sltos", "CLAUDE_POOL_SLOTS"),
        ("CLAUDE_POOL_WEBHOOK_SECRETS", "CLAUDE_POOL_WEBHOOK_SECRET"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_nearest_one(misspelt: str, meant: str) -> None:
    assert faults(**{misspelt: "5"}) == (
        f"{misspelt}: there is no such setting, did you mean `{meant}`?",
    )


def test_the_variable_that_the_launcher_reads_is_known() -> None:
    assert told(CLAUDE_POOL_PROCESS_MODE="reaper") == told()


@pytest.mark.parametrize(
    "name", ["anthropic_base_url", "github_api_url", "github_server_url", "public_url"]
)
@pytest.mark.parametrize(
    "value", ["nonsense", "ftp://a.example", "https://", "http://a b", "https://a.example:port"]
)
def test_an_address_that_is_none_is_refused(name: str, value: str) -> None:
    (fault,) = faults(**{variable(name): value})
    assert fault == f"{variable(name)}: wants an address such as https://example.com"


def test_everything_that_is_wrong_is_said_at_once_and_no_value_repeated() -> None:
    said = faults(
        CLAUDE_POOL_PORT="abc",
        CLAUDE_POOL_DATABASE_URL="mysql://u:secret@h/n",
        CLAUDE_POOL_SLOTZ="2",
    )
    assert [line.partition(":")[0] for line in said] == [
        "CLAUDE_POOL_SLOTZ",
        "CLAUDE_POOL_DATABASE_URL",
        "CLAUDE_POOL_PORT",
    ]
    assert "secret" not in " ".join(said)


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_servers_do_not_start_with_settings_that_cannot_be_used(command: str) -> None:
    done = CliRunner().invoke(
        main, [command, "--port", "abc"], env={**BARE, "CLAUDE_POOL_BUDGET": "5"}
    )
    assert done.exit_code == 1
    assert done.output.splitlines()[1:] == [
        "CLAUDE_POOL_BUDGET: there is no such setting, did you mean `CLAUDE_POOL_BUDGET_USD`?",
        "--port: must be a whole number",
    ]


def test_all_that_a_server_lacks_is_named_at_once(tmp_path: Path) -> None:
    lines = CliRunner().invoke(main, ["serve"], env=BARE).output.splitlines()
    named = [line.removeprefix("Error: ").split()[0] for line in lines[:-1]]
    assert named == [
        "CLAUDE_POOL_WEBHOOK_SECRET",
        "CLAUDE_POOL_APP_ID",
        "CLAUDE_POOL_PRIVATE_KEY",
        "ANTHROPIC_API_KEY",
    ]
    missing = {**BARE, "CLAUDE_POOL_PRIVATE_KEY_FILE": str(tmp_path / "none.pem")}
    assert (
        "none.pem cannot be read: No such file"
        in CliRunner().invoke(main, ["serve"], env=missing).output
    )


@pytest.mark.parametrize("command", [["run", "hi"], ["chain", "review_and_fix"]])
@pytest.mark.parametrize("flag", ["--budget", "--timeout", "--slots"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_a_cap_of_nothing_is_refused_at_the_command_line(
    command: list[str], flag: str, value: str
) -> None:
    done = CliRunner().invoke(main, [*command, flag, value], env=BARE)
    assert done.exit_code == 2
    assert f"Invalid value for '{flag}'" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("asked", "server", "expected"),
    [
        ({}, None, {}),
        ({"budget_usd": 0.001}, None, {"task_budget_usd": 0.001, "chain_budget_usd": 0.001}),
        ({"effort": "low"}, None, {"effort": "low"}),
        ({}, 70.0, {"timeout_secs": 70.0}),
        ({"timeout_secs": 5.0}, 70.0, {"timeout_secs": 5.0}),
    ],
)
def test_a_script_gets_what_was_asked_for_and_else_the_pools_own(
    asked: dict[str, Any], server: float | None, expected: dict[str, Any]
) -> None:
    settings = told() if server is None else told(CLAUDE_POOL_WALL_TIMEOUT=str(server))
    wishes = ScriptOptions(
        settings=settings,
        folder=Path(),
        state=None,
        slots=1,
        isolation=Isolation.none,
        trusted=False,
        as_json=False,
        **({"budget_usd": None, "effort": None} | asked),
    )
    assert _asked(wishes) == expected


def test_every_setting_says_its_own_default() -> None:
    """A default that its description gives in words must be the one that the field has."""
    for name, field in Settings.model_fields.items():
        if "default:" in (field.description or ""):
            assert field.default in (None, ""), (
                f"{PREFIX}{name} describes another default than {field.default}"
            )
