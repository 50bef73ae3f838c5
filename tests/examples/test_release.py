"""What a release is made from and with: the workflows of this repository, the changelog, the built files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from claude_pool_gh.service.doctor.doctor_github import EVENTS
from claude_pool_gh.service.init import files, manifest
from tests.action.test_static import BIN

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
DEPENDABOT = ROOT / ".github/dependabot.yml"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
EVERY = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)


@pytest.mark.parametrize("file", [*WORKFLOWS, DEPENDABOT], ids=lambda file: file.name)
def test_a_file_has_githubs_shape_and_passes_the_strictest_linter(file: Path) -> None:
    kind = "vendor.dependabot" if file == DEPENDABOT else "vendor.github-workflows"
    shape = [str(BIN / "check-jsonschema"), "--builtin-schema", kind, str(file)]
    subprocess.run(shape, check=True, capture_output=True)
    command = [str(BIN / "zizmor"), "--offline", "--persona", "auditor", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@EVERY
def test_every_action_of_others_is_pinned_and_each_permission_has_its_reason(file: Path) -> None:
    text = file.read_text()
    assert yaml.safe_load(text)["permissions"] == {}
    used = re.findall(r"uses: (.*)", text)
    assert [
        line for line in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
    ] == []
    assert [
        line for line in text.splitlines() if re.match(r" {6}[a-z-]+: (read|write)$", line)
    ] == []


def test_only_the_job_that_publishes_gets_an_identity_and_it_runs_nothing_of_ours() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "build": {"contents": "read"},
        "pypi": {"id-token": "write"},
        "github": {"contents": "write"},
    }
    assert jobs["pypi"]["environment"]["name"] == "pypi"
    assert [set(step) for step in jobs["pypi"]["steps"]] == [{"uses", "with"}, {"uses"}]
    assert "secrets." not in str(jobs)


def test_the_job_that_publishes_the_site_runs_nothing_of_ours_and_only_where_it_is_wanted() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text())["jobs"]
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "build": {"contents": "read"},
        "publish": {"pages": "write", "id-token": "write"},
    }
    assert [set(step) for step in jobs["publish"]["steps"]] == [{"id", "uses"}]
    assert jobs["publish"]["needs"] == "build"
    assert jobs["build"]["if"].startswith("vars.PUBLISH_DOCS == 'true' && ")
    assert [step["run"] for step in jobs["build"]["steps"] if "run" in step] == ["make docs"]


def notes(tag: str, folder: Path) -> tuple[int, str]:
    """What `make release-notes` says of a tag, with the changelog in a folder."""
    makefile = ["make", "--silent", "-f", str(ROOT / "Makefile")]
    command = [*makefile, "release-notes", f"TAG={tag}", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_a_tag_is_released_only_as_the_version_that_the_changelog_gives_a_date(
    tmp_path: Path,
) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    changes = tmp_path / "CHANGELOG.md"
    changes.write_text(
        "# Changes\n\n## 1.2.3 (2026-12-01)\n\n- New.\n\n## 1.2.2 (2026-11-01)\n\n- Old.\n"
    )
    assert notes("v1.2.3", tmp_path) == (0, "- New.\n")
    assert notes("v1.2.2", tmp_path)[0] != 0, "another version than that of the source"
    changes.write_text("# Changes\n\n## 1.2.3 (not released yet)\n\n- New.\n")
    assert notes("v1.2.3", tmp_path)[0] != 0
    changes.write_text("# Changes\n\n## 1.2.2 (2026-11-01)\n\n- Old.\n")
    assert notes("v1.2.3", tmp_path)[0] != 0


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    found = re.search(r"^## (\S+) \((?:\d{4}-\d\d-\d\d|not released yet)\)$", text, re.MULTILINE)
    assert found is not None
    assert found[1] == VERSION


def built(kind: str, source: Path, target: Path) -> Path:
    """What hatchling builds of a source folder, without fetching anything."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, env=environment)
    (made,) = target.iterdir()
    return made


def test_the_wheel_holds_all_that_init_writes_also_when_it_is_built_from_the_archive(
    tmp_path: Path,
) -> None:
    shutil.unpack_archive(built("sdist", ROOT, tmp_path / "archive"), tmp_path, filter="data")
    wheel = built("wheel", tmp_path / f"claude_pool_gh-{VERSION}", tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        content.extractall(tmp_path / "installed")
    listed = subprocess.run(
        ["git", "ls-files", "claude_pool_gh"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert [name for name in listed.stdout.splitlines() if name not in names] == []
    clone = tmp_path / "shop"
    subprocess.run(["git", "init", "-q", str(clone)], check=True)
    subprocess.run(
        ["git", "-C", str(clone), "remote", "add", "origin", "git@github.com:octo/shop.git"],
        check=True,
    )
    done = subprocess.run(
        [sys.executable, "-P", "-m", "claude_pool_gh.service.cli", "init", "--dry-run"],
        cwd=clone,
        check=True,
        capture_output=True,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": str(tmp_path / "installed"),
        },
    )
    assert f"  {files.WORKFLOW}: new\n    name: claude-pool\n" in done.stdout
    assert f"  {files.CONFIGURATION}: new\n" in done.stdout


def test_the_steps_by_hand_ask_for_what_the_manifest_asks_for() -> None:
    """The page names by hand what the manifest derives."""
    page = " ".join((ROOT / "docs/how-to/app.md").read_text().split())
    shown = {"statuses": "commit statuses"}
    for level, words in (("write", "read and write"), ("read", "read")):
        named = re.search(rf"\*([a-z ,]+)\*: {words}[;.]", page)
        assert named is not None
        wanted = {name for name, has in manifest.permissions().items() if has == level}
        assert {*named[1].split(", ")} == {
            shown.get(name, name.replace("_", " ")) for name in wanted
        }
    events = re.search(r"Events: \*([a-z ,]+)\*\.", page)
    assert events is not None
    assert {*events[1].split(", ")} == {name.replace("_", " ") for name in EVENTS}
