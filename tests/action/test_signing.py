"""States that were not written by a job of the repository: whoever may push can put them there, and decides nothing."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest

from claude_pool_gh.action import after, cleanup
from claude_pool_gh.action.single_shot import BEGUN_ANEW, noted
from claude_pool_gh.action.state import image
from claude_pool_gh.action.state.image import Header
from claude_pool_gh.action.state.keeper import Held, Keeper
from claude_pool_gh.action.state.signing import NotSigned, StateKey, keys_in
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.labels import Labels
from tests.action.conftest import Stage
from tests.action.test_ref import kept, opened

OURS, OTHERS = StateKey.of("sk-ant-ours"), StateKey.of("sk-ant-others")
NAME = "refs/claude-pool/threads/7"


def test_what_was_signed_is_good_at_its_own_place_and_unchanged_only() -> None:
    stored = OURS.signed(NAME, b"content")
    assert OURS.verified(NAME, stored) == b"content"
    assert StateKey.of(" sk-ant-ours\n") == OURS, "a secret is often stored with a line's end"
    for key, name, content in (
        (OTHERS, NAME, stored),
        (OURS, "refs/claude-pool/threads/8", stored),
        (OURS, NAME, stored + b"x"),
        (OURS, NAME, stored.replace(b"content", b"another")),
        (OURS, NAME, b"content"),
        (OURS, NAME, b"\ncontent"),
        (OURS, NAME, "\u00e9\n".encode()),
        (OURS, NAME, b""),
    ):
        with pytest.raises(NotSigned):
            key.verified(name, content)
    assert b"sk-ant" not in stored
    assert "sk-ant" not in repr(OURS)


def test_what_an_earlier_key_has_signed_is_good_where_that_one_is_given_too() -> None:
    both = StateKey.of("sk-ant-new", "sk-ant-ours")
    assert both.verified(NAME, OURS.signed(NAME, b"content")) == b"content"
    stored = both.signed(NAME, b"content")
    assert stored == StateKey.of("sk-ant-new").signed(NAME, b"content"), "only the newest one signs"
    for key, theirs in ((OURS, stored), (both, OTHERS.signed(NAME, b"content"))):
        with pytest.raises(NotSigned):
            key.verified(NAME, theirs)
    assert "sk-ant" not in repr(both)


async def next_job(keeper: Keeper, folder: Path, key: StateKey) -> Keeper:
    following = replace(keeper, database=folder / "next.sqlite", run="next", key=key, keeps=False)
    await following.take(lambda: False)
    return following


PEM = "\n".join(
    ("-----BEGIN OPENSSH PRIVATE KEY-----", "b" * 70, "-----END OPENSSH PRIVATE KEY-----")
)


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ("a" * 32, ["a" * 32]),
        (f"{'a' * 32}\n", ["a" * 32]),
        (f"{'a' * 32}\n{'b' * 40}", ["a" * 32, "b" * 40, f"{'a' * 32}\n{'b' * 40}"]),
        (f"{'a' * 64}\n{'b' * 8}", [f"{'a' * 64}\n{'b' * 8}"]),
        (PEM, [PEM]),
    ],
    ids=["one", "with its end", "two", "a short end", "a private key"],
)
def test_no_line_that_others_know_is_a_key(given: str, keys: list[str]) -> None:
    assert keys_in(given) == keys


@pytest.mark.parametrize(("signed", "taken"), [(OURS, True), (OTHERS, False), (StateKey(), False)])
async def test_only_a_state_of_this_repositorys_jobs_is_gone_on_with(
    scene: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, signed: StateKey, taken: bool
) -> None:
    """A forged one could name programs to run, approvals, and people who never asked."""
    caplog.set_level(logging.WARNING)
    keeper = await kept(scene, tmp_path)
    keeper.key = signed
    await keeper.save(ended=True)
    following = await next_job(keeper, tmp_path, OURS)
    assert (following.keeps, following.database.exists()) == (True, taken)
    assert following.unclean is not taken, "what GitHub has is looked for"
    assert following.is_begun_anew is not taken, "the comment says so"
    assert ("not signed with this job's key" in caplog.text) is not taken
    assert following.is_other_key is not taken, "the comment and the job's page say so"
    await following.release()
    (tmp_path / "n").mkdir()
    changed = await next_job(
        following, tmp_path / "n", replace(OURS, secret=b"new", earlier=(OURS.secret,))
    )
    assert (changed.keeps, changed.is_begun_anew) == (True, False), "the control: both are given"


async def test_a_forged_header_of_a_newer_version_locks_nobody_out(
    scene: Stage, tmp_path: Path
) -> None:
    ref = await opened(scene, tmp_path / "a", contents="write")
    await ref.write(b'{"format": 99}\n')
    keeper = Keeper(ref, ref, tmp_path / "k.sqlite", 1, 7, "r", key=OURS)
    await keeper.take(lambda: False)
    assert (keeper.keeps, keeper.why_not) == (True, "")


@pytest.mark.parametrize("until_ms", [9 * 10**14, 0])
async def test_a_living_job_with_another_key_is_waited_for_and_keeps_what_it_has_paid_for(
    scene: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until_ms: int
) -> None:
    """A key is changed, or one of two workflows has it: what says that it lives is believed for 90 seconds."""
    ref = await opened(scene, tmp_path / "a", contents="write")
    state = image.with_header(Header(1, 7, "theirs", until_ms), b"body")
    await ref.write(OTHERS.signed(ref.name, state))
    looks: list[str] = []
    keeper = Keeper(ref, ref, tmp_path / "k.sqlite", 1, 7, "r", key=OURS, wait_seconds=0.01)

    def is_due() -> bool:
        looks.append(ref.commit)
        return len(looks) == 2

    await keeper.take(is_due)
    assert keeper.keeps is not bool(until_ms)
    if until_ms:
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 95)
        await keeper.take(lambda: False)
    assert (keeper.keeps, keeper.is_begun_anew, keeper.unclean) == (True, True, True)


@pytest.mark.parametrize("content", [OTHERS.signed(NAME, b"x"), b"rubbish", b'{"format": 99}\n'])
async def test_a_killed_job_writes_nothing_over_what_another_one_with_another_key_has_taken(
    scene: Stage, tmp_path: Path, content: bytes
) -> None:
    ref = await opened(scene, tmp_path / "a", contents="write")
    keeper = Keeper(ref, ref, tmp_path / "k.sqlite", 1, 7, "r", key=OURS)
    await keeper.take(lambda: False)
    await ref.write(content)
    later = Keeper(ref, ref, keeper.database, 1, 7, "r", key=OURS)
    assert (await later.regain(), later.keeps) == (False, False)
    scene.repository.git.set_ref(NAME, None)
    assert (await later.regain(), later.keeps) == (True, False), "deleted: nobody else's then"


async def test_a_later_process_of_the_same_job_can_give_the_state_back(
    scene: Stage, tmp_path: Path
) -> None:
    """The Action's last step has no API key."""
    ref = await opened(scene, tmp_path / "a", contents="write")
    keeper = Keeper(ref, ref, tmp_path / "k.sqlite", 1, 7, "r", key=OURS)
    assert Held.noted(keeper.database) is None
    await keeper.take(lambda: False)
    held = Held.noted(keeper.database)
    assert held == Held("", OURS)
    later = Keeper(ref, ref, keeper.database, 1, 7, "r", key=held.key)
    assert (await later.regain(), later.keeps) == (True, True)
    await later.release()
    header, _ = image.parts(OURS.verified(ref.name, await ref.read() or b""))
    assert isinstance(header, Header)
    assert header.until_ms < 2, "the next job need not wait"


