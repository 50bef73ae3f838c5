"""Whose state a job needs, and what a state of an audit says of itself."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from claude_pool_gh.action.asked import Asked
from claude_pool_gh.action.first_reads import read_first
from claude_pool_gh.action.state import image
from claude_pool_gh.action.state.audits import AUDITS, Moment, audit_at, note, served
from claude_pool_gh.action.state.image import Header, Span
from claude_pool_gh.action.state.prune import THREADS, Pruning
from claude_pool_gh.action.state.ref import Ref, Unavailable
from claude_pool_gh.action.state.signing import StateKey
from claude_pool_gh.config.load import PATH
from claude_pool_gh.github.access import JobAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.rehearsal.github.web.faults import Fault, Respond
from claude_pool_gh.service.settings import read as settings_of
from claude_pool_gh.terms.ids import Actor, CommentRef, Repository, Thread
from claude_pool_gh.worktrees.git import Credentials
from tests.action.conftest import WRITE, Stage

REPORT, ASKED, OTHER = 40, 7, 8


def header(audit: str = "defects", *spans: tuple[int, int], **more: int) -> Header:
    """An audit that served the thread where it was asked for in these spans. It was last asked for there."""
    given = {"repository": 1, "thread": ASKED, "until_ms": 0, "report": REPORT} | more
    return Header(
        given["repository"],
        given["thread"],
        "r",
        given["until_ms"],
        audit=audit,
        report=given["report"],
        runs=("c1", "c2"),
        spans=tuple(Span(ASKED, *span) for span in spans),
    )


ELSE, STEERS = Asked(beside=True), Asked(beside=True, steers=True)
NAMES = Asked(beside=True, steers=True, runs=frozenset({"c1"}))
OTHERS = Asked(beside=True, steers=True, runs=frozenset({"c1", "c9"}))
AT = 50


@pytest.mark.parametrize(
    ("thread", "found", "asked", "has_own", "audit"),
    [
        (REPORT, [header()], ELSE, True, "defects"),
        (REPORT, [header()], NAMES, True, "defects"),
        # it ran there then, or was lost there; how it stands now is the same to everybody who looks
        (ASKED, [header("defects", (40, 0))], STEERS, True, "defects"),
        (ASKED, [header("defects", (40, 60))], STEERS, True, "defects"),
        (ASKED, [header("defects", (40, 60), (70, 0))], STEERS, True, "defects"),
        (ASKED, [header("defects", (40, 60), thread=OTHER)], STEERS, True, "defects"),
        (
            ASKED,
            [header("a", (10, 0)), header("b", (40, 0)), header("c", (60, 0))],
            STEERS,
            True,
            "b",
        ),
        (ASKED, [header("defects", (40, 0))], ELSE, True, ""),
        (ASKED, [header("defects", (40, 0))], ELSE, False, ""),
        # it was over before, and the thread has what others did there
        (ASKED, [header("defects", (40, 45))], STEERS, True, ""),
        (ASKED, [header("defects", (60, 0), until_ms=5)], STEERS, True, ""),
        (ASKED, [header("defects", (40, 45))], STEERS, False, "defects"),
        (ASKED, [header()], ELSE, False, ""),  # or it would lose it with the audit's next run
        # a run that is named says whose it is
        (ASKED, [header("defects", (40, 0))], NAMES, True, "defects"),
        (ASKED, [header()], NAMES, True, "defects"),
        (OTHER, [header()], NAMES, True, "defects"),
        (ASKED, [header("defects", (40, 0))], OTHERS, False, ""),
        (OTHER, [header("defects", (40, 0))], STEERS, False, ""),
        (
            REPORT,
            [header("a", (40, 0), thread=REPORT, report=9), header("b")],
            STEERS,
            False,
            "b",
        ),
        (REPORT, [header(repository=2)], ELSE, False, ""),  # another repository's, pushed here
        (0, [], STEERS, False, ""),
    ],
)
def test_an_audits_state_serves_its_report_issue_and_what_steers_it_where_it_was_asked_for(
    thread: int, found: list[Header], asked: Asked, *, has_own: bool, audit: str
) -> None:
    assert served(found, Moment(1, thread, AT), asked, has_own=has_own) == audit


def test_a_threads_state_is_written_as_earlier_versions_read_it() -> None:
    own = Header(1, 2, "r", 3)
    told = json.loads(image.with_header(own, b"x").partition(b"\n")[0])
    assert set(told) == {"repository", "thread", "run", "until_ms", "schema", "format"}
    for each in (own, header("defects", (4, 5), (6, 0))):
        assert image.parts(image.with_header(each, b"x")) == (each, b"x")


OURS = StateKey.of("the key of these jobs")
BODY = random.Random(1).randbytes(300_000)  # noqa: S311 - no secret


def ref_of(scene: Stage, folder: Path, name: str) -> Ref:
    token = scene.github.create_token(
        scene.github.actions_bot, scene.repository, WRITE | {"contents": "write"}
    )
    return Ref(folder, Credentials(token, f"{scene.github.url}/octo/shop.git"), name)


async def stands(
    scene: Stage,
    folder: Path,
    audit: str,
    report: int,
    key: StateKey = OURS,
    *,
    said: str = "",
    until_ms: int = 0,
) -> None:
    """Put a state of an audit on GitHub. `said`: the name in its header, where it is another one."""
    ref = ref_of(scene, folder / audit, f"{AUDITS}{audit}")
    await ref.open()
    header = Header(1, ASKED, "r", until_ms, audit=said or audit, report=report)
    whole = key.signed(ref.name, image.with_header(header, BODY))
    await ref.write(whole, note(ref.name, header, key))


async def stands_in(scene: Stage, folder: Path, thread: int, until_ms: int, key: StateKey) -> None:
    """Put a state of a thread on GitHub."""
    ref = ref_of(scene, folder / str(thread), f"{THREADS}{thread}")
    await ref.open()
    state = image.with_header(Header(1, thread, "r", until_ms), BODY)
    await ref.write(key.signed(ref.name, state))


async def at(scene: Stage, folder: Path, thread: int, key: StateKey = OURS) -> str:
    own = ref_of(scene, folder / "own", f"refs/claude-pool/threads/{thread}")
    return await audit_at(
        ref_of(scene, folder / "every", AUDITS), own, Moment(1, thread, AT), ELSE, key
    )


async def test_a_broken_state_of_an_audit_costs_that_audit_and_no_other(
    scene: Stage, tmp_path: Path
) -> None:
    """Whoever may push may put anything there."""
    await stands(scene, tmp_path, "defects", REPORT)
    await stands(scene, tmp_path, "forged", REPORT, StateKey.of("another key"))
    await stands(scene, tmp_path, "unsigned", REPORT, StateKey())
    await stands(scene, tmp_path, "copied", REPORT, said="defects")
    git = scene.repository.git
    main = git.resolve("main")
    assert main is not None
    git.set_ref(f"{AUDITS}commit", main)
    git.run("update-ref", f"{AUDITS}blob", f"{main}:README.md")
    git.run("update-ref", f"{AUDITS}tree", f"{main}^{{tree}}")
    git.set_ref(f"{AUDITS}-No-Name/x", main)
    odd = b"tree %s\nauthor A %s\ncommitter A %s\n\nx%s"
    tree = git.text("rev-parse", f"{main}^{{tree}}").encode()
    dots = git.run(
        "mktree", data=f"100644 blob {git.text('rev-parse', f'{main}:README.md')}\t.git\n".encode()
    )
    for name, tree_, who, more in (
        ("nobody", tree, b"1 +0000", b""),
        ("zone", tree, b"<a@b> 1 +051800", b""),
        ("nul", tree, b"<a@b> 1 +0000", b"\0x"),
        ("dots", dots.strip(), b"<a@b> 1 +0000", b""),
    ):
        said = odd % (tree_, who, who, more)
        made = git.run("hash-object", "-t", "commit", "-w", "--literally", "--stdin", data=said)
        git.run("update-ref", f"{AUDITS}{name}", made.decode().strip())
    assert await at(scene, tmp_path, REPORT) == "defects"
    git.set_ref(f"{AUDITS}defects", None)
    assert await at(scene, tmp_path, REPORT) == ""
    assert await at(scene, tmp_path / "w", REPORT, StateKey.of("another key")) == "forged", (
        "the control"
    )


async def test_where_github_does_not_answer_nobody_is_told_that_there_is_no_audit(
    scene: Stage, tmp_path: Path
) -> None:
    """The report issue's commands would be judged by an empty state, and that one kept."""
    await stands(scene, tmp_path, "defects", REPORT)
    fault = scene.github.faults.add(
        Fault(Respond(502), when=lambda m: m.path.endswith("info/refs"), times=99)
    )
    with pytest.raises(Unavailable):
        await at(scene, tmp_path / "w", REPORT)
    fault.times = 0
    assert await at(scene, tmp_path / "w", REPORT) == "defects", "the control"


