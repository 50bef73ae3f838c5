"""What a shard is called, which tests stand beside which source, and what keeps files apart."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from claude_pool_gh.audits.model import Cut, Shard, SourceFile
from claude_pool_gh.audits.shards import (
    MOST_FILES,
    TARGET_TOKENS,
    Grouping,
    cut,
    group_of,
    pattern_of,
)
from claude_pool_gh.audits.shards import tested_name as name_of_tested

ALL = Grouping(
    pattern_of=lambda path: f"pattern of {path}",
    owner_of=lambda path: f"owner of {path}",
    package_of=lambda path: f"package of {path}",
)


def files(*paths: str, tokens: int = 10) -> list[SourceFile]:
    return [SourceFile(path=path, blob=path, size=2 * tokens, tokens=tokens) for path in paths]


def shards(some: Sequence[SourceFile], group: str = "", by: Cut = Cut.size) -> list[Shard]:
    return cut(some, by, lambda _: group)


# ---- names


@pytest.mark.parametrize(
    ("paths", "group", "title"),
    [
        (["a.py"], "", "a.py"),
        (["src/shop/a.py"], "", "src/shop/a.py"),
        (["src/shop/a.py", "src/shop/b.py"], "", "src/shop/ (a.py and 1 more)"),
        (["src/a.py", "src/shop/b.py", "src/z.py"], "", "src/ (a.py and 2 more)"),
        (["a.py", "src/b.py"], "", "a.py and 1 more"),
        (["a.py"], "@team", "@team: a.py"),
        (["libs/a/x.py"], "libs/a", "libs/a/x.py"),
        (["libs/a/x.py", "libs/a/y.py"], "libs/a", "libs/a/ (x.py and 1 more)"),
    ],
)
def test_a_shard_is_called_after_what_its_files_have_in_common(
    paths: list[str], group: str, title: str
) -> None:
    (shard,) = shards(files(*paths), group)
    assert shard.title == title
    assert shard.paths == tuple(paths)
    assert (shard.tokens, shard.size) == (10 * len(paths), 20 * len(paths))


def test_a_shards_id_depends_on_its_paths_and_on_how_they_were_cut_alone() -> None:
    some = files("a.py", "b.py")
    (one,) = shards(some)
    assert len(one.id) == 10
    assert shards(files("a.py", "b.py", tokens=99))[0].id == one.id
    assert shards(list(reversed(some)))[0].id == one.id
    others = [
        shards(files("a.py", "c.py"))[0].id,
        shards(some, "group")[0].id,
        shards(some, by=Cut.folder)[0].id,
    ]
    assert len({one.id, *others}) == 4


def test_files_are_read_in_the_order_of_folders_and_not_of_letters() -> None:
    paths = ["a-b/x.py", "a/x.py", "a/b/y.py", "b.py"]
    (shard,) = shards(files(*paths))
    assert shard.paths == ("a/b/y.py", "a/x.py", "a-b/x.py", "b.py")


# ---- sizes


def test_a_file_of_more_than_half_a_shard_has_one_of_its_own() -> None:
    half = TARGET_TOKENS // 2
    large, small = files("large.py", tokens=half + 1), files("a.py", "b.py", tokens=1)
    assert [each.paths for each in shards(large + small)] == [("a.py", "b.py"), ("large.py",)]
    assert len(shards(files("large.py", tokens=half) + small)) == 1


def test_a_shard_has_no_more_files_than_an_agent_opens() -> None:
    assert len(shards(files(*(f"f{number}.py" for number in range(MOST_FILES)), tokens=1))) == 1
    more = shards(files(*(f"f{number}.py" for number in range(MOST_FILES + 1)), tokens=1))
    assert len(more) > 1
    assert max(each.files for each in more) <= MOST_FILES


def test_nothing_is_cut_into_nothing() -> None:
    assert shards([]) == []


# ---- groups


@pytest.mark.parametrize(
    ("by", "path", "group"),
    [
        (Cut.size, "a/b.py", ""),
        (Cut.folder, "a/b/c.py", "a"),
        (Cut.folder, "top.py", ""),
        (Cut.glob, "a/b.py", "pattern of a/b.py"),
        (Cut.owner, "a/b.py", "owner of a/b.py"),
        (Cut.package, "a/b.py", "package of a/b.py"),
    ],
)
def test_each_way_of_cutting_has_its_own_groups(by: Cut, path: str, group: str) -> None:
    assert group_of(by, ALL)(path) == group


def test_the_first_pattern_that_fits_names_the_group() -> None:
    of = pattern_of(["a", "b", ""], lambda pattern, path: bool(pattern) and pattern in path)
    assert [of(path) for path in ("xb", "ba", "c")] == ["b", "a", ""]


# ---- tests


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("shop/prices.py", None),
        ("shop/test_prices.py", "prices"),
        ("shop/test-prices.js", "prices"),
        ("shop/testprices.py", "prices"),
        ("shop/prices_test.go", "prices"),
        ("shop/prices.test.ts", "prices"),
        ("shop/prices.spec.ts", "prices"),
        ("shop/prices-spec.rb", "prices"),
        ("shop/prices_tests.rs", "prices"),
        ("shop/PricesTest.java", "Prices"),
        ("shop/PricesTests.cs", "Prices"),
        ("shop/PricesSpec.scala", "Prices"),
        ("shop/PricesIT.java", "Prices"),
        ("tests/prices.py", "prices"),
        ("shop/__tests__/prices.js", "prices"),
        ("Spec/prices.rb", "prices"),
        ("specs/deep/prices.rb", "prices"),
        ("contest/prices.py", None),
        ("shop/latest.py", None),
        ("shop/Makefile", None),
        ("tests/Makefile", "Makefile"),
        ("shop/.test", None),
    ],
)
def test_a_test_is_known_by_its_name_or_its_folder(path: str, name: str | None) -> None:
    assert name_of_tested(path) == name


def beside(*paths: str) -> dict[str, set[str]]:
    """Of each source that fills a shard, the tests in it."""
    some = [
        SourceFile(
            path=path, blob="", size=1, tokens=1 if name_of_tested(path) else TARGET_TOKENS // 2 + 1
        )
        for path in paths
    ]
    sources = {path for path in paths if not name_of_tested(path)}
    found = [set(each.paths) for each in shards(some)]
    return {source: next(each for each in found if source in each) - {source} for source in sources}


def test_a_test_goes_with_the_one_source_whose_folders_are_most_like_its_own() -> None:
    assert beside("shop/a.py", "mill/a.py", "tests/shop/test_a.py") == {
        "shop/a.py": {"tests/shop/test_a.py"},
        "mill/a.py": set(),
    }


def test_a_test_that_could_be_of_either_goes_with_neither() -> None:
    assert beside("shop/a.py", "mill/a.py", "tests/test_a.py") == {
        "shop/a.py": set(),
        "mill/a.py": set(),
    }


def test_a_source_has_all_tests_that_are_named_after_it() -> None:
    assert beside("shop/a.py", "shop/test_a.py", "tests/a_test.py", "tests/test_b.py") == {
        "shop/a.py": {"shop/test_a.py", "tests/a_test.py"}
    }
