"""`/pool fix`: a patch by an agent, a word by a person, a push of exactly that."""

from __future__ import annotations

import re
import time

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import CheckRun, Moment
from claude_pool_gh.rehearsal.model import ToolUse
from tests.acceptance.colleague import MENDED, READ, Colleague, write
from tests.acceptance.world import World

CONFIG = ".github/claude-pool.yml"
AWS = "AKIA" + "Z" * 16
ID = re.compile(r"/pool approve ([0-9a-f]{10})")


pytestmark = pytest.mark.usefixtures("colleague")


@pytest.fixture
def colleague(here: World) -> Colleague:
    """The model, which mends what it is told."""
    made = Colleague(planted=stage.PLANTED)
    here.model.script = made
    return made


async def waiting(
    here: World, line: str = "/pool fix the discount must count from ten pieces"
) -> str:
    """Ask for a fix and wait for its gate; the gate's ID."""
    await here.say(line)
    shown = await here.shows("fix", "AWAITING APPROVAL")
    return str(ID.findall(shown)[0])


@pytest.mark.rotating(1)
async def test_a_fix_is_shown_approved_and_pushed_as_shown(here: World) -> None:
    before = here.pull.head_sha
    gate = await waiting(here)

    shown = here.comment_of("fix")
    assert shown.startswith("### ⏸ AWAITING APPROVAL: 1 file, +1 -1\n")
    assert f"```\n/pool approve {gate}\n```" in shown
    assert "| `shop/prices.py` | 1 | 1 |" in shown
    assert f"Based on [`{before[:9]}`](" in shown
    assert "Patch `" in shown
    assert "Checks: **not checked**: `changes.checks` in the configuration is empty." in shown
    assert "+    if quantity >= BULK_FROM:" in shown
    assert here.pull.head_sha == before, "nothing is pushed before somebody says so"
    assert "@mona `/pool fix` waits for approval: 1 file, +1 -1." in await here.said(
        f"`/pool approve {gate}`"
    )

    await here.say(f"/pool approve {gate}")
    await here.shows("fix", "### ✅ Pushed")
    assert "if quantity >= BULK_FROM:" in here.repository.read("feature", "shop/prices.py").decode()
    (commit,) = re.findall(r"Pushed ([0-9a-f]{9}):", here.comment_of("fix"))
    assert here.pull.head_sha.startswith(commit), "what was shown is what was pushed"
    log = here.repository.git.text("log", "-1", "--format=%an <%ae>%n%P%n%B", "feature")
    author, parent, message = log.split("\n", 2)
    assert (
        author == f"claude-pool[bot] <{here.app.bot.id}+claude-pool[bot]@users.noreply.github.com>"
    )
    assert parent == before
    chain = here.rows("SELECT id FROM chains")[0][0]
    assert message.strip() == (
        "Fix: the discount must count from ten pieces\n\nFor pull request 1.\n\n"
        f"Requested-by: mona\nApproved-by: mona\nPool-chain: {chain}"
    )
    check = next(run for run in here.repository.check_runs(before) if run.name == "claude-pool/fix")
    assert (check.conclusion, check.title) == ("success", f"Pushed {commit}: 1 file, +1 -1")


async def test_a_rejection_is_heard_and_the_next_patch_has_an_id_of_its_own(
    here: World, colleague: Colleague
) -> None:
    first = await waiting(here)
    await here.say(f"/pool reject {first}")
    await here.said("`reject` needs a description of what should be different")
    after = {"old_string": "    if quantity >= BULK_FROM:", "new_string": "    if quantity >= 10:"}
    colleague.mends = (
        READ,
        ToolUse("Edit", {**MENDED.input, **after}),
    )  # it begins with what was rejected
    await here.say(f"/pool reject {first} use the constant's value")
    await here.said("Rejected (1 of 3); the agent tries again with all feedback so far.")
    await here.until(
        lambda: first not in here.comment_of("fix") and "AWAITING" in here.comment_of("fix")
    )
    shown = here.comment_of("fix")
    (second,) = ID.findall(shown)
    assert "+    if quantity >= 10:" in shown
    assert "Rejected 1 of 3 times so far." in shown
    assert "1. mona: use the constant's value" in colleague.seen[-1].text

    await here.say(f"/pool approve {first}")
    await here.said(f"Nothing in this thread has the ID `{first}`")
    await here.say(f"/pool reject {second} no")
    await here.until(lambda: "Rejected 2 of 3" in here.comment_of("fix"))
    (third,) = ID.findall(here.comment_of("fix"))
    await here.say(f"/pool reject {third} never")
    await here.said("Rejected 3 of 3 times, so the run has ended. Nothing was pushed.")
    await here.shows("fix", "### ⚠️ NOT DONE: rejected 3 of 3 times")
    assert "1. mona: use the constant's value\n2. mona: no" in colleague.seen[-1].text


