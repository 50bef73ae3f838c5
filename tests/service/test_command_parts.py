"""The parts that commands of the shell are made of: values of flags, lists of commands, modules, databases."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from claude_pool_gh.pool.model.config import Isolation
from claude_pool_gh.service.cli import main
from claude_pool_gh.service.command_line import recipe_output
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.lazy_group import CommandFiles, LazyGroup
from claude_pool_gh.service.command_line.options import (
    PositiveNumber,
    SettingType,
    is_secret,
    settings_flags,
    settings_of,
    usable_settings_of,
)
from claude_pool_gh.service.command_line.script_flags import script_flags, script_options
from claude_pool_gh.service.existing_database import NoPoolDatabase, existing_database
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.service.shell.recipe_files import CheckedFile, ListedRecipe
from claude_pool_gh.service.shell.script_options import ScriptOptions
from tests.service.seeded import database_in


@pytest.mark.parametrize(
    ("setting", "metavar"),
    [
        ("slots", "INTEGER 0..64"),
        ("port", "INTEGER 0..65535"),
        ("stop_timeout", "NUMBER 0.."),
        ("idle_timeout", "NUMBER above 0"),
        ("budget_usd", "NUMBER above 0"),
        ("keep_chains_days", "NUMBER 7.."),
        ("metrics_port", "INTEGER 0..65535"),
        ("model", "TEXT"),
        ("state_dir", "FOLDER"),
        ("private_key_file", "FILE"),
        ("checks", "[true|false]"),
        ("log", "[text|json]"),
        ("log_level", "[DEBUG|INFO|WARNING|ERROR]"),
    ],
)
def test_a_flag_says_which_kind_of_value_it_takes(setting: str, metavar: str) -> None:
    command = click.Command("x")
    option = click.Option([f"--{setting}"])
    assert SettingType(setting).get_metavar(option, click.Context(command)) == metavar


@pytest.mark.parametrize("value", ["0.01", "100", "1e1"])
def test_a_number_above_zero_is_taken(value: str) -> None:
    assert PositiveNumber(100).convert(value, None, None) == float(value)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "-inf", "100.1", "ten", ""])
def test_what_is_no_number_above_zero_is_refused(value: str) -> None:
    with pytest.raises(click.BadParameter):
        PositiveNumber(100).convert(value, None, None)


def test_no_cap_lets_a_number_that_compares_with_nothing_pass() -> None:
    with pytest.raises(click.BadParameter, match="nan is not a number that can be used here"):
        PositiveNumber(float("inf")).convert("nan", None, None)


def test_exactly_what_is_secret_has_no_flag() -> None:
    secret = {name for name in Settings.model_fields if is_secret(name)}
    assert secret == {"private_key", "webhook_secret", "anthropic_api_key"}

    @settings_flags()
    def command(**_given: Any) -> None: ...

    flags = {each.name for each in command.__click_params__}  # type: ignore[attr-defined]
    assert flags == set(Settings.model_fields) - secret


def test_a_flag_that_is_empty_counts_as_not_given_and_zero_and_false_do_not() -> None:
    found = settings_of({"model": "", "state_dir": None, "poll": 0, "checks": False})
    assert found.model_fields_set & {"model", "state_dir"} == set()
    assert {"poll", "checks"} <= found.model_fields_set
    with pytest.raises(click.ClickException) as raised:
        settings_of({"port": "many", "slots": "65"})
    head, *faults = raised.value.message.splitlines()
    assert head == "these settings cannot be used:"
    assert [each.split(":")[0] for each in faults] == ["--port", "--slots"]


def test_where_settings_are_wrong_their_defaults_stand_in_and_the_others_hold() -> None:
    found, faults = usable_settings_of({"port": "many", "slots": 3, "anthropic_base_url": "x"})
    assert (found.port, found.slots) == (8080, 3)
    assert found.anthropic_base_url == "https://api.anthropic.com"
    assert [each.split(":")[0] for each in faults] == ["--port", "--anthropic-base-url"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_flag_that_is_wrong_has_a_default_that_stands_in(name: str) -> None:
    found, faults = usable_settings_of({name: object()})
    assert getattr(found, name) == Settings.model_fields[name].default
    assert len(faults) == 1


def scripted(*arguments: str) -> ScriptOptions:
    seen: list[ScriptOptions] = []

    @click.command()
    @script_flags
    def command(**given: Any) -> None:
        seen.append(script_options(given))

    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    return seen[0]


def test_a_script_s_flags_are_all_handed_on(tmp_path: Path) -> None:
    state = tmp_path / "state"
    found = scripted(
        *("--json", "--state-dir", str(state), "--effort", "high", "--model", "claude-x"),
        *("--timeout", "9", "--budget", "0.5", "--trusted", "--isolation", "clone"),
        *("--folder", str(tmp_path), "--slots", "7"),
    )
    assert (found.as_json, found.state, found.effort) == (True, state, "high")
    assert (found.settings.model, found.settings.state_dir) == ("claude-x", state)
    assert (found.timeout_secs, found.budget_usd, found.trusted) == (9, 0.5, True)
    assert (found.isolation, found.folder, found.slots) == (Isolation.clone, tmp_path, 7)


def test_without_flags_nothing_was_decided() -> None:
    found = scripted()
    assert (found.as_json, found.trusted, found.slots) == (False, False, 2)
    asked = (found.state, found.isolation, found.budget_usd, found.effort, found.timeout_secs)
    assert asked == (None,) * 5


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of commands: two files, one faulty, one hidden, and a group."""
    folder = tmp_path / "pkg_of_commands"
    (folder / "group").mkdir(parents=True)
    (folder / "no_group").mkdir()
    command = "import click\n\n@click.command\ndef command() -> None:\n    click.echo('ran')\n"
    for name, text in {
        "__init__.py": '"""All."""\n',
        "two_words.py": f'"""Does two things.\n\nAt length.\n"""\n{command}',
        "import_.py": f'"""A keyword of Python."""\n{command}',
        "faulty.py": '"""No command."""\ncommand = 3\n',
        "_hidden.py": '"""Hidden."""\n',
        "notes.txt": "no command",
        "group/__init__.py": '"""A group of its own."""\n',
        "group/inner.py": f'"""Within."""\n{command}',
    }.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder.name
    for name in [each for each in sys.modules if each.partition(".")[0] == folder.name]:
        del sys.modules[name]


