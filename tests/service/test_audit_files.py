"""Reports are written where the user says, and never through a link that a repository ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_pool_gh.service.audit import files
from claude_pool_gh.service.audit.refused import AuditRefused
from tests.service.auditing import git


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """An empty repository."""
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, "init", "--quiet")
    return folder


def test_a_link_with_the_name_of_a_report_is_replaced_and_its_target_kept(checkout: Path) -> None:
    mine = checkout.parent / ".bashrc"
    mine.write_text("mine\n")
    out = checkout / "out"
    out.mkdir()
    (out / "report.md").symlink_to(mine)
    files.writable(out)
    files.put(out / "report.md", "# Report\n")
    assert (mine.read_text(), (out / "report.md").read_text()) == ("mine\n", "# Report\n")
    assert [each.name for each in out.iterdir()] == ["report.md"]
    files.put(out / "report.md", "again\n")
    assert (out / "report.md").read_text() == "again\n"


@pytest.mark.parametrize("inside", ["", "octo/shop"])
def test_a_folder_behind_a_link_in_a_checkout_is_refused(checkout: Path, inside: str) -> None:
    mine = checkout.parent / "mine"
    mine.mkdir()
    (checkout / "out").symlink_to(mine)
    with pytest.raises(AuditRefused, match="remove it, or name another --out"):
        files.writable(checkout / "out" / inside)
    with pytest.raises(AuditRefused, match="remove it, or name another --out"):
        files.put(checkout / "out" / inside / "report.md", "# Report\n")
    assert list(mine.iterdir()) == []


def test_so_is_one_below_the_folder_here_that_is_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, mine = tmp_path / "here", tmp_path / "mine"
    here.mkdir()
    mine.mkdir()
    (here / "out").symlink_to(mine)
    monkeypatch.chdir(here)
    with pytest.raises(AuditRefused, match="through the link"):
        files.writable(Path("out"))


def test_a_user_s_own_link_elsewhere_is_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (tmp_path / "link").symlink_to(mine)
    files.put(tmp_path / "link" / "out" / "report.md", "# Report\n")
    assert (mine / "out" / "report.md").is_file()
