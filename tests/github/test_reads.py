"""What is asked of GitHub before something is decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from claude_pool_gh.github import reads
from claude_pool_gh.github.api import Forge
from claude_pool_gh.terms.ids import Repository


@dataclass
class Comparison:
    """GitHub's answer to a comparison of two commits."""

    status: str

    async def read(self, _repository: Repository, path: str, **options: Any) -> dict[str, Any]:
        assert (path, options) == ("/compare/aaa...bbb", {"per_page": 1})
        return {"status": self.status}


@pytest.mark.parametrize(
    ("status", "goes_on"),
    [("ahead", True), ("identical", True), ("behind", False), ("diverged", False)],
)
async def test_whether_a_commit_goes_on_from_another_is_asked_and_not_read_from_a_first_page(
    status: str, goes_on: bool
) -> None:
    repository = Repository(id=1, owner="octo", name="shop")
    assert (
        await reads.is_ancestor(cast(Forge, Comparison(status)), repository, "aaa", "bbb")
        == goes_on
    )