async def test_what_was_shown_at_another_head_cannot_be_approved(here: World) -> None:
    gate = await waiting(here)
    here.repository.commit(
        "feature", {"late.py": "z = 3\n"}, message="Late", author=here.maintainer
    )
    moved = here.pull.head_sha
    await here.shows("fix", f"This patch is outdated: the head has moved to `{moved[:9]}`")
    await here.say(f"/pool approve {gate}")
    await here.said(
        f"`{gate}` does not match: the head has moved to `{moved[:9]}` since it was shown"
    )
    assert here.pull.head_sha == moved

    await here.say("/pool retry")
    await here.shows("fix", "AWAITING APPROVAL")
    (again,) = ID.findall(here.comment_of("fix"))
    assert again != gate
    await here.say(f"/pool approve {gate}")
    await here.said(f"The patch that is waiting now has the ID `{again}`; look at it first.")
    here.repository.commit("main", {CONFIG: "review: {turns: 3}\n"}, author=here.maintainer)
    await here.say(f"/pool approve {again}")
    await here.said("the repository's configuration has changed since it was shown")
    assert here.pull.head_sha == moved


async def test_four_eyes_and_protected_paths_need_other_people(here: World) -> None:
    config = "changes: {four_eyes: true, protected: ['shop/prices.py']}\n"
    here.repository.commit("main", {CONFIG: config}, author=here.maintainer)
    people = [here.github.create_user(login) for login in ("max", "moritz", "reader")]
    for user in people[:2]:
        here.repository.grant(user, "write")
    before, gate = here.pull.head_sha, await waiting(here)
    assert "**protected**" in here.comment_of("fix")
    await here.say(f"/pool approve {gate}", by=people[2])
    await here.said(
        "`/pool approve` needs the role **write** in this repository; yours is **read**"
    )
    await here.say(f"/pool approve {gate}")
    await here.said("The requester of a change cannot approve it here")
    await here.say(f"/pool approve {gate}", by=people[0])
    await here.said(
        f"`{gate}` is approved by `max`. 1 more person must approve: protected paths need 2 people "
        "(`changes.protected_approvals`)."
    )
    await here.say(f"/pool approve {gate}", by=people[0])
    await here.handled(5)
    await here.written()
    assert here.pull.head_sha == before, "the same person twice is one person"

    # The one who asked loses the role in the moment of the last approval: nothing goes out in that name.
    async def revoke(moment: Moment) -> None:
        if (
            moment.phase == "before"
            and str(moment.route).endswith("/reactions")
            and b"+1" in moment.body
        ):
            here.repository.grant(here.maintainer, "read")

    here.github.on_request(revoke)
    await here.say(f"/pool approve {gate}", by=people[1])
    await here.shows("fix", "### ⚠️ NOT PUSHED: mona has the role read now, and write is needed")
    assert here.pull.head_sha == before
    assert "Approved by `max`, `moritz`, but not pushed:" in here.comment_of("fix")


async def test_the_buttons_of_the_check_decide_like_the_words(
    here: World, colleague: Colleague
) -> None:
    await waiting(here)
    before = here.pull.head_sha

    def check() -> CheckRun:
        return next(
            run for run in here.repository.check_runs(before) if run.name == "claude-pool/fix"
        )

    await here.until(lambda: check().conclusion == "action_required" and len(check().actions) == 2)
    approve, reject = (action["identifier"] for action in check().actions)
    stranger = here.github.create_user("stranger")
    await here.github.press(stranger, here.repository, check(), approve)
    await here.said("needs the role **write**")
    await here.github.press(here.maintainer, here.repository, check(), reject)
    await here.said("Rejected (1 of 3)")
    await here.until(
        lambda: any(
            approve != each["identifier"] and "approve" in each["identifier"]
            for each in check().actions
        )
    )
    assert "mona: Rejected with the button, without a comment." in colleague.seen[-1].text
    again = next(each["identifier"] for each in check().actions if "approve" in each["identifier"])
    await here.github.press(here.maintainer, here.repository, check(), again)
    await here.shows("fix", "### ✅ Pushed")
    assert here.pull.head_sha != before


