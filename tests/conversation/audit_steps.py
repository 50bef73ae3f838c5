"""The host's steps of an audit in a real repository and a real database, with what its agents say given by the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from claude_pool_gh.audits.model import AuditResult, Shard
from claude_pool_gh.config.model import Audit
from claude_pool_gh.conversation.audit.brief import brief
from claude_pool_gh.conversation.audit.check_claims import check_claims
from claude_pool_gh.conversation.audit.gather import RESULT, alike, gather
from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.outcomes import Outcome
from claude_pool_gh.pool.model.plan import AgentRun, Limits, Plan
from claude_pool_gh.pool.model.ports import Done, Finish, HostStepContext
from claude_pool_gh.service.audit.host import Shell
from claude_pool_gh.storage import Database
from tests.service.auditing import commit

Says = Callable[[Shard], Mapping[str, Any]]
"""The outcome of the agent that reads a part."""


def said(shard: Shard, *claims: Mapping[str, Any], opened: bool = True) -> dict[str, Any]:
    """The outcome of an agent that opened every file of its part."""
    files = list(shard.paths) if opened else []
    answer = {"findings": list(claims)}
    return {"ending": "completed", "structured": answer, "looked_at": {"files": files}}


def _judged(finding: Mapping[str, Any], verdict: str, severity: str) -> dict[str, Any]:
    """The outcome of a second reader that opened the file."""
    answer = {"verdict": verdict, "severity": severity, "suggestion": "none"}
    opened = {"files": [finding["path"]]}
    told = {"ending": "completed", "structured": answer | {"reason": "so it is"}}
    return told | {"looked_at": opened}


@dataclass
class AuditSteps:
    """One audit of a repository, run by run."""

    folder: Path
    database: Database
    settings: Audit = field(default_factory=Audit)
    budget: int = 1_000_000_000
    number: int = 0
    outcome: Outcome | None = None
    """What the last run came to."""
    again: Sequence[str] = ()
    """The names of the known findings that the last run had judged again."""

    def commit(self, files: Mapping[str, str]) -> None:
        """Let the repository have these files too."""
        commit(self.folder, files)

    async def begun(self, **subject: Any) -> tuple[Shell, HostStepContext, Done | Finish]:
        """The first step of a new run, at a commit of its own where none is given."""
        self.number += 1
        if "commit" not in subject:
            subject["commit"] = commit(self.folder, {"run.md": f"Run {self.number}\n"})

        async def git_dir(_subject: Subject, _commits: object) -> Path:
            return self.folder / ".git"

        given: dict[str, Any] = {"repository": "octo/shop", "name": "defects", "kind": "defects"}
        of = Subject(repository_id=0, branch="main", settings=self.settings, **given | subject)
        limits = Limits(task=10, chain=self.budget, wall_seconds=1, idle_seconds=1)
        steps = (AgentRun(name="find", prompt="p"),)
        plan = Plan(verb="audit", steps=steps, limits=limits, context=of.model_dump(mode="json"))
        host = Shell(self.database, SystemClock(), git_dir)
        context = HostStepContext(f"chain-{self.number}", plan, {})
        return host, context, await brief(host, context)

    async def run(
        self,
        says: Says,
        *,
        confirms: str = "",
        of_known: str = "confirmed",
        is_one: bool = False,
        **subject: Any,
    ) -> AuditResult | None:
        """A whole run; None where it ended with its first step.

        `confirms`: the severity with which its second readers confirm all claims; "": they say nothing. `of_known`:
        their verdict on known findings, without a place. `is_one`: whether its judge finds that all it is asked about
        is one fault.
        """
        host, context, planned = await self.begun(**subject)
        if isinstance(planned, Finish):
            self.outcome = planned.outcome
            return None
        made: dict[str, Any] = {"plan": planned.result}
        shards = [Shard(**each) for each in made["plan"]["plan"]["shards"]]
        made["find"] = [says(each) for each in shards]
        made["check"] = (
            await check_claims(host, HostStepContext(context.chain_id, context.plan, made))
        ).result
        asked = [each["candidate"] for each in made["check"]["candidates"]]
        self.again = [each["mark"] for each in asked if each["kind"] == "known"]
        verdicts = {"claim": "confirmed", "known": of_known}
        made["verify"] = [
            _judged(each["finding"], verdicts[each["kind"]], confirms)
            if confirms
            else {"ending": "failed"}
            for each in asked
        ]
        context = HostStepContext(context.chain_id, context.plan, made)
        made["alike"] = (await alike(host, context)).result
        groups = [each["marks"] for each in made["alike"]["groups"] if is_one]
        made["merge"] = [
            {"structured": {"same": [{"ids": marks, "reason": "one cause"}]}} for marks in groups
        ]
        ended = await gather(host, context)
        assert ended.commit is not None
        await self.database.transact(ended.commit)
        self.outcome = ended.outcome
        return RESULT.validate_python(ended.result)
