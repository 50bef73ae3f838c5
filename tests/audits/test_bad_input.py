"""Plans of repositories that are larger than anybody thought of, and findings whose file is gone."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import subprocess
import threading
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.audits.estimate import rates
from claude_pool_gh.audits.files import Wanted, list_files, sift
from claude_pool_gh.audits.model import Cut, SkipReason
from claude_pool_gh.audits.plan import MOST_SHARDS, PlanFacts, in_order, make_plan
from claude_pool_gh.audits.risk import Signals
from claude_pool_gh.audits.shards import Grouping, group_of
from claude_pool_gh.conversation.audit import known
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.tables import KnownFinding, Standing
from tests.findings.make import finding
from tests.service.auditing import commit

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
FACTS = PlanFacts(
    audit="defects",
    repository="octo/shop",
    commit="a" * 40,
    branch="main",
    by=Cut.size,
    group_of=group_of(Cut.size, Grouping()),
    signals=Signals(changed=frozenset(), commits={}, found={}, is_owned=None),
    rates=rates([]),
    budget=10**12,
    slots=4,
)


TABLE = "".join(f"A{number} = {number}\n" for number in range(9))


def git(folder: Path, *arguments: str, stdin: bytes | None = None) -> str:
    """Run git, and say what it printed."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env=ENVIRONMENT,
        input=stdin,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().strip()