async def test_a_thread_is_looked_up_without_the_contents_of_the_states(
    scene: Stage, tmp_path: Path
) -> None:
    for number in range(3):
        await stands(scene, tmp_path, f"a{number}", REPORT + number)
    assert await at(scene, tmp_path, REPORT + 2) == "a2"
    fetched = sum(each.stat().st_size for each in (tmp_path / "every").rglob("*") if each.is_file())
    assert fetched < len(BODY), f"{fetched} bytes of three states"


@asynccontextmanager
async def forge_of(scene: Stage) -> AsyncIterator[Forge]:
    async with aiohttp.ClientSession() as session:
        token = scene.github.create_token(scene.github.actions_bot, scene.repository, WRITE)
        access = JobAccess(session, scene.github.api_url, token)
        yield Forge(session, scene.github.api_url, access)


@pytest.mark.parametrize(
    ("config", "known"),
    [("audits: {nightly: {kind: defects}}\n", True), ("audits: {nightly: [}\n", False)],
)
async def test_a_faulty_configuration_does_not_tell_which_audits_there_are(
    scene: Stage, config: str, *, known: bool
) -> None:
    """It is broken for an hour, and the states of its audits are not."""
    scene.repository.commit("main", {PATH: config}, author=scene.maintainer)
    repository = Repository(id=scene.repository.id, owner="octo", name="shop")
    asking = CommandRequest(
        thread=Thread(repository=repository, number=scene.pull.number),
        actor=Actor(id=scene.maintainer.id, login=scene.maintainer.login, is_human=True),
        source=CommentRef(id=1),
        line="/pool audit nightly",
        ordinal=0,
    )
    token = scene.github.create_token(
        scene.github.actions_bot, scene.repository, WRITE | {"contents": "read"}
    )
    settings = settings_of({"github_api_url": scene.github.api_url, "anthropic_api_key": "k"})
    read = await read_first(settings, token, [asking])
    assert (read.configured is not None and "nightly" in read.configured) is known
    assert (read.configured is None) is not known


