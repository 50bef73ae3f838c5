"""Files of Git LFS: plain bytes in the place of a pointer are found, pointers and all other files pass."""

from __future__ import annotations

from claude_pool_gh.worktrees.snapshot import Signature
from tests.worktrees.site import Site

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d" * 32 + "\nsize 12345\n"
ATTRIBUTES = "*.bin filter=lfs diff=lfs merge=lfs -text\nart/** filter=lfs\n*.txt -filter\n"


async def found(site: Site, files: dict[str, bytes | str]) -> tuple[str, ...]:
    """What an agent's change of these files has of LFS's."""
    async with site.lease() as lease:
        for name, content in files.items():
            place = lease.folder / name
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
        work = await lease.capture()
    assert work is not None
    head, id_ = site.widgets.head(), site.widgets.id
    own = Signature(message="x", name="a", email="b", when_s=1)
    commit = await site.worktrees.commit(id_, work, head, own)
    return await site.worktrees.plain_bytes_in_lfs(id_, head, commit)


async def test_plain_bytes_where_a_pointer_belongs_are_found_by_name(site: Site) -> None:
    start = {
        ".gitattributes": ATTRIBUTES,
        "m.bin": POINTER,
        "art/a.txt": POINTER,
        "sub/.gitattributes": "*.dat filter=lfs\n",
    }
    site.widgets.commit("main", start)
    assert await found(site, {"m.bin": b"\0plain", "README.md": "x\n"}) == ("m.bin",)
    assert await found(
        site, {"new.bin": b"x" * 5000, "sub/x.dat": "x", "empty.bin": "", "a b\té.bin": "x"}
    ) == (
        "a b\té.bin",
        "new.bin",
        "sub/x.dat",
    )
    assert await found(site, {"m.bin": POINTER.replace("4d", "5e"), "sub/x.dat": POINTER}) == ()
    assert await found(site, {"art/a.txt": "not of LFS\n", "x.md": "x\n"}) == ()
    # The rule goes, or comes, with the change itself.
    assert await found(site, {".gitattributes": "", "m.bin": "plain"}) == ("m.bin",)
    assert await found(site, {".gitattributes": "*.png filter=lfs\n", "p.png": "plain"}) == (
        "p.png",
    )


async def test_a_repository_without_lfs_has_none(site: Site) -> None:
    assert await found(site, {"data.bin": b"\1\2", "x.flt": "x"}) == ()
