"""What GitHub serves can be read: faults of objects in old history, and residue of fetches that failed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
import zlib
from dataclasses import replace

import pytest

from claude_pool_gh.pool.model.errors import NoWorkspace
from claude_pool_gh.rehearsal.github import Fault, Respond, SimulatedGitHub, Stall
from claude_pool_gh.worktrees.errors import OriginUnavailable, TookTooLong, WorktreeError
from claude_pool_gh.worktrees.git import Credentials, git
from claude_pool_gh.worktrees.mirror import Mirror
from claude_pool_gh.worktrees.trees import ambiguous
from tests.worktrees.site import Site

WHO = "A U Thor <a@example.org> 1316430318 +0000"
AUTHORS = {
    "missingSpaceBeforeEmail": "A<a@example.org> 1316430318 +0000",
    "missingNameBeforeEmail": "<a@example.org> 1316430318 +0000",
    "badName": "A> <a@example.org> 1316430318 +0000",
    "badEmail": "A <a@exa<mple.org> 1316430318 +0000",
    "missingEmail": "A 1316430318 +0000",
    "missingSpaceBeforeDate": "A <a@example.org>1316430318 +0000",
    "badDate": "A <a@example.org> 1316430318+0000",
    "badDateOverflow": "A <a@example.org> 99999999999999999999 +0000",
    "zeroPaddedDate": "A <a@example.org> 01316430318 +0000",
    "badTimezone": "A <a@example.org> 1316430318 +051800",
    "multipleAuthors": f"{WHO}\nauthor {WHO}",
}


class Origin:
    """Writes objects into the repository's own store as they are, well formed or not."""

    def __init__(self, site: Site) -> None:
        self.git = site.widgets.git

    def write(self, kind: str, data: bytes) -> str:
        raw = f"{kind} {len(data)}\0".encode() + data
        name = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        file = self.git.path / "objects" / name[:2] / name[2:]
        file.parent.mkdir(exist_ok=True)
        if not file.exists():
            file.write_bytes(zlib.compress(raw))
        return name

    def tree(self, *entries: tuple[str, bytes, str]) -> str:
        return self.write(
            "tree",
            b"".join(
                f"{mode} ".encode() + name + b"\0" + bytes.fromhex(id_)
                for mode, name, id_ in entries
            ),
        )

    def commit(
        self, tree: str, *, parent: str = "", author: str = WHO, message: str = "Old"
    ) -> str:
        above = f"parent {parent}\n" if parent else ""
        text = f"tree {tree}\n{above}author {author}\ncommitter {WHO}\n\n{message}\n"
        return self.write("commit", text.encode())

    def sound(self) -> str:
        return self.git.text("rev-parse", "main^{tree}")

    def above(self, bad: str) -> str:
        """A sound commit on top of a faulty one, on `main`."""
        child = self.commit(self.sound(), parent=bad, message="New")
        self.git.set_ref("refs/heads/main", child)
        return child


def faulty_tree(origin: Origin, fault: str) -> str:
    blob = origin.write("blob", b"x\n")
    inner = origin.tree(("100644", b"a", blob))
    entries = {
        "zeroPaddedFilemode": [("040000", b"d", inner)],
        "badFilemode": [("100664", b"a", blob)],
        "fullPathname": [("100644", b"a/b", blob)],
        "nullSha1": [("160000", b"a", "0" * 40)],
        "duplicateEntries": [("100644", b"a", blob), ("100644", b"a", blob)],
        "treeNotSorted": [("100644", b"b", blob), ("100644", b"a", blob)],
        "hasDot": [("40000", b".", inner)],
        "hasDotdot": [("40000", b"..", inner)],
        "hasDotgit": [("40000", b".git", inner)],
        "hasDotgit alias": [("40000", b"GIT~1", inner)],
        "gitmodulesSymlink": [("120000", b".gitmodules", blob)],
        "gitmodulesUrl": [
            ("100644", b".gitmodules", origin.write("blob", b'[submodule "x"]\n\turl = -u./evil\n'))
        ],
        "gitmodulesName": [
            (
                "100644",
                b".gitmodules",
                origin.write("blob", b'[submodule "../x"]\n\turl = https://h\n'),
            )
        ],
    }
    return origin.tree(*entries[fault])


