"""How often GitHub is asked before a review begins and in each of its steps, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from claude_pool_gh.conversation.intake.command_policy import Refusal
from claude_pool_gh.conversation.services import Start
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Fault, Moment, Respond, SimulatedGitHub
from claude_pool_gh.rehearsal.model import Answer, ModelRequest
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.acceptance.test_authorization import asked, judge_of
from tests.acceptance.world import World, world
from tests.patience import PATIENCE

CONFIG: Final = ".github/claude-pool.yml"
GUIDE: Final = ".github/claude-pool/review.md"
QUERY: Final = "POST /api/graphql"
REPOSITORY: Final = "/repos/{owner}/{repo}"
ROLE: Final = f"GET {REPOSITORY}/collaborators/{{username}}/permission"
COMMENT: Final = f"GET {REPOSITORY}/issues/comments/{{comment_id}}"
BEFORE: Final = [QUERY, ROLE, COMMENT, QUERY, ROLE]
"""Repository, configuration, thread and pull request · the requester's role · the comment again ·
the recipes, where the repository has any of its own · the author's role."""


def reads(github: SimulatedGitHub, since: int, until: int | None = None) -> list[str]:
    """What was asked of GitHub's API in that time, tokens and git not counted."""
    made = github.requests[since:until]
    lines = [f"{each.method} {each.route}" for each in made if not str(each.route).endswith(".git")]
    return [line for line in lines if line.startswith("GET /repos") or line == QUERY]


@pytest.mark.rotating(2)
@pytest.mark.parametrize("own", [True, False], ids=["recipes of its own", "built-in recipes"])
async def test_a_review_is_planned_after_five_reads(tmp_path: Path, own: bool) -> None:
    async with world(tmp_path, start=False) as here, judge_of(here, tmp_path) as judge:
        if own:
            here.repository.commit("main", {GUIDE: "Be kind.\n", CONFIG: "notify: false\n"})
        await judge.decide(asked(here, await here.say("/pool help"), here.maintainer))
        request = asked(here, await here.say("/pool review"), here.maintainer)
        since = len(here.github.requests)
        match await judge.decide(request):
            case (_, Start(plan=plan)):
                assert plan.context["guidance"] == ("Be kind.\n" if own else "")
            case decision:
                pytest.fail(str(decision))
        assert reads(here.github, since) == (BEFORE if own else [QUERY, ROLE, COMMENT, ROLE])
        assert len(here.github.requests) - since <= 5, "and nothing else is asked"


@pytest.mark.parametrize("asked_by", ["the query", "REST"])
async def test_a_configuration_that_is_too_large_does_not_pass_for_none(
    tmp_path: Path, asked_by: str
) -> None:
    async with world(tmp_path, start=False) as here, judge_of(here, tmp_path) as judge:
        here.repository.commit("main", {CONFIG: "budget: {task: 0.01}\n" + "#\n" * 200_000})
        if asked_by == "REST":
            forbidden = b'{"data": null, "errors": [{"type": "FORBIDDEN", "message": "no"}]}'
            here.github.faults.add(
                Fault(Respond(200, body=forbidden), route="/api/graphql", times=99)
            )
        decision = await judge.decide(asked(here, await here.say("/pool review"), here.maintainer))
        assert isinstance(decision, Refusal)
        assert "the file is too large to be read" in decision.text


async def test_the_eyes_come_before_the_plan_is_read(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.repository.commit("main", {GUIDE: "Be kind.\n"})
        here.model.script = Reviewer(quick=True)
        seen: list[str] = []

        async def wait(moment: Moment) -> None:
            """Do not answer for the recipes before the eyes are there."""
            if moment.phase == "before" and b"TrustedFolder" in moment.body:
                assert here.rows("SELECT count(*) FROM chains") == [(0,)]
                (comment,) = here.repository.comments(here.pull.number)
                await here.github.until(lambda: comment.reactions, timeout=PATIENCE)
                seen.extend(each.content for each in comment.reactions)

        here.github.on_request(wait)
        await here.say("/pool review")
        await here.reviewed()
        assert seen == ["eyes"]


async def test_eyes_of_which_nothing_came_become_a_frown(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.repository.close(here.pull, here.maintainer)
        said = await here.say("/pool review")
        await here.said("closed")
        await here.until(lambda: [each.content for each in said.reactions] == ["confused"])
        told = await here.say("/pool help")
        stranger = await here.say("/pool review", by=here.github.create_user("stranger"))
        await here.quiet()
        assert (told.reactions, stranger.reactions) == ([], [])


async def schedules_read(here: World) -> None:
    """Wait until the server has read the audits' schedules, which it does once an hour, beside anything else."""
    branch, file = f"GET {REPOSITORY}/branches/{{branch}}", f"GET {REPOSITORY}/contents/{{path}}"

    def read() -> bool:
        """The configuration, and the two folders where one of a wrong name may lie, were asked for."""
        asked = reads(here.github, 0)
        return branch in asked and asked[asked.index(branch) :].count(file) == 3

    await here.github.until(read, timeout=PATIENCE)


@dataclass
class Noting:
    """A reviewer who notes how many requests GitHub had got when each of its runs asked the model."""

    github: SimulatedGitHub
    reviewer: Reviewer = field(default_factory=lambda: Reviewer(stage.PLANTED))
    marks: list[int] = field(default_factory=list)

    def __call__(self, request: ModelRequest) -> Answer:
        """Answer as the reviewer does."""
        self.marks.append(len(self.github.requests))
        return self.reviewer(request)


async def test_each_step_of_a_review_asks_for_what_it_needs_anew_and_once(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.say("/pool help")
        await here.said("`/pool review [PATH…]`")
        await schedules_read(here)
        here.model.script = script = Noting(here.github)
        since = len(here.github.requests)
        await here.say("/pool review")
        await here.reviewed()
        await here.written()
        planned, briefed = [QUERY, ROLE, COMMENT, ROLE], reads(here.github, since, script.marks[0])
        assert briefed[: len(planned)] == planned
        assert briefed[len(planned) :] == [
            f"GET {REPOSITORY}/pulls/{{pull_number}}",
            f"GET {REPOSITORY}/pulls/{{pull_number}}/commits",
            f"GET {REPOSITORY}/commits/{{ref}}/check-runs",
            f"GET {REPOSITORY}/commits/{{ref}}/status",
        ]
        assert reads(here.github, script.marks[0], script.marks[-1]) == []
        after = reads(here.github, script.marks[-1])
        assert after[0] == f"GET {REPOSITORY}/pulls/{{pull_number}}"
        assert after == after[:1]