def imported(folder: Path, names: Iterable[str]) -> str:
    """A bare repository with one small file under all these names; its commit."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare")
    lines = [b"blob\nmark :1\ndata 6\nx = 1\n\ncommit refs/heads/main\n"]
    lines += [b"committer x <x@x> 0 +0000\ndata 1\nx\n"]
    lines += [f"M 100644 :1 {name}\n".encode() for name in names]
    git(folder, "fast-import", "--quiet", stdin=b"".join(lines))
    return git(folder, "rev-parse", "refs/heads/main")


@pytest.mark.rotating(4)
async def test_two_hundred_thousand_files_have_a_plan_that_counts_each_of_them(
    tmp_path: Path,
) -> None:
    number = 200_000
    names = (f"pkg{at % 50}/mod{at % 1_000}/file_{at}.py" for at in range(number))
    commit = await asyncio.to_thread(imported, tmp_path / "many.git", names)
    listing = await list_files(tmp_path / "many.git", commit, Wanted())
    assert (listing.total, len(listing.files)) == (number, number)
    plan = make_plan(in_order(listing.files, FACTS), listing.skipped, FACTS)
    assert len(plan.shards) == MOST_SHARDS
    told = sum(shard.files for shard in (*plan.shards, *plan.beyond))
    assert told == number, "what is beyond the most parts of a run is counted"
    assert sum(len(shard.paths) for shard in plan.beyond) <= 5_000, "and not listed"


@pytest.mark.rotating(4)
async def test_a_file_of_two_gigabytes_is_left_out_and_never_held(tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.mkdir()
    git(source, "init", "--quiet", "-b", "main")
    with (source / "large.txt").open("wb") as file:
        file.truncate(2 * 2**30)  # sparse: it takes no room here
    (source / "small.py").write_text("x = 1\n")
    fast = ("-c", "core.compression=1", "-c", "core.bigFileThreshold=1m")
    await asyncio.to_thread(git, source, *fast, "add", "--all")
    git(source, "commit", "--quiet", "-m", "Large")
    tracemalloc.start()
    try:
        listing = await list_files(source / ".git", git(source, "rev-parse", "HEAD"), Wanted())
        kept, _ = await sift(source / ".git", listing.files)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [each.path for each in kept] == ["small.py"]
    (left,) = listing.skipped
    assert (left.path, left.reason, left.detail) == (
        "large.txt",
        SkipReason.too_large,
        "2,147,483,648 bytes",
    )
    assert peak < 20 * 2**20


async def test_a_known_finding_whose_file_is_gone_is_asked_about_and_not_called_fixed(
    tmp_path: Path,
) -> None:
    git(tmp_path, "init", "--quiet", "-b", "main")
    (tmp_path / "gone.py").write_text("def total(a):\n    return a + 1\n")
    (tmp_path / "moved.py").write_text("def other(b):\n    return b - 1\n\n\n# " + "word " * 40)
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "-m", "One")
    before = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "rm", "--quiet", "gone.py")
    git(tmp_path, "mv", "moved.py", "here.py")
    git(tmp_path, "commit", "--quiet", "-m", "Two")
    head = git(tmp_path, "rev-parse", "HEAD")
    of = [known_finding("gone.py", "    return a + 1", before)]
    of += [known_finding("moved.py", "    return b - 1", before)]
    found = await known.earlier(tmp_path / ".git", head, of)
    (gone,) = found.changed
    assert (gone.finding.path, gone.exists) == ("gone.py", False)
    assert "-    return a + 1" in gone.change
    assert [each.path for each in found.standing.values()] == ["here.py"]


@pytest.mark.parametrize(
    ("changed", "asks"),
    [
        ({"sum.py": "def total(a):\n    assert a\n    return a + 1\n"}, True),
        ({"rates.py": "RATE = 3\n"}, True),
        ({"tax.py": f"{TABLE}RATE = 3\n", "rates.py": ""}, True),
        ({"other.py": "RATE = 3\n"}, False),
    ],
    ids=["above it", "in a file that it names", "in one that had that name", "elsewhere"],
)
async def test_a_known_fault_is_judged_again_where_what_decides_it_has_changed(
    tmp_path: Path, changed: dict[str, str], asks: bool
) -> None:
    git(tmp_path, "init", "--quiet", "-b", "main")
    rates_ = f"{TABLE}RATE = 2\n"
    first = {"sum.py": "def total(a):\n    return a + 1\n", "rates.py": rates_, "other.py": "\n"}
    heads = []
    for files in (first, changed):
        for path, text in files.items():
            (tmp_path / path).write_text(text)
            if not text:
                (tmp_path / path).unlink()
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", "-m", "One")
        heads.append(git(tmp_path, "rev-parse", "HEAD"))
    made = known_finding("sum.py", "    return a + 1", heads[0])
    said = {"body": "The rate in rates.py is too low.", "within": "def total(a):"}
    known_ = dataclasses.replace(made, finding=made.finding.model_copy(update=said))
    found = await known.earlier(tmp_path / ".git", heads[1], [known_])
    assert (len(found.changed), len(found.standing)) == (asks, not asks)
    if asks:
        assert next(iter(changed)) in found.changed[0].change


async def test_those_whose_code_is_gone_are_judged_before_those_that_were_only_touched(
    tmp_path: Path,
) -> None:
    """Whichever is older: one run judges only so many again."""
    touched, gone = "def total(a):\n    return a + 1\n", "def price(a):\n    return a - 1\n"
    before = commit(tmp_path, {"sum.py": touched, "price.py": gone})
    changed = {"sum.py": touched.replace(":", ":\n    a = int(a)"), "price.py": ""}
    head = commit(tmp_path, changed)
    known_ = [
        known_finding("sum.py", "    return a + 1", before),
        known_finding("price.py", "    return a - 1", before),
    ]
    found = await known.earlier(tmp_path / ".git", head, known_)
    assert [each.mark for each in found.changed] == ["price.py", "sum.py"]


async def test_the_change_is_held_against_known_faults_beside_all_else_that_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = threading.get_ident()
    worked: dict[str, set[int]] = {"bearing": set(), "words_of": set()}

    def noted(name: str) -> Callable[..., Any]:
        real = getattr(known, name)

        def call(*given: Any) -> Any:
            worked[name].add(threading.get_ident())
            return real(*given)

        return call

    for name in worked:
        monkeypatch.setattr(known, name, noted(name))
    before = commit(tmp_path, {"sum.py": "def total(a):\n    return a + 1\n", "b.py": "\n"})
    head = commit(tmp_path, {"sum.py": "def total(a, b=0):\n    return a + 1\n", "b.py": "1\n"})
    await known.earlier(
        tmp_path / ".git", head, [known_finding("sum.py", "    return a + 1", before)]
    )
    assert all(worked.values())
    assert served not in set().union(*worked.values())


def known_finding(path: str, evidence: str, commit: str) -> KnownFinding:
    """An open finding of an earlier run."""
    made: Finding = finding(path=path, evidence=evidence, start_line=2, end_line=2)
    return KnownFinding(mark=path, finding=made, state=Standing.open, head=commit)