@pytest.mark.parametrize(
    "left",
    [
        {"POOL_OUTCOME": "clean", "POOL_WORK": "true"},
        {"POOL_OUTCOME": "cancelled", "POOL_WORK": "true"},
        {"POOL_FAULT": "an input is missing"},
        {"POOL_WORK": "true"},
        {"POOL_WORK": "true", "has_database": "true"},
        {},
    ],
)
def test_no_later_step_of_the_job_is_left_the_key_however_it_has_ended(
    tmp_path: Path, left: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later one may run the pull request's code. What cannot be ended ends the last step too."""
    database = tmp_path / "claude-pool-state/pool.sqlite"
    database.parent.mkdir()
    for name in ("POOL_OUTCOME", "POOL_WORK", "POOL_FAULT", "GITHUB_EVENT_PATH", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    if "has_database" in left:
        database.touch()
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path))
    Held("", OURS).note(database)
    assert after.main() == 0  # nothing is installed that could end what was begun
    assert Held.noted(database) is None


def test_what_was_begun_is_ended_with_the_key_which_is_forgotten_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "claude-pool-state/pool.sqlite"
    database.parent.mkdir()
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path))
    monkeypatch.delenv("GITHUB_EVENT_PATH", raising=False)
    Held("", OURS).note(database)
    assert cleanup.main() == 0
    assert Held.noted(database) is None


def test_a_line_of_the_jobs_own_stands_last_in_what_shows_a_run_and_nowhere_else() -> None:
    shown, other = Comment(number=1, body="running"), Labels(number=1, names=("bug",))
    assert noted(BEGUN_ANEW)(shown).texts() == (f"running\n\n{BEGUN_ANEW}",)
    assert noted("")(shown) is shown
    assert noted(BEGUN_ANEW)(other) is other
