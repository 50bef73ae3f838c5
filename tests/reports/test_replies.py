"""Short answers to a person."""

from __future__ import annotations

import pytest

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Flag, Mistake, Verb
from claude_pool_gh.commands.lines import command_lines
from claude_pool_gh.pool.errors import CapReached
from claude_pool_gh.pool.yaml_file import Fault
from claude_pool_gh.reports import replies
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.terms.roles import Role

VERB = Verb(
    name="review", summary="Reads it.", places=frozenset({"pull"}), role=Role.write, arguments="[PATH…]",
    flags=(Flag("focus", "what first"), *COMMON),
)  # fmt: skip
HELP = Verb(name="help", summary="Tells.", places=frozenset({"issue", "pull"}), role=Role.triage)

REPLIES: dict[str, tuple[SafeMarkdown, str]] = {
    "mistake": (
        replies.mistake(Mistake("/pool reviw @mona", "there is no command 'reviw'", "/pool review")),
        ("`/pool reviw @mona`: there is no command 'reviw'. Did you mean `/pool review`? "
        "Nothing was run; `/pool help` lists the commands."),
    ),
    "mistake without a neighbour": (
        replies.mistake(Mistake("/pool `x", "there is no command '@mona'")),
        "``/pool `x``: there is no command '`@mona`'. Nothing was run; `/pool help` lists the commands.",
    ),
    "not allowed": (
        replies.not_allowed("review", Role.write, Role.read),
        ("`/pool review` needs the role **write** in this repository; yours is **read**. "
        "A maintainer can run it for you, or lower `permissions` in `.github/claude-pool.yml`."),
    ),
    "wrong place": (replies.wrong_place(VERB), "`/pool review` works on a pull request. Nothing was run."),
    "faulty configuration": (
        replies.faulty_config(".github/claude-pool.yml", [Fault(n, f"unknown key `@mona{n}`") for n in range(1, 12)]),
        "`.github/claude-pool.yml` on the default branch has errors, so nothing was run:\n\n"
        + "\n".join(f"- line {n}: unknown key `@mona{n}`" for n in range(1, 11)),
    ),
    "faulty recipe": (
        replies.faulty_recipe("review.yml: step @mona\n/pool"),
        "A recipe of this repository has an error, so nothing was run: review.yml: step `@mona` /pool",
    ),
    "cap": (
        replies.cap_reached(CapReached("thread", 10_000_000, 1_239_999, 3_000_000)),
        ("Nothing was run: it would need $3.00, and the cap per thread of $10.00 has $1.24 left. "
        "Whoever may change the default branch can raise it: `budget.thread` in `.github/claude-pool.yml`, in dollars. "
        "To run within that: `/pool review --budget 1.23`"),
    ),
    "empty cap": (
        replies.cap_reached(CapReached("thread", 10_000_000, 49_999, 3_000_000)),
        ("Nothing was run: it would need $3.00, and the cap per thread of $10.00 has $0.05 left. "
        "Whoever may change the default branch can raise it: `budget.thread` in `.github/claude-pool.yml`, "
        "in dollars."),
    ),
    "broken": (
        replies.broken("<b>@mona"),
        "The command could not be carried out: `<b>` `@mona`. Nothing was run; try it again later.",
    ),
    "help": (
        replies.help_all({"review": VERB, "help": HELP}, {"review": Role.maintain, "help": Role.read}, Role.triage),
        ("| command | on | needs | does |\n|---|---|---|---|\n"
        "| `/pool review [PATH…]` | PR | maintain 🔒 | Reads it. |\n"
        "| `/pool help` | PR, issue | read | Tells. |\n\n`/pool help VERB` shows a command's flags. "
        "Your role here is **triage**. 🔒 needs more than you have here."),
    ),
    "help for a verb": (
        replies.help_verb(VERB, Role.admin),
        "`/pool review [PATH…]`\n\nReads it.\n\nNeeds the role **admin** here.\n\n"
        + "\n".join(f"- `--{flag.name}` {flag.what}" for flag in VERB.flags),
    ),
    "help for a verb without flags": (
        replies.help_verb(HELP, Role.read), "`/pool help`\n\nTells.\n\nNeeds the role **read** here."
    ),
    "changed": (
        replies.changed_comment(),
        "The comment was edited or deleted before it could be acted on. Nothing was run; write a new one.",
    ),
    "closed": (replies.closed(), "This pull request is closed. Nothing was run."),
}  # fmt: skip


@pytest.mark.parametrize("case", REPLIES)
def test_a_reply_says_what_happened_and_is_no_command_itself(case: str) -> None:
    said, wanted = REPLIES[case]
    assert said == wanted
    assert command_lines(said) == []