def test_the_files_of_a_package_are_its_commands(package: str) -> None:
    files = CommandFiles(package)
    assert list(files) == ["faulty", "group", "import", "two-words"]
    assert len(files) == 4
    told = {name: files.summary(name) for name in files}
    assert told["two-words"] == "Does two things."
    assert (told["import"], told["group"]) == ("A keyword of Python.", "A group of its own.")
    assert f"{package}.two_words" not in sys.modules, "nothing is imported for that"


def test_a_command_has_the_name_of_its_file_and_a_group_those_in_its_folder(package: str) -> None:
    group = LazyGroup(package)
    assert group.commands["two-words"].name == "two-words"
    done = CliRunner().invoke(group, ["group", "inner"])
    assert (done.exit_code, done.output) == (0, "ran\n")
    assert CliRunner().invoke(group, ["import"]).output == "ran\n"
    with pytest.raises(KeyError):
        group.commands["nosuch"]
    with pytest.raises(TypeError, match=r"pkg_of_commands\.faulty\.command is no command"):
        group.commands["faulty"]


def test_a_command_that_is_added_goes_before_a_file_of_its_name(package: str) -> None:
    group = LazyGroup(package)

    @click.command(help="Another one.")
    def own() -> None: ...

    group.add_command(own, "two-words")
    assert group.commands["two-words"] is own
    assert group.commands.summary("two-words") == "Another one."
    assert list(group.commands).count("two-words") == 1
    del group.commands["two-words"]
    assert group.commands["two-words"] is not own


def test_the_help_lists_each_command_with_its_line_and_completion_knows_them(package: str) -> None:
    group = LazyGroup(package)
    lines = [" ".join(each.split()) for each in CliRunner().invoke(group, []).output.splitlines()]
    assert "two-words Does two things." in lines
    context = click.Context(group)
    found = {each.value: each.help for each in group.shell_complete(context, "t")}
    assert found == {"two-words": "Does two things."}
    assert "--help" in [each.value for each in group.shell_complete(context, "--h")]


def test_a_module_is_imported_when_something_of_it_is_asked_for(package: str) -> None:
    module = deferred(f"{package}.two_words")
    assert f"{package}.two_words" not in sys.modules
    assert module.command.callback is not None
    assert f"{package}.two_words" in sys.modules
    with pytest.raises(AttributeError):
        _ = module.nosuch


