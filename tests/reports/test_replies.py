"""Short answers to a person."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Flag, Mistake, Verb
from claude_pool_gh.commands.lines import command_lines
from claude_pool_gh.conversation.registry import handlers
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.recipes.yaml_file import Fault
from claude_pool_gh.reports import finding_replies, replies
from claude_pool_gh.reports.views import AnswerReport, Link
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.terms.roles import Role
from tests.reports.judge import GITHUB, life

VERB = Verb(
    name="review",
    summary="Reads it.",
    places=frozenset({"pull"}),
    role=Role.write,
    arguments="[PATH…]",
    flags=(Flag("focus", "what first"), *COMMON),
)
HELP = Verb(name="help", summary="Tells.", places=frozenset({"issue", "pull"}), role=Role.triage)

REPLIES: dict[str, tuple[SafeMarkdown, str]] = {
    "mistake": (
        replies.mistake(
            Mistake("/pool reviw @mona", "there is no command 'reviw'", "/pool review")
        ),
        (
            "`/pool reviw @mona`: there is no command 'reviw'. Did you mean `/pool review`? "
            "Nothing was run; `/pool help` lists the commands."
        ),
    ),
    "mistake without a neighbour": (
        replies.mistake(Mistake("/pool `x", "there is no command '@mona'")),
        "``/pool `x``: there is no command '`@mona`'. Nothing was run; `/pool help` lists the commands.",
    ),
    "not allowed": (
        replies.not_allowed("review", Role.write, Role.read),
        (
            "`/pool review` needs the role **write** in this repository; yours is **read**. "
            "A maintainer can run it for you, or change `permissions` in `.github/claude-pool.yml`."
        ),
    ),
    "a workflow's decision": (
        replies.own_word("approve"),
        "`/pool approve` counts as a person's own comment only, and this one stands in a workflow. Nothing was done.",
    ),
    "wrong place": (
        replies.wrong_place(VERB),
        "`/pool review` works on a pull request. Nothing was run.",
    ),
    "faulty configuration": (
        replies.faulty_config(
            ".github/claude-pool.yml", [Fault(n, f"unknown key `@mona{n}`") for n in range(1, 12)]
        ),
        "`.github/claude-pool.yml` on the default branch has errors, so nothing was run:\n\n"
        + "\n".join(f"- line {n}: unknown key `@mona{n}`" for n in range(1, 11)),
    ),
    "faulty recipe": (
        replies.faulty_recipe("review.yml: step @mona\n/pool"),
        "A recipe of this repository has an error, so nothing was run: review.yml: step `@mona` /pool",
    ),
    "cap": (
        replies.cap_reached(CapReached("thread", 10_000_000, 1_239_999, 3_000_000), "/pool review"),
        (
            "Nothing was run: it would need $3.00, and the cap per thread of $10.00 has $1.24 left. Anyone who can "
            "change the default branch can raise it: `budget.thread` in `.github/claude-pool.yml`, in dollars. To "
            "run within what is left: `/pool review --budget 1.23`"
        ),
    ),
    "empty cap": (
        replies.cap_reached(CapReached("thread", 10_000_000, 49_999, 3_000_000), "/pool review"),
        (
            "Nothing was run: it would need $3.00, and the cap per thread of $10.00 has $0.05 left. "
            "Anyone who can change the default branch can raise it: `budget.thread` in `.github/claude-pool.yml`, "
            "in dollars."
        ),
    ),
    "broken": (
        replies.broken("<b>@mona"),
        "The command could not be carried out: `<b>` `@mona`. Nothing was run; try it again later.",
    ),
    "help": (
        replies.help_all(
            {"review": VERB, "help": HELP},
            {"review": Role.maintain, "help": Role.read},
            Role.triage,
        ),
        (
            "| command | on | needs | does |\n|---|---|---|---|\n"
            "| `/pool review [PATH…]` | PR | maintain 🔒 | Reads it. |\n"
            "| `/pool help` | PR, issue | read | Tells. |\n\n`/pool help VERB` shows a command's flags. "
            "Your role here is **triage**. 🔒 needs a higher role than yours."
        ),
    ),
    "help for a verb": (
        replies.help_verb(VERB, Role.admin),
        "`/pool review [PATH…]`\n\nReads it.\n\nNeeds the role **admin** here.\n\n"
        + "\n".join(f"- `{flag.usage}` {flag.what}" for flag in VERB.flags),
    ),
    "help for a verb without flags": (
        replies.help_verb(HELP, Role.read),
        "`/pool help`\n\nTells.\n\nNeeds the role **read** here.",
    ),
    "changed": (
        replies.changed_comment(),
        "The comment was edited or deleted before it could be acted on. Nothing was run; write a new one.",
    ),
    "no commit": (
        replies.no_commit("main"),
        "The branch `main` has no commit yet. Nothing was run.",
    ),
    "closed": (replies.closed(), "This pull request is closed. Nothing was run."),
    "pool's cap": (
        replies.cap_reached(CapReached("pool and month", 10_000_000, 0, 3_000_000), "/pool review"),
        (
            "Nothing was run: it would need $3.00, and the cap per pool and month of $10.00 has $0.00 left. "
            "Only the server's operator can raise it, with `CLAUDE_POOL_BUDGET_USD`."
        ),
    ),
    "user's cap": (
        replies.cap_reached(
            CapReached("user and day", 20_000_000, 60_000, 3_000_000), "/pool ask `why` @mona?"
        ),
        (
            "Nothing was run: it would need $3.00, and the cap per user and day of $20.00 has $0.06 left. "
            "Anyone who can change the default branch can raise it: `budget.user_day` in `.github/claude-pool.yml`, "
            "in dollars. To run within what is left: ``/pool ask `why` @mona? --budget 0.06``"
        ),
    ),
    "repository's cap": (
        replies.cap_reached(
            CapReached("repository and month", 20_000_000, 0, 3_000_000), "/pool review"
        ),
        (
            "Nothing was run: it would need $3.00, and the cap per repository and month of $20.00 has $0.00 left. "
            "Anyone who can change the default branch can raise it: `budget.repository_month` in "
            "`.github/claude-pool.yml`, in dollars."
        ),
    ),
    "help without what is needed more": (
        replies.help_all({"help": HELP}, {"help": Role.read}, Role.read),
        (
            "| command | on | needs | does |\n|---|---|---|---|\n| `/pool help` | PR, issue | read | Tells. |\n\n"
            "`/pool help VERB` shows a command's flags. Your role here is **read**."
        ),
    ),
    "closed issue": (replies.closed("issue"), "This issue is closed. Nothing was run."),
    "too many of a user": (
        replies.rate_limited("user", 30),
        (
            "You have used up the limit of 30 commands per hour, so nothing was run. Commands over the limit "
            "are not queued: repeat it later. The limit is `limits.user_hour` in `.github/claude-pool.yml`."
        ),
    ),
    "too many in a thread": (
        replies.rate_limited("thread", 60),
        (
            "This thread has used up the limit of 60 commands per hour, so nothing was run. Commands over the "
            "limit are not queued: repeat it later. The limit is `limits.thread_hour` in "
            "`.github/claude-pool.yml`."
        ),
    ),
    "unvetted": (
        replies.unvetted("a" * 40, "/pool ask ``` why\n@mona"),
        (
            "This pull request comes from someone without write access. A maintainer must allow each commit "
            "before agents run. After reviewing `aaaaaaaaaaaa`, allow it with:\n\n```\n/pool ok aaaaaaaaaaaa\n"
            "/pool ask why @mona\n```\n\nEach push needs a new `/pool ok`, unless `.github/claude-pool.yml` "
            "says `outsiders: trust`."
        ),
    ),
    "lacking": (
        replies.lacking(
            ["contents:write", "issues:write"], "https://github.com/settings/installations/9"
        ),
        (
            "The App was not granted `contents:write`, `issues:write`, and this command needs it. Nothing was run. "
            "An owner of the account can grant it: https://github.com/settings/installations/9"
        ),
    ),
    "joined": (
        replies.joined("c-7", "review"),
        (
            "The same review is already running or queued (`c-7`), so no second one was started; its comment "
            "shows its progress."
        ),
    ),
    "candidates": (
        replies.candidates("cancel", [("c-7", "review, @mona"), ("c-8", "fix, running")]),
        (
            "Several runs match. Which one?\n\n- `/pool cancel c-7`: review, `@mona`\n- `/pool cancel c-8`: "
            "fix, running"
        ),
    ),
    "no candidate": (replies.no_candidate("cancel"), "There is nothing here to cancel."),
    "goes on": (replies.goes_on("c-7"), "Run `c-7` is not over: it goes on by itself."),
    "unknown id": (
        replies.unknown_id("`@mona"),
        "Nothing in this thread has the ID `` `@mona ``. `/pool status` lists what there is.",
    ),
    "stale gate": (
        replies.stale_gate("0123456789", "the head has moved, @mona", "abcdef0123"),
        (
            "`0123456789` does not match: the head has moved, `@mona`. Nothing was approved. The patch that is "
            "waiting now has the ID `abcdef0123`; look at it first."
        ),
    ),
    "stale gate and nothing else": (
        replies.stale_gate("@mona", "the pull request is closed", None),
        "`@mona` does not match: the pull request is closed. Nothing was approved.",
    ),
    "approved": (
        replies.approved("0123456789", ["mona", "hubot"], "1 more person must approve (why)."),
        "`0123456789` is approved by `mona`, `hubot`. 1 more person must approve (why).",
    ),
    "not counted": (
        replies.not_counted(),
        (
            "The requester of a change cannot approve it here (`changes.four_eyes`). Someone else with write "
            "access can."
        ),
    ),
    "rejected": (
        replies.rejected(again=True, times=1, most=3),
        "Rejected (1 of 3); the agent tries again with all feedback so far.",
    ),
    "rejected for good": (
        replies.rejected(again=False, times=3, most=3),
        "Rejected 3 of 3 times, so the run has ended. Nothing was pushed.",
    ),
    "below in a mail": (
        replies.below_in_mail("/pool approve 0123456789"),
        (
            "`/pool approve 0123456789` was not run: it came by mail and is below other text, where mail programs "
            "put what they quote. In a mail, write commands in the first lines; or write a comment on GitHub."
        ),
    ),
    "too short a commit": (
        replies.short_commit("abc1234", "b" * 40),
        (
            "`abc1234` is too short: another commit can be made that begins so. At least 12 digits are needed. If the "
            f"present head is the commit that you have looked at: `/pool ok {'b' * 40}`"
        ),
    ),
    "needs text": (
        replies.needs_text("ask", "a question"),
        "`/pool ask` needs a question. Nothing was run.",
    ),
    "still needed": (
        SafeMarkdown(replies.still_needed(2, "why", ["a.py", "b`c"])),
        (
            "2 more people must approve: why. A code owner of `a.py`, ``b`c`` must be among them "
            "(`changes.codeowners`)."
        ),
    ),
    "one is still needed": (
        SafeMarkdown(replies.still_needed(1, "why", [])),
        "1 more person must approve: why.",
    ),
    "an owner is still needed": (
        SafeMarkdown(replies.still_needed(0, "", [f"f{n}" for n in range(7)])),
        "A code owner of `f0`, `f1`, `f2`, `f3`, `f4` must be among them (`changes.codeowners`).",
    ),
    "nobody is needed": (SafeMarkdown(replies.still_needed(0, "", [])), ""),
    "gate ready": (
        replies.gate_ready("fix", "mona", "0123456789", "2 files, +3 -10"),
        (
            "@mona `/pool fix` waits for approval: 2 files, +3 -10. The comment above shows it. To push exactly "
            "that patch: `/pool approve 0123456789`"
        ),
    ),
    "cancelled": (
        replies.cancelled("c-7", "review"),
        "`/pool review` (`c-7`) is being cancelled. Its results so far and its cost are kept.",
    ),
    "cancelled by another": (
        replies.cancelled("c-7", "review", "mona"),
        "@mona `/pool review` (`c-7`) is being cancelled. Its results so far and its cost are kept.",
    ),
    "again": (
        replies.again("review", "https://github.com/o/w/pull/1#issuecomment-7"),
        (
            "Accepted. Progress and result of this `/pool review` are in [this "
            "comment](https://github.com/o/w/pull/1#issuecomment-7)."
        ),
    ),
    "over": (
        replies.over(
            ("mona", "max"),
            "review",
            "Nothing found in 2 files",
            "https://github.com/o/w/pull/1#issuecomment-7",
        ),
        (
            "@mona @max `/pool review` has ended: Nothing found in 2 files · "
            "[details](https://github.com/o/w/pull/1#issuecomment-7)"
        ),
    ),
    "over without a comment": (
        replies.over(("mona",), "fix", "NOT DONE: out of turns", ""),
        "@mona `/pool fix` has ended: NOT DONE: out of turns",
    ),
    "joined with a link": (
        replies.joined("c-7", "review", "https://github.com/o/w/pull/1#issuecomment-7"),
        (
            "The same review is already running or queued (`c-7`), so no second one was started; [its "
            "comment](https://github.com/o/w/pull/1#issuecomment-7) shows its progress."
        ),
    ),
    "trusted": (
        replies.trusted("a" * 40),
        "Agents may read `aaaaaaaaaaaa`. Each push needs a new `/pool ok`.",
    ),
    "wrong commit": (
        replies.wrong_commit("@mona", "b" * 40),
        (
            "`@mona` is not the head of this pull request, which is `bbbbbbbbbbbb`. Review that commit first, then: "
            "`/pool ok bbbbbbbbbbbb`"
        ),
    ),
    "dismissed": (
        finding_replies.dismissed("0123456789abcdef0123", "@mona loses #1"),
        "Dismissed: `@mona` loses `#1` (`01234567`). It is not reported again while its code stays as it is.",
    ),
    "fixed thread": (
        finding_replies.fixed_thread("a" * 40),
        "Fixed at `aaaaaaaaa`: a second reader looked for this in the code there, and it is gone.",
    ),
    "dismissed thread": (
        finding_replies.dismissed_thread("mona", "see #1\n/pool review"),
        "Dismissed by `mona`: see `#1` /pool review. It is not reported again while its code stays as it is.",
    ),
    "answer": (
        replies.answer(AnswerReport(text="Ask @mona.\n\n/pool x")),
        "Ask `@mona.`\n\n`/pool` x",
    ),
    "answer with places": (
        replies.answer(
            AnswerReport(
                text="Here.",
                links=[
                    Link(path="a.py", start=3, end=3, url="https://github.com/o/w/blob/c/a.py#L3"),
                    Link(
                        path="b`]c.py",
                        start=3,
                        end=5,
                        url="https://github.com/o/w/blob/c/b%60%5Dc.py#L3-L5",
                    ),
                ],
            )
        ),
        (
            "Here.\n\nWhere to look: [`a.py:3`](https://github.com/o/w/blob/c/a.py#L3), "
            "[``b`]c.py:3-5``](https://github.com/o/w/blob/c/b%60%5Dc.py#L3-L5)"
        ),
    ),
    "withheld": (
        replies.withheld(["a GitHub token", "a random token"]),
        (
            "🔒 This post was withheld: it contains what looks like a secret (a GitHub token, a random token). "
            "Only the operator can read it, with `claude-pool-gh show`. "
            "If the secret is real, replace it: an agent has seen it."
        ),
    ),
    "moved on": (
        replies.moved_on("a" * 40, "b" * 40, "/pool ask `why` @mona"),
        (
            "That run was about `aaaaaaaaa`, but the head is now `bbbbbbbbb`. To start again: `/pool ask why "
            "@mona`"
        ),
    ),
    "which finding": (
        finding_replies.which_finding([("0123456789", "@mona loses #1"), ("abcdefabcd", "b")]),
        (
            "Which finding? Reply to it, or start with its ID:\n\n- `01234567` `@mona` loses `#1`\n- `abcdefab` b"
        ),
    ),
    "no finding": (
        finding_replies.which_finding([]),
        "There is no open finding here. Nothing was done.",
    ),
    "no dismissed finding": (
        finding_replies.which_finding([], "dismissed"),
        "There is no dismissed finding here. Nothing was done.",
    ),
    "reopened": (
        finding_replies.reopened("0123456789abcdef0123", "@mona loses #1", by_thumb=False),
        "Open again: `@mona` loses `#1` (`01234567`). It counts from the next run on.",
    ),
    "reopened thread": (
        finding_replies.reopened_thread("mona", by_thumb=True),
        (
            "Opened again by `mona`. It counts from the next review on. A thumbs down on its comment had dismissed "
            "it: take that away too, or the next review does so again."
        ),
    ),
    "only the App": (
        replies.only_app("fix"),
        (
            "`/pool fix` waits for an approval, and a GitHub Actions job ends before that. Let its jobs keep what "
            "waits: add `contents: write` to the `permissions:` of the job and, where it has no API key of its own, "
            "the input `state_key`. Nothing was run."
        ),
    ),
}


@pytest.mark.parametrize("case", REPLIES)
def test_a_reply_says_what_happened_and_is_no_command_itself(case: str) -> None:
    said, wanted = REPLIES[case]
    assert said == wanted
    assert command_lines(said) == []


def test_every_reply_is_among_these() -> None:
    functions = [
        name
        for name, each in (vars(replies) | vars(finding_replies)).items()
        if inspect.isfunction(each)
        and each.__module__ in (replies.__name__, finding_replies.__name__)
        and not name.startswith("_")
    ]
    source = Path(__file__).read_text("utf-8")
    assert len(functions) > 30
    assert [name for name in functions if f"replies.{name}(" not in source] == []


MENTIONING = {
    "gate ready": "@mona",
    "cancelled by another": "@mona",
    "over": "@mona @max",
    "over without a comment": "@mona",
}


def alive(text: str) -> list[str]:
    return [
        each for each in life(text) if each != "link_open" and "https://github.com/" not in each
    ]


@pytest.mark.parametrize(
    "case", [case for case in REPLIES if case not in (*MENTIONING, "answer with places")]
)
def test_only_who_is_told_of_a_gate_is_mentioned_and_only_the_host_links(case: str) -> None:
    assert alive(REPLIES[case][0]) == []


@pytest.mark.parametrize("case", MENTIONING)
def test_what_must_notify_mentions_who_asked_and_nobody_else(case: str) -> None:
    said, people = REPLIES[case][0], MENTIONING[case]
    assert [each.strip() for each in alive(said)] == [people]
    assert alive(said.removeprefix(f"{people} ")) == []


def test_the_help_is_one_table_with_a_row_for_every_verb() -> None:
    verbs = {name: handler.verb for name, handler in handlers().items()}
    shown = replies.help_all(verbs, {name: verb.role for name, verb in verbs.items()}, Role.none)
    cells = [token for token in GITHUB.parse(shown) if token.type in ("th_open", "td_open")]
    texts = [token.content for token in GITHUB.parse(shown) if token.type == "inline"]
    assert len(cells) == 4 * (1 + len(verbs))
    assert [texts[4 + 4 * at].split()[:2] for at in range(len(verbs))] == [
        ["`/pool", name if verb.arguments else f"{name}`"] for name, verb in verbs.items()
    ]
    assert shown.count("🔒") == len(verbs) + 1


@pytest.mark.parametrize("name", list(handlers()))
def test_each_verbs_help_names_all_its_flags(name: str) -> None:
    verb = handlers()[name].verb
    shown = replies.help_verb(verb, verb.role)
    assert all(f"- `{flag.usage}` {flag.what}" in shown for flag in verb.flags)
    assert all(f"`--{flag.name}" in shown for flag in verb.flags), "and as they are typed"
    assert life(shown) == []


@pytest.mark.parametrize("guard", ["code", "neutralize", "neutralize_line"])
def test_these_tests_would_see_it_if_the_guard_were_off(
    guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (replies, finding_replies):
        monkeypatch.setattr(module, guard, lambda text, _limit=0: text, raising=False)
    said = [
        replies.unknown_id("@mona"),
        replies.answer(AnswerReport(text="@mona")),
        finding_replies.dismissed("0123456789", "@mona"),
    ]
    assert [each for text in said for each in alive(text)]
