"""What was said in a run is carried to the slot's folder, and from there to a run that goes on with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from claude_agent_sdk import project_key_for_directory

from claude_pool_gh.agent.conversations import bring, keep
from claude_pool_gh.pool.model.ports import Conversation

SESSION, OTHER = "6f1c2d3e-0000-4000-8000-000000000001", "6f1c2d3e-0000-4000-8000-000000000002"


def said(config: Path, text: str, session: str = SESSION, project: str = "-work-tree") -> Path:
    """What the CLI leaves under its configuration folder."""
    file = config / "projects" / project / f"{session}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def home(short_folder: Path, slot: str = "slot-0") -> Path:
    return short_folder / "homes" / slot


def test_what_was_said_is_kept_with_the_slot_and_found_again_from_any_other(
    short_folder: Path,
) -> None:
    said(short_folder / "first", "hello")
    said(short_folder / "first", "another's", OTHER)
    keep(Conversation(home=home(short_folder), resume=None), short_folder / "first", SESSION)
    assert [each.name for each in home(short_folder).iterdir()] == [f"{SESSION}.jsonl"]
    assert home(short_folder).stat().st_mode & 0o077 == 0, "nobody else reads it"

    later, folder = (
        Conversation(home=home(short_folder, "slot-1"), resume=SESSION),
        short_folder / "other-tree",
    )
    bring(later, short_folder / "second", folder)
    key = project_key_for_directory(folder)
    there = short_folder / "second/projects" / key / f"{SESSION}.jsonl"
    assert there.read_text() == "hello"


def test_one_that_goes_on_elsewhere_is_kept_there_alone_and_the_newest_goes_on(
    short_folder: Path,
) -> None:
    said(short_folder / "first", "hello")
    keep(Conversation(home=home(short_folder), resume=None), short_folder / "first", SESSION)
    said(short_folder / "second", "hello, and goodbye")
    keep(
        Conversation(home=home(short_folder, "slot-1"), resume=SESSION),
        short_folder / "second",
        SESSION,
    )
    assert [each.parent.name for each in (short_folder / "homes").glob("*/*.jsonl")] == ["slot-1"]

    old = home(short_folder, "slot-9") / f"{SESSION}.jsonl"
    old.parent.mkdir()
    old.write_text("hello")  # as a process that was killed in between leaves it
    os.utime(old, (1, 1))
    bring(
        Conversation(home=home(short_folder), resume=SESSION), short_folder / "third", short_folder
    )
    (there,) = (short_folder / "third/projects").glob("*/*.jsonl")
    assert there.read_text() == "hello, and goodbye"


def test_a_run_that_goes_on_with_nothing_and_one_without_a_slot_leave_nothing(
    short_folder: Path,
) -> None:
    said(short_folder / "config", "hello")
    keep(None, short_folder / "config", SESSION)
    keep(Conversation(home=home(short_folder), resume=None), short_folder / "config", None)
    assert not (short_folder / "homes").exists()
    bring(None, short_folder / "next", short_folder)
    bring(Conversation(home=home(short_folder), resume=None), short_folder / "next", short_folder)
    assert not (short_folder / "next").exists()


def test_one_that_is_not_kept_any_more_is_said_to_be_gone(short_folder: Path) -> None:
    said(short_folder / "config", "hello")
    keep(Conversation(home=home(short_folder), resume=None), short_folder / "config", SESSION)
    with pytest.raises(LookupError, match=f"the conversation {OTHER} is not kept any more"):
        bring(
            Conversation(home=home(short_folder), resume=OTHER), short_folder / "next", short_folder
        )
    assert not (short_folder / "next").exists()


def test_a_link_in_place_of_a_conversation_brings_no_file_of_this_machine_along(
    short_folder: Path,
) -> None:
    (short_folder / "private").write_text("a key")
    file = said(short_folder / "config", "hello")
    file.unlink()
    file.symlink_to(short_folder / "private")
    keep(Conversation(home=home(short_folder), resume=None), short_folder / "config", SESSION)
    assert list(home(short_folder).iterdir()) == []


@pytest.mark.parametrize("session", ["../slot-1/x", "a/b", "*", ""])
def test_a_name_that_is_no_session_reaches_no_other_file(short_folder: Path, session: str) -> None:
    """The CLI words it, and it becomes part of a path."""
    said(short_folder / "config", "hello")
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        keep(Conversation(home=home(short_folder), resume=None), short_folder / "config", session)
    with pytest.raises(ValueError):  # noqa: PT011
        bring(
            Conversation(home=home(short_folder), resume=session),
            short_folder / "next",
            short_folder,
        )


def test_a_slot_keeps_its_fifty_newest(short_folder: Path) -> None:
    place = home(short_folder)
    for number in range(51):
        name = f"{OTHER[:-5]}9{number:04}"
        said(short_folder / "config", "x", name)
        keep(Conversation(home=place, resume=None), short_folder / "config", name)
        os.utime(place / f"{name}.jsonl", (number, number))
    said(short_folder / "config", "hello")
    keep(Conversation(home=place, resume=None), short_folder / "config", SESSION)
    kept = {each.name for each in place.iterdir()}
    assert len(kept) == 50
    assert f"{SESSION}.jsonl" in kept
    assert not kept & {f"{OTHER[:-5]}90000.jsonl", f"{OTHER[:-5]}90001.jsonl"}