@pytest.mark.parametrize("fault", AUTHORS)
async def test_old_commits_do_not_make_a_repository_unreadable(site: Site, fault: str) -> None:
    origin = Origin(site)
    child = origin.above(origin.commit(origin.sound(), author=AUTHORS[fault]))
    async with site.lease(commit=child) as lease:
        assert (lease.folder / "README.md").exists()


TREES = [
    "zeroPaddedFilemode",
    "badFilemode",
    "fullPathname",
    "nullSha1",
    "duplicateEntries",
    "treeNotSorted",
]


@pytest.mark.parametrize("fault", TREES)
async def test_old_trees_do_not_either(site: Site, fault: str) -> None:
    origin = Origin(site)
    child = origin.above(origin.commit(faulty_tree(origin, fault)))
    async with site.lease(commit=child) as lease:
        assert (lease.folder / "README.md").exists()


@pytest.mark.parametrize("fault", ["duplicateEntries", "treeNotSorted"])
async def test_a_tree_that_can_be_read_in_two_ways_is_not_checked_out(
    site: Site, fault: str
) -> None:
    origin = Origin(site)
    bad = origin.commit(faulty_tree(origin, fault))
    origin.git.set_ref("refs/heads/main", bad)
    for _ in range(2):  # what was fetched and refused is refused the next time too
        with pytest.raises(WorktreeError, match="names 'a' twice or out of order"):
            async with site.lease(commit=bad):
                pytest.fail("it was checked out")


HARMFUL = [
    "hasDot",
    "hasDotdot",
    "hasDotgit",
    "hasDotgit alias",
    "gitmodulesSymlink",
    "gitmodulesUrl",
    "gitmodulesName",
]


@pytest.mark.parametrize("fault", HARMFUL)
async def test_what_attacks_are_made_of_is_refused_by_name_wherever_it_lies(
    site: Site, fault: str
) -> None:
    origin = Origin(site)
    child = origin.above(origin.commit(faulty_tree(origin, fault)))
    with pytest.raises(
        WorktreeError,
        match=rf"refuses an object of the repository's history .*: {fault.split(maxsplit=1)[0]}",
    ):
        async with site.lease(commit=child):
            pytest.fail("it was fetched")


def test_the_order_of_a_tree_is_gits() -> None:
    sound = b"100644 blob 1\ta-b\x00040000 tree 2\ta\x00100644 blob 3\ta/x\x00100644 blob 4\ta0\x00"
    assert ambiguous(sound) is None
    assert ambiguous(b"100644 blob 1\ta\x00040000 tree 2\ta\x00") == b"a", (
        "a file and a folder of one name"
    )
    assert ambiguous(b"040000 tree 1\td\x00100644 blob 2\td/b\x00100644 blob 3\td/a\x00") == b"d/a"


# ---- residue


def partial(mirror: Mirror) -> list[str]:
    return sorted(path.name for path in (mirror.path / "objects" / "pack").glob("tmp_*"))


async def test_a_fetch_that_is_ended_leaves_nothing_and_says_how_far_it_came(
    site: Site, github: SimulatedGitHub
) -> None:
    site.widgets.commit("main", {f"big{n}.bin": os.urandom(40_000) for n in range(120)})
    sound = site.worktrees.mirror(site.widgets.id)
    slow = Mirror(sound.path, fetch_seconds=1.5)
    login, head = Credentials(site.token, site.widgets.clone_url), site.widgets.head()

    async def grow() -> None:  # what index-pack writes while it waits for more
        while not (sound.path / "objects" / "pack").exists():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        (sound.path / "objects" / "pack" / "tmp_pack_abc").write_bytes(b"x" * 3_000_000)

    github.faults.add(Fault(Stall(4), method="POST", route="/{owner}/{repo}.git/git-upload-pack"))
    growing = asyncio.create_task(grow())
    with pytest.raises(TookTooLong, match=r"took more than 2 seconds \(3 MB had arrived\)"):
        await slow.fetch(login, [head], ["refs/heads/main"])
    await growing
    assert partial(slow) == []
    github.faults.add(Fault(Stall(4), method="POST", route="/{owner}/{repo}.git/git-upload-pack"))
    with pytest.raises(OriginUnavailable, match="sent nothing"):
        await Mirror(sound.path, fetch_seconds=0.5).fetch(login, [head], ["refs/heads/main"])
    await sound.fetch(login, [head], ["refs/heads/main"])


