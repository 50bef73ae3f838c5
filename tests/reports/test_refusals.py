"""What people are told to do about a push that GitHub refused."""

from __future__ import annotations

import pytest

from claude_pool_gh.reports.refusals import advice


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (
            "GH013: Repository rule violations found. - Commits must have verified signatures.",
            "commits are unsigned",
        ),
        (
            "refusing to allow a GitHub App to create or update workflow `a.yml` without `workflows` permission",
            "*Workflows: write*",
        ),
        ("GH009: Secrets detected! This push failed.", "looks like a secret"),
        (
            "File m.bin is 120 MB; this exceeds GitHub's file size limit of 100 MB",
            "larger than GitHub takes",
        ),
        ("GH006: Protected branch update failed for refs/heads/main.", "`changes.draft: true`"),
        (
            "GH013: Repository rule violations found. - Changes must be made through a pull request.",
            "bypass it",
        ),
        ("the branch has moved since the approval", "`/pool retry`"),
        (
            "GitHub answered 422: The permissions requested are not granted to this installation.",
            "*Contents: write*",
        ),
        ("Permission to octo/shop.git denied to x.", "*Contents: write*"),
        ("POLICY: commit message must name a ticket", "apply it yourself"),
    ],
)
def test_each_refusal_comes_with_what_to_do(refusal: str, told: str) -> None:
    assert told in advice(refusal)