@pytest.mark.parametrize(
    ("checked", "code", "out", "err"),
    [
        ([], 0, "there is nothing to check here\n", ""),
        ([CheckedFile("a.yml")], 0, "no errors in 1 file\n", ""),
        ([CheckedFile("a.yml"), CheckedFile("b.yml")], 0, "no errors in 2 files\n", ""),
        (
            [CheckedFile("a.yml", notes=("no effect",))],
            0,
            "a.yml: note: no effect\nno errors in 1 file\n",
            "",
        ),
        (
            [CheckedFile("a.yml", ("line 1: x", "line 2: y"), ("n",)), CheckedFile("b.yml")],
            1,
            "a.yml: note: n\n",
            "a.yml: line 1: x\na.yml: line 2: y\n",
        ),
    ],
)
def test_faults_go_to_standard_error_and_decide_on_the_exit_code(
    checked: list[CheckedFile],
    code: int,
    out: str,
    err: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert recipe_output.print_checks(checked, as_json=False) == code
    assert capsys.readouterr() == (out, err)
    assert recipe_output.print_checks(checked, as_json=True) == code
    assert capsys.readouterr().err == ""


def test_a_recipe_is_listed_with_its_arguments_and_where_it_is_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe_output.print_recipes(
        [
            ListedRecipe("one", "Does it.", "built-in"),
            ListedRecipe("two", "Does more.", "/x/two.yml", ("path", "name")),
        ],
        as_json=False,
    )
    assert capsys.readouterr().out == (
        "one\n    Does it.\ntwo path=... name=...\n    Does more.\n    from /x/two.yml\n"
    )


def test_a_database_is_opened_where_there_is_one(tmp_path: Path) -> None:
    database_in(tmp_path).close()
    existing_database(f"sqlite:///{tmp_path}/pool.sqlite").close()
    with pytest.raises(NoPoolDatabase, match="name its folder with --state-dir"):
        existing_database(f"sqlite:///{tmp_path}/nosuch.sqlite")
    assert not (tmp_path / "nosuch.sqlite").exists()


def test_a_database_of_others_is_none_and_a_damaged_one_is_said_to_be(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as other:
        other.execute("CREATE TABLE mine (a)")
    with pytest.raises(NoPoolDatabase, match="there is no pool's database at sqlite"):
        existing_database(f"sqlite:///{tmp_path}/other.sqlite")
    (tmp_path / "damaged.sqlite").write_text("x" * 5_000)
    with pytest.raises(click.ClickException, match="cannot be read: file is not a database"):
        existing_database(f"sqlite:///{tmp_path}/damaged.sqlite")


def test_a_server_that_does_not_answer_is_told_without_its_password() -> None:
    with pytest.raises(click.ClickException) as raised:
        existing_database("postgresql://bot:canary@127.0.0.1:9/pool")
    assert "cannot be read" in raised.value.message
    assert "canary" not in raised.value.message
    assert not isinstance(raised.value, NoPoolDatabase)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            FileNotFoundError(2, "No such file or directory", "/a\x1b[2J"),
            "/a\ufffd[2J: No such file",
        ),
        (PermissionError(13, "Permission denied", b"/b"), "/b: Permission denied"),
        (OSError(36, "File name too long", "x" * 300), "xxx: File name too long"),
    ],
)
def test_a_file_that_the_system_refuses_is_named_without_a_traceback(
    error: OSError, said: str
) -> None:
    def broken() -> None:
        raise error

    group = LazyGroup("claude_pool_gh.service.commands")
    group.add_command(click.Command("broken", callback=broken))
    done = CliRunner().invoke(group, ["broken"])
    assert done.exit_code == 1
    assert said in done.output
    assert isinstance(done.exception, SystemExit)


def test_an_error_that_names_no_file_is_one_of_the_program_s() -> None:
    def broken() -> None:
        raise OSError("a fault of ours")

    group = LazyGroup("claude_pool_gh.service.commands")
    group.add_command(click.Command("broken", callback=broken))
    assert isinstance(CliRunner().invoke(group, ["broken"]).exception, OSError)


LONG = "Please look at all of this. " * 20


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["chain", LONG], 1, "unknown workflow"),
        (["rehearse", LONG], 2, "is neither a file nor a command such as"),
        (["pool", "list", "--state-dir", LONG], 1, "File name too long"),
        (["restore", "FILE", "--state-dir", "/dev/null/x"], 1, "/dev/null: File exists"),
    ],
)
def test_a_text_that_can_be_no_name_ends_no_command_with_a_traceback(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("x")
    done = CliRunner().invoke(main, arguments, env={"HOME": str(tmp_path)})
    assert isinstance(done.exception, SystemExit)
    assert (done.exit_code, said in done.output) == (code, True), done.output
