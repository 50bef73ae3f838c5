"""Findings are dismissed and fixed by their names, or in a reply to their comment; nobody fixes what is not open."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.conversation.review.feedback import THUMBS_DOWN
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.identity import fingerprint
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.tables import Standing
from claude_pool_gh.github.effects.marks import marker
from claude_pool_gh.github.tables import effects
from claude_pool_gh.rehearsal.github import Issue, Pull
from tests.conversation.rows import chain
from tests.conversation.simulated.kit import Desk
from tests.findings.make import finding

pytestmark = pytest.mark.asyncio(loop_scope="module")


def stated(title: str) -> Finding:
    return finding(path="app.py", title=title, evidence=f"    # {title}")


FIRST = stated("Divides by zero")
SECOND = stated("Leaks a handle")


def mark(of: Finding) -> str:
    return fingerprint(of)


def open_in(desk: Desk, key: str, *found: Finding) -> None:
    desk.do(
        lambda tx: tables.remember(tx, key, "c", "review", found, desk.clock.now, head="a" * 40)
    )


def reviewed(desk: Desk, *found: Finding) -> Pull:
    """A pull request in which these findings are open."""
    pull = desk.topic()
    open_in(desk, f"{desk.shop.id}:{pull.number}", *found)
    return pull


def audited(desk: Desk, *found: Finding) -> Issue:
    """An issue in a repository in which an audit has these findings."""
    open_in(desk, f"{desk.shop.id}:audit:night", *found)
    return desk.problem()


def standing(desk: Desk, key: str) -> dict[str, tuple[Standing, str, str]]:
    every = desk.do(lambda tx: tables.every(tx, key))
    return {each.finding.title: (each.state, each.reason, each.by) for each in every}


def inline(desk: Desk, pull: Pull, of: Finding) -> str:
    """The text of our comment on a finding."""
    return f"It does.\n\n{marker(tables.mark_of(f'{desk.shop.id}:{pull.number}', mark(of)))}"


# ---- dismiss


async def test_a_finding_is_dismissed_by_the_beginning_of_its_name(desk: Desk) -> None:
    pull = reviewed(desk, FIRST, SECOND)
    key = f"{desk.shop.id}:{pull.number}"
    heard = await desk.say(f"/pool dismiss {mark(FIRST)[:8].upper()} it is   intended", at=pull)
    assert heard.text.startswith(f"Dismissed: Divides by zero (`{mark(FIRST)[:8]}`).")
    assert standing(desk, key) == {
        "Divides by zero": (Standing.dismissed, "it is intended", "mona"),
        "Leaks a handle": (Standing.open, "", ""),
    }
    wanted = await desk.wanted("settled", "mark")
    (settled,) = (each for name, each in wanted.items() if f":{mark(FIRST)}:dismissed:" in name)
    assert settled == f"finding:{key}:{mark(FIRST)}"


async def test_in_a_reply_no_name_is_needed_and_the_answer_stands_there_already(desk: Desk) -> None:
    pull = reviewed(desk, FIRST, SECOND)
    key = f"{desk.shop.id}:{pull.number}"
    here = desk.commented(pull, inline(desk, pull, SECOND), desk.bot)
    heard = await desk.say("/pool dismiss it is intended", at=pull, under=here)
    assert (heard.answer, heard.text, heard.reaction) == ("done", "", "+1")
    assert standing(desk, key)["Leaks a handle"] == (Standing.dismissed, "it is intended", "mona")
    assert standing(desk, key)["Divides by zero"][0] is Standing.open


async def test_a_name_goes_before_the_comment_that_is_replied_to(desk: Desk) -> None:
    pull = reviewed(desk, FIRST, SECOND)
    here = desk.commented(pull, inline(desk, pull, SECOND), desk.bot)
    await desk.say(f"/pool dismiss {mark(FIRST)} no", at=pull, under=here)
    states = {
        title: each[:2] for title, each in standing(desk, f"{desk.shop.id}:{pull.number}").items()
    }
    assert states == {
        "Divides by zero": (Standing.dismissed, "no"),
        "Leaks a handle": (Standing.open, ""),
    }


@pytest.mark.parametrize(
    "line",
    ["/pool dismiss", "/pool dismiss nonsense it is", "/pool dismiss {short} no"],
    ids=["no word", "no name", "too short a name"],
)
async def test_what_names_no_finding_is_answered_with_those_that_are_open(
    desk: Desk, line: str
) -> None:
    pull = reviewed(desk, FIRST, SECOND)
    heard = await desk.say(line.format(short=mark(FIRST)[:5]), at=pull)
    assert heard.text.startswith("Which finding? Reply to it, or start with its ID:")
    assert f"- `{mark(FIRST)[:8]}` Divides by zero" in heard.text
    assert f"- `{mark(SECOND)[:8]}` Leaks a handle" in heard.text


async def test_a_dismissal_has_a_reason(desk: Desk) -> None:
    pull = reviewed(desk, FIRST)
    heard = await desk.say(f"/pool dismiss {mark(FIRST)}", at=pull)
    assert heard.text.startswith("`/pool dismiss` needs a reason, which the next review is told.")
    assert standing(desk, f"{desk.shop.id}:{pull.number}")["Divides by zero"][0] is Standing.open


@pytest.mark.parametrize("ours", [True, False], ids=["without a mark", "with a mark of ours"])
async def test_only_our_own_comment_on_a_finding_is_one(desk: Desk, ours: bool) -> None:
    pull = reviewed(desk, FIRST)
    text = "No finding." if ours else inline(desk, pull, FIRST)
    here = desk.commented(pull, text, desk.bot if ours else desk.mona)
    heard = await desk.say("/pool dismiss no", at=pull, under=here)
    assert heard.text.startswith("Which finding?")


async def test_a_comment_that_is_gone_is_no_finding(desk: Desk) -> None:
    pull = reviewed(desk, FIRST)
    here = desk.commented(pull, inline(desk, pull, FIRST), desk.bot)
    request = await desk.request("/pool dismiss no", at=pull, under=here)
    await desk.github.delete_comment(desk.bot, here)
    heard = await desk.hear(request)
    assert heard.text.startswith("Which finding?")


async def test_what_is_settled_is_not_dismissed_again(desk: Desk) -> None:
    pull = reviewed(desk, FIRST)
    await desk.say(f"/pool dismiss {mark(FIRST)} one", at=pull)
    heard = await desk.say(f"/pool dismiss {mark(FIRST)} two", at=pull)
    assert heard.text.startswith("There is no open finding here.")
    key = f"{desk.shop.id}:{pull.number}"
    assert standing(desk, key)["Divides by zero"][1] == "one"


async def test_an_audits_finding_is_dismissed_in_an_issue(desk: Desk) -> None:
    found = stated("Is never closed")
    heard = await desk.say(f"/pool dismiss {mark(found)} no", at=audited(desk, found))
    assert heard.text.startswith("Dismissed: Is never closed")
    key = f"{desk.shop.id}:audit:night"
    assert standing(desk, key)["Is never closed"] == (Standing.dismissed, "no", "mona")
    assert not [each for each in await desk.wanted("settled", "mark") if ":audit:" in each]


# ---- reopen


async def test_a_dismissal_is_taken_back_by_name_and_can_be_made_again(desk: Desk) -> None:
    pull = reviewed(desk, FIRST, SECOND)
    key, name = f"{desk.shop.id}:{pull.number}", mark(FIRST)[:8]
    for time in (1, 2):
        await desk.say(f"/pool dismiss {name} no", at=pull)
        heard = await desk.say(f"/pool reopen {name}", at=pull)
        assert heard.text.startswith(f"Open again: Divides by zero (`{name}`).")
        assert "thumbs" not in heard.text
        assert standing(desk, key)["Divides by zero"] == (Standing.open, "", "")
        desk.clock.now += 1
        resolved = await desk.wanted("settled", "resolved")
        mine = [each for of, each in resolved.items() if of.startswith(f"settled:{key}:")]
        assert sorted(mine) == ["False"] * time + ["True"] * time


async def test_the_last_word_about_a_finding_is_the_last_that_is_written(desk: Desk) -> None:
    """What waits from before it, as after a fault of GitHub, would be written after it."""
    first, second = stated("Is said twice"), stated("Is said once")
    pull = reviewed(desk, first, second)
    await desk.say(f"/pool dismiss {mark(second)} no", at=pull)
    for word in ("dismiss {} no", "reopen {}", "dismiss {} no"):
        desk.clock.now += 1
        await desk.say(f"/pool {word.format(mark(first))}", at=pull)
    about = f"settled:{desk.shop.id}:{pull.number}:"
    own = effects.select().where(effects.c.key.startswith(about)).order_by("due_ms")
    rows = desk.do(lambda tx: tx.execute(own).all())
    found = [(each.key.split(":")[3:5], each.state) for each in rows]
    assert found == [
        ([mark(second), "dismissed"], "wanted"),
        ([mark(first), "dismissed"], "refused"),
        ([mark(first), "reopened"], "refused"),
        ([mark(first), "dismissed"], "wanted"),
    ]


async def test_a_reply_reopens_the_finding_above_it(desk: Desk) -> None:
    pull = reviewed(desk, FIRST, SECOND)
    here = desk.commented(pull, inline(desk, pull, SECOND), desk.bot)
    await desk.say("/pool dismiss it is intended", at=pull, under=here)
    heard = await desk.say("/pool reopen", at=pull, under=here)
    assert (heard.answer, heard.text) == ("done", "")
    key = f"{desk.shop.id}:{pull.number}"
    assert standing(desk, key)["Leaks a handle"] == (Standing.open, "", "")


async def test_a_thumbs_down_that_still_stands_is_told(desk: Desk) -> None:
    pull = reviewed(desk, FIRST)
    key = f"{desk.shop.id}:{pull.number}"
    desk.do(
        lambda tx: tables.settle(
            tx, key, mark(FIRST), Standing.dismissed, 1, reason=THUMBS_DOWN, by="mona"
        )
    )
    heard = await desk.say(f"/pool reopen {mark(FIRST)}", at=pull)
    assert "take that away too" in heard.text


@pytest.mark.parametrize("line", ["/pool reopen", "/pool reopen {other}"])
async def test_only_what_is_dismissed_is_reopened(desk: Desk, line: str) -> None:
    other = stated("Is open everywhere")
    pull = reviewed(desk, FIRST, other)
    heard = await desk.say(line.format(other=mark(other)[:8]), at=pull)
    assert heard.text.startswith("There is no dismissed finding here.")
    await desk.say(f"/pool dismiss {mark(FIRST)} no", at=pull)
    heard = await desk.say(line.format(other=mark(other)[:8]), at=pull)
    assert heard.text.startswith("Which finding?")
    assert "Is open everywhere" not in heard.text


async def test_an_audits_finding_is_reopened_in_an_issue(desk: Desk) -> None:
    found = stated("Is never read")
    issue = audited(desk, found)
    await desk.say(f"/pool dismiss {mark(found)} no", at=issue)
    await desk.say(f"/pool reopen {mark(found)}", at=issue)
    key = f"{desk.shop.id}:audit:night"
    assert standing(desk, key)["Is never read"][0] is Standing.open
    assert not [each for each in await desk.wanted("settled", "mark") if ":audit:" in each]


async def test_what_was_dismissed_elsewhere_in_the_repository_is_reopened_by_its_name(
    desk: Desk,
) -> None:
    """There it hides the same fault, and its name is told where it does."""
    found = stated("Hides itself elsewhere")
    pull, other = reviewed(desk, found), desk.problem()
    await desk.say(f"/pool dismiss {mark(found)} no", at=pull)
    heard = await desk.say(f"/pool reopen {mark(found)[:8]}", at=other)
    assert heard.text.startswith("Open again: Hides itself elsewhere")
    key = f"{desk.shop.id}:{pull.number}"
    assert standing(desk, key)["Hides itself elsewhere"][0] is Standing.open
    numbers = await desk.wanted("settled", "number")
    assert numbers[f"settled:{key}:{mark(found)}:reopened:{desk.clock.now}"] == str(pull.number)


# ---- fix


async def planned(desk: Desk, line: str, at: Issue, **more: Any) -> dict[str, Any]:
    """What a fix that is asked for so knows from its start."""
    heard = await desk.say(line, at=at, **more)
    assert heard.chain is not None, heard.text
    context = heard.chain.plan.context
    assert context["findings"] == len(context["marks"])
    return context


async def test_everything_that_is_open_is_fixed_where_nothing_is_named(desk: Desk) -> None:
    context = await planned(desk, "/pool fix", reviewed(desk, FIRST, SECOND))
    assert set(context["marks"]) == {mark(FIRST), mark(SECOND)}
    assert (context["problems"], context["into"], context["fork"]) == ("", "", False)


async def test_of_very_many_the_first_twenty_are_fixed(desk: Desk) -> None:
    many = [stated(f"Defect {number}") for number in range(22)]
    context = await planned(desk, "/pool fix", reviewed(desk, *many))
    assert len(context["marks"]) == 20


async def test_one_that_is_named_is_fixed_alone(desk: Desk) -> None:
    context = await planned(desk, f"/pool fix {mark(SECOND)[:7]}", reviewed(desk, FIRST, SECOND))
    assert (context["marks"], context["problems"]) == ([mark(SECOND)], "")


async def test_a_text_is_fixed_as_it_was_written(desk: Desk) -> None:
    context = await planned(desk, "/pool fix the  typo in app.py", reviewed(desk, FIRST))
    assert (context["marks"], context["problems"]) == ([], "the  typo in app.py")


async def test_in_a_reply_to_a_finding_that_one_is_fixed_with_what_is_added(desk: Desk) -> None:
    pull = reviewed(desk, FIRST, SECOND)
    here = desk.commented(pull, inline(desk, pull, SECOND), desk.bot)
    context = await planned(desk, "/pool fix but keep the name", pull, under=here)
    assert (context["marks"], context["problems"]) == ([mark(SECOND)], "but keep the name")


async def test_under_other_lines_what_is_said_there_is_fixed(desk: Desk) -> None:
    pull = reviewed(desk, FIRST)
    here = desk.commented(pull, "Please rename this.", desk.mona)
    context = await planned(desk, "/pool fix", pull, under=here)
    assert (context["marks"], context["problems"]) == ([], "")


async def test_a_name_that_is_not_open_costs_nothing(desk: Desk) -> None:
    heard = await desk.say("/pool fix 0123456", at=reviewed(desk, FIRST))
    assert heard.text.startswith("Which finding?")
    assert heard.chain is None
    context = await planned(desk, "/pool fix 0123456 is wrong", reviewed(desk, FIRST))
    assert context["problems"] == "0123456 is wrong", "prose that begins with a number"


async def test_where_nothing_is_open_something_must_be_said(desk: Desk) -> None:
    heard = await desk.say("/pool fix", at=desk.topic())
    assert heard.text.startswith(
        "`/pool fix` needs something to fix: this pull request has no open"
    )


async def test_a_draft_goes_into_the_branch_as_a_pull_request_of_its_own(desk: Desk) -> None:
    pull = reviewed(desk, FIRST)
    with desk.configured("changes: {draft: true}\n"):
        context = await planned(desk, "/pool fix", pull)
    assert context["branch"].startswith(f"pool/fix-{pull.number}-")
    assert (context["into"], context["draft"]) == (pull.head_ref, True)


async def test_a_fork_gets_a_patch(desk: Desk) -> None:
    fork = desk.shop.fork("rita")
    fork.commit("patch", {"app.py": "r\n"})
    pull = desk.shop.open_pull("patch", author=desk.mona, head_repository=fork)
    desk.clock.now += 86_400_000
    with desk.configured("changes: {draft: true}\n"):
        context = await planned(desk, "/pool fix the typo", pull)
    assert (context["fork"], context["draft"], context["into"]) == (True, False, "")
    assert context["branch"] == "patch"


async def test_nothing_is_run_for_a_branch_to_which_nothing_could_be_pushed(desk: Desk) -> None:
    odd = desk.topic(branch="-odd")
    heard = await desk.say("/pool fix it", at=odd)
    assert heard.text.startswith(
        "Nothing can be pushed to the branch `-odd`: it begins with a dash."
    )
    with desk.configured("changes: {draft: true}\n"):
        assert (await desk.say("/pool fix it", at=odd)).answer == "started"


async def test_in_an_issue_a_finding_of_an_audit_is_fixed_in_a_pull_request_of_its_own(
    desk: Desk,
) -> None:
    found = stated("Is read twice")
    issue = audited(desk, found)
    context = await planned(desk, f"/pool fix {mark(found)[:6]} keep the name", issue)
    assert (context["marks"], context["problems"]) == ([mark(found)], "keep the name")
    assert context["findings_of"] == f"{desk.shop.id}:audit:night"
    assert (context["into"], context["place"]) == ("main", "issue")
    assert context["merge_base"] == context["head"] == desk.shop.head("main")
    heard = await desk.say("/pool fix", at=issue)
    assert heard.text.startswith("Which finding?")
    assert "Is read twice" in heard.text
    heard = await desk.say("/pool fix the typo", at=issue)
    assert heard.chain is None, "in an issue a finding has to be named"


async def test_a_closed_pull_request_is_not_fixed(desk: Desk) -> None:
    pull = reviewed(desk, FIRST)
    desk.shop.close(pull)
    heard = await desk.say("/pool fix", at=pull)
    assert heard.text.startswith("This pull request is closed. Nothing was run.")


@pytest.mark.parametrize(
    ("facts", "intent"),
    [
        ({"findings": 1}, "Fixes 1 finding and waits for approval of the exact patch."),
        ({"findings": 3}, "Fixes 3 findings and waits for approval of the exact patch."),
        ({}, "Fixes what was described and waits for approval of the exact patch."),
        ({"fork": True}, "Fixes what was described and makes a patch, since this is a fork."),
    ],
)
async def test_it_says_what_it_will_do(desk: Desk, facts: dict[str, Any], intent: str) -> None:
    own = desk.facts().model_dump(mode="json") | {"findings": 0, **facts}
    assert desk.verbs["fix"].intent(chain(verb="fix", context=own)) == intent


# ---- what people decide on


async def test_a_new_branch_belongs_to_the_command_alone(desk: Desk) -> None:
    issue = desk.problem()
    with desk.configured("changes: {branches: bots/mend/}\n"):
        heard = await desk.say("/pool implement", at=issue)
    assert heard.chain is not None
    name = f"bots/mend/implement-{issue.number}-{heard.chain.id}"
    assert heard.chain.plan.context["branch"] == name


@pytest.mark.parametrize(
    ("role", "least"), [("triage", 3), ("write", 3), ("maintain", 4), ("admin", 5)]
)
async def test_whoever_lets_code_in_may_at_least_write(desk: Desk, role: str, least: int) -> None:
    boss = desk.user(f"boss-{role}", "admin")
    pull = desk.topic()
    with desk.configured(f"permissions: {{fix: {role}}}\n"):
        heard = await desk.say("/pool fix it", boss, at=pull)
    assert heard.chain is not None
    assert heard.chain.plan.context["least_role"] == least


async def test_the_policy_is_that_of_the_configuration(desk: Desk) -> None:
    own = "approvals: 2, four_eyes: true, protected: [db/], protected_approvals: 3"
    more = "most_files: 7, most_lines: 70, max_rejections: 5, checks: [{name: unit, run: make}]"
    with desk.configured(f"changes: {{{own}, {more}}}\n"):
        heard = await desk.say("/pool fix it", at=desk.topic())
    assert heard.chain is not None
    context = heard.chain.plan.context
    assert context["policy"] == {
        "approvals": 2,
        "four_eyes": True,
        "codeowners": False,
        "protected": ["db/"],
        "protected_approvals": 3,
    }
    assert (context["most_files"], context["most_lines"]) == (7, 70)
    assert context["checks"] == [{"name": "unit", "run": "make", "minutes": 10}]
    gates = [step for step in heard.chain.plan.steps if step.gate]
    assert [step.max_rejections for step in gates] == [5]


@pytest.mark.parametrize("base", ["main", "release"])
async def test_the_owners_are_those_of_the_branch_that_it_goes_into(desk: Desk, base: str) -> None:
    for branch in ("main", "release"):
        desk.shop.commit(branch, {"docs/CODEOWNERS": f"* @{branch}\n"})
    pull = desk.topic(base)
    with desk.configured("changes: {codeowners: true}\n"):
        heard = await desk.say("/pool fix it", at=pull)
    plain = await desk.say("/pool fix something else", at=pull)
    desk.shop.commit("main", {"docs/CODEOWNERS": None})
    assert heard.chain is not None
    assert plain.chain is not None
    assert heard.chain.plan.context["codeowners"] == f"* @{base}\n"
    assert plain.chain.plan.context["codeowners"] == "", "nobody asks for them"
