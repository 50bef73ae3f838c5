"""How files are cut into what single agents read."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.audits.model import Cut, Shard, SourceFile
from claude_pool_gh.audits.packages import package_of, packages
from claude_pool_gh.audits.shards import MOST_FILES, TARGET_TOKENS, Grouping, cut, group_of
from claude_pool_gh.audits.tokens import tokens_of

SIZE = group_of(Cut.size, Grouping())


def tree(number: int = 600, seed: int = 1) -> list[SourceFile]:
    """Files of a made-up repository."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    return [
        SourceFile(
            path=f"pkg{chance.randrange(4)}/mod{chance.randrange(6)}/file_{at}.py",
            blob=str(at),
            size=1,
            tokens=chance.randrange(200, 6_000),
        )
        for at in range(number)
    ]


def shards(files: Iterable[SourceFile]) -> list[Shard]:
    """Cut by size alone."""
    return cut(files, Cut.size, SIZE)


def new_ones(before: Sequence[Shard], after: Sequence[Shard]) -> list[Shard]:
    """The shards that were not there before."""
    known = {each.id for each in before}
    return [each for each in after if each.id not in known]


def test_every_file_is_in_exactly_one_shard_and_none_is_too_large() -> None:
    files = tree()
    found = shards(files)
    assert sorted(path for each in found for path in each.paths) == sorted(f.path for f in files)
    for each in found:
        assert len(each.paths) <= MOST_FILES
        assert each.tokens <= TARGET_TOKENS or len(each.paths) == 1
    usual = sorted(each.tokens for each in found)
    assert usual[len(usual) // 10] >= TARGET_TOKENS // 5, "parts are balanced"
    assert sum(usual) / len(usual) >= 0.55 * TARGET_TOKENS, "and as few as that allows"


def test_parts_of_a_real_tree_are_more_than_half_full_and_few_are_small() -> None:
    root = Path(json.__file__).parents[1]
    files = [
        SourceFile(path=name, blob="", size=size, tokens=tokens_of(name, size))
        for folder in ("", "asyncio", "email", "importlib", "json", "unittest", "xml", "lib2to3")
        for each in (root / folder).glob("*.py")
        if (size := each.stat().st_size)
        for name in [each.relative_to(root).as_posix()]
    ]
    sizes = sorted(each.tokens for each in shards(files) if len(each.paths) > 1)
    assert len(sizes) > 20
    assert sum(sizes) / len(sizes) >= TARGET_TOKENS / 2
    assert sum(size < TARGET_TOKENS / 4 for size in sizes) <= len(sizes) / 8


def test_the_same_files_give_the_same_shards_in_whatever_order() -> None:
    files = tree()
    mixed = random.Random(2).sample(files, len(files))  # noqa: S311 - no secret
    assert shards(files) == shards(mixed)


SIZES = st.integers(1, 2 * TARGET_TOKENS)


@st.composite
def trees(draw: st.DrawFn) -> list[SourceFile]:
    """Repositories of any form, some with more files in a folder than a shard may have."""
    largest = draw(st.sampled_from([300, 5_000, 2 * TARGET_TOKENS]))
    number = draw(st.sampled_from([1, 5, 50, 150]))
    chance = random.Random(draw(st.integers(0, 10**6)))  # noqa: S311 - no secret
    return [
        SourceFile(
            path="/".join([*chance.choices(["a", "b", "lib"], k=chance.randrange(4)), f"f{at}.py"]),
            blob=str(at),
            size=1,
            tokens=chance.randint(1, largest),
        )
        for at in range(number)
    ]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(trees(), st.data())
def test_of_any_tree_a_file_that_goes_changes_one_shard_and_one_that_comes_or_grows_two(
    files: list[SourceFile], data: st.DataObject
) -> None:
    """Whatever the tree. What is beside the two new ones is smaller than the file that came, all together."""
    file = data.draw(st.sampled_from(files))
    others = [each for each in files if each is not file]
    grown = replace(file, blob="new", tokens=data.draw(SIZES))
    before, without, after = shards(files), shards(others), shards([*others, grown])
    for each in before:
        assert len(each.paths) == 1 or each.tokens <= TARGET_TOKENS
        assert len(each.paths) <= MOST_FILES
    assert len(new_ones(before, without)) <= 1, "gone"
    for came, than, tokens in (
        (before, without, file.tokens),
        (after, without, grown.tokens),
        (after, before, grown.tokens),
    ):
        sizes = sorted(each.tokens for each in new_ones(than, came))
        assert sum(sizes[:-2]) < tokens
    same = shards([*others, replace(file, blob="new")])
    assert new_ones(before, same) == [], "a shard is named after its files, whatever is in them"


def test_one_changed_file_of_a_usual_tree_changes_no_more_than_its_own_shard_or_two() -> None:
    files, chance = tree(), random.Random(3)  # noqa: S311 - no secret
    before = shards(files)
    counts: dict[str, list[int]] = {"edit": [], "add": [], "remove": [], "rename": []}
    for number in range(40):
        at = chance.randrange(len(files))
        folder = files[at].path.rpartition("/")[0]
        small = replace(files[at], tokens=files[at].tokens + 3)
        named = replace(files[at], path=f"{folder}/new_{number}.py")
        others = [*files[:at], *files[at + 1 :]]
        for kind, changed in (
            ("edit", [*others, small]),
            ("add", [*files, named]),
            ("remove", others),
            ("rename", [*others, named]),
        ):
            counts[kind].append(len(new_ones(before, shards(changed))))
    assert sum(counts["edit"]) <= 2, "an edit moves a cut only where its shard was full"
    assert {kind: max(each) for kind, each in counts.items()} == {
        "edit": 0,
        "add": 2,
        "remove": 1,
        "rename": 3,
    }
    assert sum(counts["add"]) < 1.4 * 40


def test_tests_stand_beside_what_they_test() -> None:
    far = [SourceFile(path=f"src/m{at}.py", blob="", size=1, tokens=15_000) for at in range(6)] + [
        SourceFile(path=f"tests/test_m{at}.py", blob="", size=1, tokens=4_000) for at in range(6)
    ]
    for each in shards(far):
        assert each.paths == (each.paths[0], each.paths[0].replace("src/", "tests/test_"))


def test_groups_are_kept_apart() -> None:
    files = [
        SourceFile(path=path, blob="", size=1, tokens=10)
        for path in ("a/x.py", "a/y.py", "b/z.py", "top.py")
    ]
    folders = cut(files, Cut.folder, group_of(Cut.folder, Grouping()))
    assert [each.paths for each in folders] == [("top.py",), ("a/x.py", "a/y.py"), ("b/z.py",)]
    owner = Grouping(owner_of=lambda path: "mona" if path.startswith("b") else "")
    owned = cut(files, Cut.owner, group_of(Cut.owner, owner))
    assert [each.title for each in owned][-1] == "mona: b/z.py"


MANIFESTS = ["package.json", "apps/web/package.json", "libs/a/package.json", "old/b/package.json"]


def test_a_workspace_names_its_packages_and_else_every_manifest_does() -> None:
    paths = [*MANIFESTS, "apps/web/src/x.ts", "libs/a/y.ts", "z.ts"]
    assert packages(paths, {"package.json": "{}"}) == ("", "apps/web", "libs/a", "old/b")
    named = {"package.json": '{"workspaces": {"packages": ["apps/*", "libs/**"]}}'}
    folders = packages(paths, named)
    assert folders == ("", "apps/web", "libs/a")
    own = package_of(folders)
    assert [own(path) for path in paths[-3:]] == ["apps/web", "libs/a", ""]


def test_every_kind_of_workspace_is_read_as_data() -> None:
    for name, text in (
        ("pnpm-workspace.yaml", "packages: ['apps/*', '!apps/web2']"),
        ("Cargo.toml", '[workspace]\nmembers = ["apps/*"]\n'),
        ("pyproject.toml", '[tool.uv.workspace]\nmembers = ["apps/web"]\n'),
        ("go.work", "go 1.22\nuse (\n\t./apps/web\n)\n"),
        ("pom.xml", "<modules><module>apps/web</module></modules>"),
    ):
        assert packages(MANIFESTS, {name: text}) == ("", "apps/web"), name


def test_a_manifest_that_is_broken_or_points_outside_names_nothing() -> None:
    everything = ("", "apps/web", "libs/a", "old/b")
    assert packages(MANIFESTS, {"package.json": "{", "pnpm-workspace.yaml": "a: ["}) == everything
    assert packages(MANIFESTS, {"package.json": '{"workspaces": ["../x", "/etc"]}'}) == ("",)
