"""The sizes and rates at which GitHub says no; a test may lower them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Limits:
    """Numbers out of GitHub's documentation, all of them adjustable."""

    body_characters: int = 65_536
    output_characters: int = 65_535
    annotations_per_request: int = 50
    diff_bytes: int = 1_000_000
    diff_files: int = 300
    pull_files: int = 3_000
    compare_files: int = 300
    compare_commits: int = 250
    pull_commits: int = 250
    contents_bytes: int = 1_000_000
    raw_bytes: int = 100_000_000
    statuses_per_context: int = 1_000
    status_description: int = 140
    requests_per_hour: int = 5_000
    writes_per_second: int | None = None
    token_seconds: int = 3_600
    sarif_bytes: int = 10_000_000
    sarif_runs: int = 20
    sarif_results: int = 25_000
    sarif_seconds: float = 0.0
    webhook_seconds: float = 10.0
    webhook_bytes: int = 25_000_000