async def test_the_state_of_an_audit_is_deleted_with_its_configuration_and_its_report_issue(
    scene: Stage, tmp_path: Path
) -> None:
    def issue(title: str, *, closed_days: int = 0) -> int:
        made = scene.repository.open_issue(title, "", author=scene.maintainer)
        made.closed_at = time.time() - closed_days * 86_400 if closed_days else None
        return made.number

    old, new, is_open = (
        issue("Old", closed_days=31),
        issue("New", closed_days=29),
        issue("Open"),
    )
    alive = int(time.time() * 1000) + 80_000
    await stands(scene, tmp_path, "forgotten", old)
    await stands(scene, tmp_path, "configured", old)
    await stands(scene, tmp_path, "open", is_open)
    ref = ref_of(scene, tmp_path / "own", "refs/claude-pool/threads/1")
    await ref.open()
    async with forge_of(scene) as forge:
        pruning = Pruning(
            ref=ref,
            every=ref_of(scene, tmp_path / "every", AUDITS),
            key=OURS,
            forge=forge,
            repository=Repository(id=scene.repository.id, owner="octo", name="shop"),
            thread=1,
            audits={"configured"},
        )
        await replace(pruning, audits=None).run()
        assert len(scene.repository.git.refs(AUDITS)) == 3, "a faulty configuration names none"
        await pruning.run()
        left = scene.repository.git.refs(AUDITS)
        assert left.keys() == {f"{AUDITS}configured", f"{AUDITS}open"}
        scene.repository.git.set_ref(f"{AUDITS}open", None)
        await stands(scene, tmp_path / "b", "recent", new)
        await stands(scene, tmp_path / "b", "runs", old, until_ms=alive)
        await stands(scene, tmp_path / "b", "forged", old, StateKey.of("another key"))
        threads = [issue(title, closed_days=31) for title in ("Over", "Served", "Theirs")]
        for number, until_ms, key in zip(
            threads, (0, alive, alive), (OURS, OURS, StateKey.of("another key")), strict=True
        ):
            await stands_in(scene, tmp_path / "t", number, until_ms, key)
        await pruning.run()
    served = scene.repository.git.refs(THREADS)
    assert served.keys() == {f"{THREADS}{number}" for number in threads[1:]}, "a job lives there"
    left = scene.repository.git.refs(AUDITS)
    assert {name.removeprefix(AUDITS) for name in left} == {
        "configured",
        "recent",
        "runs",
        "forged",
    }
