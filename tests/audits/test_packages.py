"""The packages of a repository: what each kind of manifest names, and that nothing odd in one names anything."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from claude_pool_gh.audits.packages import MANIFESTS, package_of, packages

FOLDERS = ("apps/web", "apps/api", "apps/web/sub", "libs/a", "old/b")
PATHS = ["package.json", *(f"{folder}/package.json" for folder in FOLDERS), "z.ts"]


def found(texts: dict[str, str], paths: Sequence[str] = PATHS) -> set[str]:
    """The packages below the root."""
    root, *below = packages(paths, texts)
    assert root == ""
    assert len(below) == len(set(below))
    return set(below)


def of_npm(*members: str) -> dict[str, str]:
    return {"package.json": json.dumps({"workspaces": list(members)})}


@pytest.mark.parametrize("name", MANIFESTS)
def test_each_kind_of_manifest_makes_its_folder_a_package(name: str) -> None:
    assert found({}, [f"a/b/{name}", f"a/x{name}", f"a/{name}.bak", "c/d.py"]) == {"a/b"}


def test_a_repository_without_manifests_is_one_package() -> None:
    assert packages(["a/b.py", "c.py"], {}) == ("",)
    assert packages([], {}) == ("",)


@pytest.mark.parametrize(
    ("members", "named"),
    [
        (["apps/web"], {"apps/web"}),
        (["./apps/web/"], {"apps/web"}),
        ([" apps/web "], {"apps/web"}),
        (["apps/*"], {"apps/web", "apps/api"}),
        (["apps/**"], {"apps/web", "apps/api", "apps/web/sub"}),
        (["*/a", "old/?"], {"libs/a"}),
        (["**"], set(FOLDERS)),
        (["apps/*", "!apps/api"], {"apps/web"}),
        (["**", "!apps/**"], {"libs/a", "old/b"}),
        (["apps/none"], set()),
        (["apps"], set()),
        (["../apps/web"], set()),
        (["/apps/web"], set()),
        (["apps/../apps/web"], set()),
        ([""], set()),
        (["!apps/web"], set(FOLDERS)),
    ],
)
def test_a_member_is_a_folder_or_a_pattern_of_the_repository_and_nothing_outside_it(
    members: list[str], named: set[str]
) -> None:
    assert found(of_npm(*members)) == named


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("package.json", '{"workspaces": {"packages": ["libs/*"]}}', {"libs/a"}),
        ("package.json", '{"workspaces": ["libs/*", 5, null]}', {"libs/a"}),
        ("pnpm-workspace.yaml", "packages:\n  - libs/*\n  - '!old/*'\n", {"libs/a"}),
        ("Cargo.toml", '[workspace]\nmembers = ["apps/*"]\nexclude = ["apps/api"]', {"apps/web"}),
        (
            "pyproject.toml",
            '[tool.uv.workspace]\nmembers = ["apps/*"]\nexclude = ["apps/web"]',
            {"apps/api"},
        ),
        ("go.work", "go 1.22\n\nuse (\n\t./apps/web\n\t./libs/a\n)\n", {"apps/web", "libs/a"}),
        ("go.work", "go 1.22\nuse ./libs/a\n", {"libs/a"}),
        ("go.work", "go 1.22\n// ./libs/a\nreplace x => ./old/b\nuse ./apps/web\n", {"apps/web"}),
        (
            "pom.xml",
            "<module> apps/web </module><subproject>old/b</subproject>",
            {"apps/web", "old/b"},
        ),
    ],
)
def test_the_members_of_a_workspace_are_read_from_each_kind_of_manifest(
    name: str, text: str, named: set[str]
) -> None:
    assert found({name: text}) == named


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("package.json", ""),
        ("package.json", "[]"),
        ("package.json", '"text"'),
        ("package.json", '{"workspaces": "libs/*"}'),
        ("package.json", '{"workspaces": {"packages": "libs/*"}}'),
        ("package.json", "[" * 100_000),
        ("pnpm-workspace.yaml", "packages: libs/*"),
        ("pnpm-workspace.yaml", ": ["),
        ("pnpm-workspace.yaml", "!!python/object/apply:os.system ['true']"),
        ("Cargo.toml", "[workspace\nmembers"),
        ("Cargo.toml", 'workspace = "x"'),
        ("pyproject.toml", "[tool]\nuv = 5"),
        ("go.work", "go 1.22"),
        ("pom.xml", "<modules></modules>"),
        ("setup.py", "packages = ['libs/*']"),
    ],
)
def test_where_a_manifest_names_no_members_every_folder_with_one_is_a_package(
    name: str, text: str
) -> None:
    assert found({name: text}) == set(FOLDERS)


def test_the_members_of_two_manifests_are_those_of_both() -> None:
    both = of_npm("apps/*") | {"Cargo.toml": '[workspace]\nmembers = ["libs/a"]'}
    assert found(both) == {"apps/web", "apps/api", "libs/a"}


def test_of_a_manifest_without_end_only_its_beginning_is_read() -> None:
    text = "<module>apps/web</module>" + " " * 256 * 1024 + "<module>libs/a</module>"
    assert found({"pom.xml": text}) == {"apps/web"}
    many = "".join(f"<module>x{number}</module>" for number in range(1_000))
    assert found({"pom.xml": many + "<module>libs/a</module>"}) == set()


def test_a_file_belongs_to_the_deepest_package_around_it() -> None:
    of = package_of(["", "apps/web", "apps/web/sub", "apps/we"])
    assert {path: of(path) for path in ("apps/web/sub/x/y.ts", "apps/web/x.ts", "apps/web.ts")} == {
        "apps/web/sub/x/y.ts": "apps/web/sub",
        "apps/web/x.ts": "apps/web",
        "apps/web.ts": "",
    }
    assert of("apps/webs/x.ts") == ""
    assert of("top.ts") == ""