async def test_what_a_killed_process_left_goes_at_the_next_start(site: Site) -> None:
    async with site.lease():
        pass
    mirror = site.worktrees.mirror(site.widgets.id)
    objects = mirror.path / "objects"
    for name in ("pack/tmp_pack_a", "pack/tmp_idx_b", "aa/tmp_obj_old", "aa/tmp_obj_new"):
        (objects / name).parent.mkdir(exist_ok=True)
        (objects / name).write_bytes(b"x")
    os.utime(objects / "aa" / "tmp_obj_old", (time.time() - 7200,) * 2)
    site.worktrees.sweep()
    assert partial(mirror) == []
    assert [path.name for path in objects.glob("??/tmp_obj_*")] == ["tmp_obj_new"], (
        "somebody may be writing it"
    )


async def test_an_object_that_a_killed_fetch_left_is_no_commit_that_came(site: Site) -> None:
    """unpack-objects writes one by one: the commit may be there, and its files not."""
    login, head = Credentials(site.token, site.widgets.clone_url), site.widgets.head()
    mirror = site.worktrees.mirror(site.widgets.id)
    await mirror.fetch(login, [head], ["refs/heads/main"])
    new = site.widgets.commit("main", {"late.py": "z = 3\n"})
    name = f"{new[:2]}/{new[2:]}"
    (mirror.path / "objects" / new[:2]).mkdir(exist_ok=True)
    (mirror.path / "objects" / name).write_bytes(
        zlib.compress(
            f"commit {len(raw := site.widgets.git.run('cat-file', 'commit', new))}\0".encode() + raw
        )
    )
    async with site.lease(commit=new) as lease:
        assert (lease.folder / "late.py").exists()


async def test_an_outage_is_asked_once_and_named_so(site: Site) -> None:
    login = Credentials(site.token, "http://127.0.0.1:9/octo/widgets.git")
    with pytest.raises(OriginUnavailable, match="GitHub could not be reached"):
        await site.worktrees.mirror(site.widgets.id).fetch(
            login, [site.widgets.head()], ["refs/heads/main"]
        )


async def test_a_short_outage_ends_no_run(site: Site, github: SimulatedGitHub) -> None:
    patient = replace(site.worktrees, tries=3, pause=0.01)
    github.faults.add(Fault(Respond(503), times=2))
    async with patient.lease(site.wanted("c1.find.0.1")) as lease:
        assert (lease.folder / "README.md").exists()
    site.widgets.commit("main", {"late.py": "z = 3\n"})
    github.faults.add(Fault(Respond(503), times=9))
    with pytest.raises(NoWorkspace, match=r"could not be reached for a fetch \(3 tries\)$"):
        async with patient.lease(site.wanted("c1.find.0.2")):
            pytest.fail("GitHub was not there")
    github.faults.clear()
    github.faults.add(Fault(Respond(403, "Repository access blocked")))
    with pytest.raises(NoWorkspace, match="GitHub refused the fetch: Repository access blocked"):
        async with patient.lease(site.wanted("c1.find.0.3", site.spec(refs=[]))):
            pytest.fail("it was let in")


async def test_many_fetches_leave_few_packs_and_lose_nothing(site: Site) -> None:
    # more than git unpacks
    site.widgets.commit("main", {f"f{n}.txt": f"{n}\n" for n in range(120)})
    login, mirror = (
        Credentials(site.token, site.widgets.clone_url),
        site.worktrees.mirror(site.widgets.id),
    )
    await mirror.fetch(login, [site.widgets.head()], ["refs/heads/main"])
    store = mirror.path / "objects" / "pack"
    id_ = ""
    for number in range(45):  # as as many fetches of as many objects would leave
        text = f"{number}\n".encode()
        id_ = (await git("hash-object", "-w", "--stdin", git_dir=mirror.path, stdin=text)).decode()
        await git(
            "pack-objects", "--quiet", store / "pack", git_dir=mirror.path, stdin=id_.encode()
        )
    assert len(list(store.glob("*.pack"))) > 40
    head = site.widgets.commit("main", {"late.py": "z = 3\n"})
    await mirror.fetch(login, [head], ["refs/heads/main"])
    assert len(list(store.glob("*.pack"))) < 5
    assert await git("cat-file", "-t", id_.strip(), git_dir=mirror.path) == b"blob\n", (
        "what no ref names stays too"
    )
    await git("fsck", "--connectivity-only", git_dir=mirror.path)