async def test_whoever_was_refused_may_press_again_once_the_reason_is_gone(here: World) -> None:
    await waiting(here)
    before = here.pull.head_sha

    def check() -> CheckRun:
        return next(
            run for run in here.repository.check_runs(before) if run.name == "claude-pool/fix"
        )

    await here.until(lambda: check().conclusion == "action_required" and len(check().actions) == 2)
    approve = check().actions[0]["identifier"]
    completed = check().completed_at
    newcomer = here.github.create_user("newcomer")
    await here.until(lambda: time.time() > (completed or 0) + 1)  # GitHub tells seconds apart
    await here.github.press(newcomer, here.repository, check(), approve)
    await here.said("needs the role **write**")
    refused = here.github.deliveries[-1]
    await here.until(lambda: check().completed_at != completed)
    here.repository.grant(newcomer, "write")
    await here.github.redeliver(refused)
    await here.quiet()
    assert here.pull.head_sha == before, (
        "what was pressed before is not pressed again by repeating it"
    )
    assert check().conclusion == "action_required"
    await here.github.press(newcomer, here.repository, check(), approve)
    await here.shows("fix", "### ✅ Pushed")
    assert here.pull.head_sha != before


async def test_a_fork_gets_the_patch_and_no_push(here: World) -> None:
    stranger = here.github.create_user("stranger")
    fork = here.repository.fork("stranger")
    fork.commit("patch", stage.head_files(), message="From outside", author=stranger)
    here.pull = here.repository.open_pull(
        "stranger:patch", base="main", title="x", body="", author=stranger
    )
    before = here.pull.head_sha
    await here.say(f"/pool ok {before[:12]}\n/pool fix the boundary")
    shown = await here.shows("fix", "### ✅ A patch for you to apply: 1 file, +1 -1")
    assert "This is a fork, and the bot does not push to forks. The patch is below" in shown
    assert "+    if quantity >= BULK_FROM:" in shown
    assert here.pull.head_sha == before
    assert not [each for each in here.github.requests if each.path.endswith("git-receive-pack")]


@pytest.mark.parametrize(
    ("mends", "says"),
    [
        ((), "### ⚠️ Nothing was changed"),
        ((write("a.py", f'KEY = "{AWS}"\n'),), "contains what looks like a secret (an AWS key)"),
        (
            (write(".git/hooks/post-checkout", "x"), write("b.py", "y = 1\n")),
            "AWAITING APPROVAL: 1 file, +1 -0",
        ),
        (
            tuple(write(f"many/{n}.py", "x = 1\n") for n in range(4)),
            "touches 4 files; `changes.most_files` allows 3",
        ),
    ],
    ids=["nothing", "secret", "git's own folder", "too much"],
)
async def test_a_patch_that_nobody_should_be_asked_about_is_not_shown(
    here: World, colleague: Colleague, mends: tuple[ToolUse, ...], says: str
) -> None:
    here.repository.commit("main", {CONFIG: "changes: {most_files: 3}\n"}, author=here.maintainer)
    before, colleague.mends = here.pull.head_sha, mends
    await here.say("/pool fix it")
    await here.shows("fix", says)
    assert here.pull.head_sha == before


async def test_checks_that_this_server_does_not_run_are_not_passed_over(here: World) -> None:
    config = "changes: {checks: [{name: tests, run: make test}]}\n"
    here.repository.commit("main", {CONFIG: config}, author=here.maintainer)
    await waiting(here)
    assert "Checks: **not checked**: this server runs no checks." in here.comment_of("fix")


async def test_a_draft_pull_request_lets_the_repositorys_own_ci_check(here: World) -> None:
    here.repository.commit("main", {CONFIG: "changes: {draft: true}\n"}, author=here.maintainer)
    before, gate = here.pull.head_sha, await waiting(here)
    assert "is empty; an approval opens a draft pull request, which the" in here.comment_of("fix")
    await here.say(f"/pool approve {gate}")
    await here.shows("fix", "### ✅ Pull request #2: 1 file, +1 -1")
    opened = here.repository.pull(2)
    assert (opened.draft, opened.base_ref, opened.head_ref.split("-")[0]) == (
        True,
        "feature",
        "pool/fix",
    )
    assert here.pull.head_sha == before
