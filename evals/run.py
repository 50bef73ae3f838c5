"""`make eval`: lets the real bot review every case, beside one plain prompt, and prints what came of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console  # noqa: TID251 - a tool of ours, with texts of ours
from rich.table import Table

from claude_pool_gh.rehearsal import bot
from claude_pool_gh.rehearsal.github import Pull, Repository, SimulatedGitHub, User
from claude_pool_gh.storage.deflated import inflated
from evals.corpus import Case, Scored, Stated, read_cases, score
from evals.plain import review_plainly

MODEL = "claude-sonnet-5-5"
_LONGEST = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Both reviewers over the corpus."""

    bot: list[Scored]
    plain: list[Scored]


async def evaluate(
    cases: Sequence[Case], *, url: str, key: str, model: str, console: Console
) -> Scores:
    """Review every case twice: by the bot, and by one plain prompt."""
    scores = Scores(bot=[], plain=[])
    with tempfile.TemporaryDirectory(prefix="claude-pool-eval-") as folder:
        here = Path(folder)
        async with SimulatedGitHub.start(here / "github") as github:
            app = github.create_app("claude-pool", webhook_secret=bot.WEBHOOK_SECRET)
            maintainer, author = github.create_user("mona"), github.create_user("author")
            staged = [_stage(github, case, maintainer, author) for case in cases]
            github.install(app, "octo", [repository for repository, _ in staged])
            more = {
                "ANTHROPIC_API_KEY": key,
                "CLAUDE_POOL_MODEL": model,
                "CLAUDE_POOL_BUDGET_USD": "1000",
            }
            async with bot.running(github, app, url, here / "state", more) as server:
                for case, (repository, pull) in zip(cases, staged, strict=True):
                    scores.bot.append(
                        await _review(github, server, case, repository, pull, maintainer)
                    )
                    scores.plain.append(
                        await review_plainly(case, repository, pull, url=url, key=key, model=model)
                    )
                    console.print(_line(scores.bot[-1], scores.plain[-1]))
    return scores


def _stage(
    github: SimulatedGitHub, case: Case, maintainer: User, author: User
) -> tuple[Repository, Pull]:
    # The name must not give the answer away.
    repository = github.create_repository(f"octo/project-{case.name[:2]}", files=dict(case.base))
    repository.grant(maintainer, "maintain")
    repository.grant(author, "write")
    repository.commit("change", dict(case.head), message=case.title, author=author)
    return repository, repository.open_pull(
        "change", base="main", title=case.title, body=case.body, author=author
    )


async def _review(
    github: SimulatedGitHub,
    server: bot.Bot,
    case: Case,
    repository: Repository,
    pull: Pull,
    maintainer: User,
) -> Scored:
    started = time.monotonic()
    await github.comment(maintainer, repository, pull.number, "/pool review")
    await github.until(
        lambda: any(run.status == "completed" for run in repository.check_runs(pull.head_sha)),
        timeout=_LONGEST,
    )
    seconds = time.monotonic() - started
    with sqlite3.connect(f"file:{server.state / 'pool.sqlite'}?mode=ro", uri=True) as rows:
        thread = f"{repository.id}:{pull.number}"
        chain, outcome = rows.execute(
            "SELECT id, outcome FROM chains JOIN chain_scopes AS scope ON chain_id = id"
            " WHERE scope.kind = 'thread' AND key = ?",
            (thread,),
        ).fetchone()
        (cost,) = rows.execute("SELECT settled FROM reservations WHERE id = ?", (chain,)).fetchone()
        (result,) = rows.execute(
            "SELECT result FROM steps WHERE chain_id = ? AND name = 'gather'", (chain,)
        ).fetchone()
    said: dict[str, Any] = json.loads(inflated(result or "{}"))
    found = [f for where in ("inline", "more", "outside") for f in said.get(where, ())]
    stated = [
        Stated(
            path=f["path"], line=f["start_line"], text=f"{f['title']} {f['body']} {f['scenario']}"
        )
        for f in found
    ]
    verdict = json.loads(outcome)
    ended = verdict["verdict"] in ("clean", "findings", "unsettled")
    failed = "" if ended else f"{verdict['verdict']}: {verdict['reason']}"
    return score(case, stated, cost, seconds, failed)


def _line(ours: Scored, plain: Scored) -> str:
    def word(scored: Scored) -> str:
        if scored.failed:
            return "failed"
        found = "found" if scored.hit else ("missed" if scored.kind == "defect" else "quiet")
        return f"{found}, {scored.false_alarms} false" if scored.false_alarms else found

    return f"{ours.case:28} {ours.kind:7} bot: {word(ours):18} plain: {word(plain)}"


def print_scores(scores: Scores, console: Console) -> None:
    """The table: precision, recall, cost and time, the bot beside the plain prompt."""
    table = Table("", "bot", "one plain prompt")
    for name, figure in _figures().items():
        table.add_row(name, figure(scores.bot), figure(scores.plain))
    console.print(table)


def _figures() -> dict[str, Any]:
    def recall(all_: list[Scored]) -> str:
        defects = [s for s in all_ if s.kind == "defect"]
        return f"{sum(s.hit for s in defects)} of {len(defects)}"

    def precision(all_: list[Scored]) -> str:
        hits, false = sum(s.hit for s in all_), sum(s.false_alarms for s in all_)
        return f"{hits} of {hits + false} findings right" if hits + false else "nothing stated"

    def alarmed(kind: str) -> Any:
        return lambda all_: f"{sum(1 for s in all_ if s.kind == kind and s.false_alarms)} cases"

    return {
        "defects found": recall,
        "precision": precision,
        "false alarms on clean ones": alarmed("clean"),
        "false alarms on traps": alarmed("trap"),
        "failed": lambda all_: str(sum(bool(s.failed) for s in all_)),
        "cost": lambda all_: f"${sum(s.microdollars for s in all_) / 1e6:.2f}",
        "mean time": lambda all_: f"{sum(s.seconds for s in all_) / max(1, len(all_)):.1f} s",
    }


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help="prefixes of case names; default: all")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--json", type=Path, help="write the scores there")
    given = parser.parse_args()
    key = os.environ.get("ANTHROPIC_API_KEY", "")
    if not key:
        print(
            "ANTHROPIC_API_KEY is not set; the evaluation asks the real model and costs a few dollars."
        )
        return 2
    url = os.environ.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
    console = Console()
    scores = asyncio.run(
        evaluate(read_cases(given.cases), url=url, key=key, model=given.model, console=console)
    )
    print_scores(scores, console)
    if given.json:
        given.json.write_text(
            json.dumps({"bot": [*map(asdict, scores.bot)], "plain": [*map(asdict, scores.plain)]})
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
