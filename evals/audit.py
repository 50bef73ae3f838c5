"""Lets `claude-pool-gh audit` read whole repositories with a planted defect, and counts what it finds.

The repositories are those of the corpus after their change. An audit is asked about all of a repository, so what it
reports beside the planted defect is told as a number, and not as a false alarm: somebody has to look at it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.corpus import Case, Scored, Stated, read_cases, score

_WHO = ("-c", "user.name=eval", "-c", "user.email=eval@localhost")


async def audited(
    cases: Sequence[Case], environment: Mapping[str, str], *, budget: float
) -> AsyncIterator[Scored]:
    """Audit each case's repository in a process of its own, at most for `budget` dollars each."""
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="eval-audit-") as name:
            here = Path(name)
            await _repository(case, here / "repository")
            yield await _audit(case, here, environment, budget)


async def _repository(case: Case, folder: Path) -> None:
    """The case's files after its change, committed."""
    for path, content in (case.base | case.head).items():
        if content is not None:
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    for arguments in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "All")):
        git = await asyncio.create_subprocess_exec("git", "-C", str(folder), *_WHO, *arguments)
        assert await git.wait() == 0


async def _audit(case: Case, here: Path, environment: Mapping[str, str], budget: float) -> Scored:
    out = here / "out"
    command = (
        "-m",
        "claude_pool_gh.service.cli",
        "audit",
        str(here / "repository"),
        "--format",
        "json",
    )
    places = ("--out", str(out), "--state-dir", str(here / "state"), "--budget", str(budget))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command, *places),
        env=dict(environment),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    report = out / "report.json"
    if not report.is_file():
        return score(case, [], 0, 0.0, failed=said.decode(errors="replace")[-300:])
    told: dict[str, Any] = json.loads(report.read_text("utf-8"))
    failed = "" if told["completeness"] == "complete" else "; ".join(told["problems"])
    return score(
        case,
        [_stated(each) for each in told["findings"]],
        told["cost_microdollars"],
        (told["ended_ms"] - told["started_ms"]) / 1000,
        failed=failed,
    )


def _stated(found: Mapping[str, Any]) -> Stated:
    text = " ".join(str(found.get(name) or "") for name in ("title", "body", "scenario"))
    return Stated(path=found["place"]["path"], line=found["place"]["start_line"], text=text)


async def _run(cases: Sequence[Case], budget: float) -> int:
    found = 0
    async for each in audited(cases, os.environ, budget=budget):
        found += each.hit
        print(
            f"{each.case}: {'found' if each.hit else 'missed'}, {each.false_alarms} beside it, "
            f"${each.microdollars / 1e6:.2f} {each.failed}".rstrip(),
            flush=True,
        )
    print(f"{found} of {len(cases)} planted defects found")
    return 0


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "cases", nargs="*", help="prefixes of case names; default: all with a defect"
    )
    parser.add_argument("--budget", type=float, default=1.0, help="dollars of one repository")
    given = parser.parse_args()
    if not os.environ.get("ANTHROPIC_API_KEY"):
        print("ANTHROPIC_API_KEY is not set: this asks the real model, and costs some dollars.")
        return 2
    cases = [each for each in read_cases(given.cases) if each.expected is not None]
    return asyncio.run(_run(cases, given.budget))


if __name__ == "__main__":
    sys.exit(main())
