"""Short answers to a person: mistakes, refusals, help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from claude_pool_gh.commands.grammar import Mistake, Verb
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.recipes.yaml_file import Fault
from claude_pool_gh.reports.figures import dollars
from claude_pool_gh.reports.neutralize import code, fence, neutralize, neutralize_line
from claude_pool_gh.reports.views import AnswerReport, Link
from claude_pool_gh.reports.words import count, fitting
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.terms.roles import Role

COMMIT_DIGITS: Final = 12
"""How many digits of a commit are shown where somebody may name it by them, and how many are needed."""


def mistake(found: Mistake) -> SafeMarkdown:
    """A faulty command line, with the nearest right one."""
    nearest = f" Did you mean {code(found.nearest)}?" if found.nearest else ""
    problem = f"{code(found.line)}: {neutralize_line(found.problem)}.{nearest}"
    return fitting(f"{problem} Nothing was run; `/pool help` lists the commands.")


def not_allowed(verb: str, needed: Role, has: Role) -> SafeMarkdown:
    """The actor's role is too low."""
    return fitting(
        f"`/pool {verb}` needs the role **{needed.name}** in this repository; yours is **{has.name}**. "
        "A maintainer can run it for you, or change `permissions` in `.github/claude-pool.yml`."
    )


def own_word(verb: str) -> SafeMarkdown:
    """A workflow's `command` cannot decide in the name of whoever caused its event."""
    return fitting(
        f"`/pool {verb}` counts as a person's own comment only, and this one stands in a workflow. Nothing was done."
    )


def wrong_place(verb: Verb) -> SafeMarkdown:
    """The verb does not belong into this kind of thread."""
    places = " or ".join(
        {"pull": "a pull request", "issue": "an issue"}[place] for place in sorted(verb.places)
    )
    return fitting(f"`/pool {verb.name}` works on {places}. Nothing was run.")


def changed_comment() -> SafeMarkdown:
    """The comment no longer says what was delivered."""
    return fitting(
        "The comment was edited or deleted before it could be acted on. Nothing was run; write a new one."
    )


def below_in_mail(line: str) -> SafeMarkdown:
    """A command in a mail, with other words above it."""
    return fitting(
        f"{code(line)} was not run: it came by mail and is below other text, where mail programs put what they "
        "quote. In a mail, write commands in the first lines; or write a comment on GitHub."
    )


def faulty_config(path: str, faults: Iterable[Fault]) -> SafeMarkdown:
    """The repository's configuration is wrong."""
    lines = [
        f"- line {fault.line}: {neutralize_line(fault.problem)}" for fault in list(faults)[:10]
    ]
    return fitting(
        f"{code(path)} on the default branch has errors, so nothing was run:\n\n" + "\n".join(lines)
    )


def faulty_recipe(problem: str) -> SafeMarkdown:
    """A workflow or skill of the repository is wrong."""
    return fitting(
        f"A recipe of this repository has an error, so nothing was run: {neutralize_line(problem, 600)}"
    )


def cap_reached(refusal: CapReached, line: str, *, cap: str = "") -> SafeMarkdown:
    """The run of a line would exceed a cap: which one, who may raise it and how. `cap`: what it is called here."""
    cap = cap or refusal.cap
    text = (
        f"Nothing was run: it would need {dollars(refusal.asked)}, and the cap per {cap} "
        f"of {dollars(refusal.limit)} has {dollars(refusal.left)} left. {_who_raises(cap)}"
    )
    if refusal.left >= 50_000:
        budget = f"--budget {refusal.left // 10_000 / 100:.2f}"
        text += f" To run within what is left: {code(f'{line} {budget}') if len(line) < 200 else f'add `{budget}`'}"
    return fitting(text)


def _who_raises(cap: str) -> str:
    """The people who may raise a cap, and how."""
    if cap.startswith("pool"):
        return "Only the server's operator can raise it, with `CLAUDE_POOL_BUDGET_USD`."
    if cap == "job":
        return (
            "Anyone who can change the workflow file can raise it: the action's input `budget_usd`."
        )
    key = {"user and day": "user_day", "repository and month": "repository_month"}.get(cap, cap)
    where = f"`budget.{key}` in `.github/claude-pool.yml`, in dollars"
    return f"Anyone who can change the default branch can raise it: {where}."


def closed(what: str = "pull request") -> SafeMarkdown:
    """The thread is closed."""
    return fitting(f"This {what} is closed. Nothing was run.")


def no_commit(branch: str) -> SafeMarkdown:
    """There is nothing to work on."""
    return fitting(f"The branch {code(branch, 100)} has no commit yet. Nothing was run.")


def broken(reason: str) -> SafeMarkdown:
    """Our own failure before anything ran."""
    return fitting(
        f"The command could not be carried out: {neutralize_line(reason)}. Nothing was run; try it again later."
    )


def help_all(verbs: Mapping[str, Verb], needed: Mapping[str, Role], has: Role) -> SafeMarkdown:
    """Every verb in a line, with the role that it needs here; those that the asker may use are marked."""
    rows = ["| command | on | needs | does |", "|---|---|---|---|"]
    for verb in verbs.values():
        usage = verb.usage.replace("|", "\\|")  # or it would part the cell
        role = needed[verb.name]
        mark = "" if has >= role else " 🔒"
        rows.append(f"| `{usage}` | {verb.where} | {role.name}{mark} | {verb.summary} |")
    locked = (
        " 🔒 needs a higher role than yours." if any(has < role for role in needed.values()) else ""
    )
    rows.append(
        f"\n`/pool help VERB` shows a command's flags. Your role here is **{has.name}**.{locked}"
    )
    return fitting("\n".join(rows))


def help_verb(verb: Verb, needed: Role) -> SafeMarkdown:
    """One verb in full."""
    lines = [f"`{verb.usage}`", verb.summary, f"Needs the role **{needed.name}** here."]
    flags = [f"- `{flag.usage}` {flag.what}" for flag in verb.flags]
    return fitting("\n\n".join([*lines, "\n".join(flags)] if flags else lines))


# ---- refusals of strangers


def rate_limited(which: str, most: int) -> SafeMarkdown:
    """Too many commands in an hour; said once an hour."""
    whose = "You have" if which == "user" else "This thread has"
    return fitting(
        f"{whose} used up the limit of {count(most, 'command')} per hour, so nothing was run. Commands over the limit "
        f"are not queued: repeat it later. The limit is `limits.{which}_hour` in `.github/claude-pool.yml`."
    )


def unvetted(commit: str, line: str) -> SafeMarkdown:
    """The pull request is an outsider's, and nobody has looked at this commit."""
    lines = fence(f"/pool ok {commit[:12]}\n{_copyable(line)}")
    return fitting(
        "This pull request comes from someone without write access. A maintainer must allow each commit before agents "
        f"run. After reviewing `{commit[:12]}`, allow it with:\n\n{lines}\n\n"
        "Each push needs a new `/pool ok`, unless `.github/claude-pool.yml` says `outsiders: trust`."
    )


def lacking(permissions: Sequence[str], url: str) -> SafeMarkdown:
    """The App may not do what the command needs."""
    named = ", ".join(code(each) for each in permissions)
    return fitting(
        f"The App was not granted {named}, and this command needs it. Nothing was run. An owner of the account can "
        f"grant it: {url}"
    )


def joined(chain_id: str, verb: str, where: str = "") -> SafeMarkdown:
    """The same was asked for already and is on its way."""
    comment = f"[its comment]({where})" if where else "its comment"
    return fitting(
        f"The same {verb} is already running or queued ({code(chain_id)}), so no second one was started; "
        f"{comment} shows its progress."
    )


def again(verb: str, where: str) -> SafeMarkdown:
    """A command whose comment stands further up, since it is not the first of its kind here."""
    return fitting(
        f"Accepted. Progress and result of this `/pool {verb}` are in [this comment]({where})."
    )


def over(people: Sequence[str], verb: str, verdict: str, where: str) -> SafeMarkdown:
    """The one reply that tells whoever gave a command that it is over. `verdict`: neutralized already."""
    mentions = " ".join(f"@{who}" for who in people)
    details = f" · [details]({where})" if where else ""
    return fitting(f"{mentions} `/pool {verb}` has ended: {verdict}{details}")


def candidates(verb: str, found: Sequence[tuple[str, str]]) -> SafeMarkdown:
    """Several chains could be meant."""
    lines = "\n".join(
        f"- `/pool {verb} {chain_id}`: {neutralize_line(what)}" for chain_id, what in found[:10]
    )
    return fitting(f"Several runs match. Which one?\n\n{lines}")


def no_candidate(what: str) -> SafeMarkdown:
    """No chain fits."""
    return fitting(f"There is nothing here to {what}.")


def goes_on(chain_id: str) -> SafeMarkdown:
    """A run that somebody wants continued is not over."""
    return fitting(f"Run {code(chain_id)} is not over: it goes on by itself.")


def unknown_id(given: str) -> SafeMarkdown:
    """An ID that matches nothing in this thread."""
    return fitting(
        f"Nothing in this thread has the ID {code(given)}. `/pool status` lists what there is."
    )


# ---- approvals


def stale_gate(given: str, why: str, now: str | None) -> SafeMarkdown:
    """An approval of something that is not what would go out now."""
    more = (
        f" The patch that is waiting now has the ID {code(now)}; look at it first." if now else ""
    )
    return fitting(
        f"{code(given)} does not match: {neutralize_line(why)}. Nothing was approved.{more}"
    )


def approved(gate: str, people: Sequence[str], still: str) -> SafeMarkdown:
    """One approval of several."""
    named = ", ".join(code(each) for each in people)
    return fitting(f"{code(gate)} is approved by {named}. {still}")


def not_counted() -> SafeMarkdown:
    """Four eyes: the requester's own approval."""
    return fitting(
        "The requester of a change cannot approve it here (`changes.four_eyes`). Someone else with write access can."
    )


def rejected(again: bool, times: int, most: int) -> SafeMarkdown:
    """The answer to a rejection."""
    if again:
        return fitting(
            f"Rejected ({times} of {most}); the agent tries again with all feedback so far."
        )
    return fitting(f"Rejected {times} of {most} times, so the run has ended. Nothing was pushed.")


def needs_text(verb: str, what: str) -> SafeMarkdown:
    """A command without the words that make it one."""
    return fitting(f"`/pool {verb}` needs {what}. Nothing was run.")


def still_needed(people: int, why: str, owners: Sequence[str]) -> str:
    """The approvals that a gate still waits for."""
    parts = []
    if people:
        parts.append(f"{people} more {'person' if people == 1 else 'people'} must approve: {why}.")
    if owners:
        shown = ", ".join(code(path) for path in owners[:5])
        parts.append(f"A code owner of {shown} must be among them (`changes.codeowners`).")
    return " ".join(parts)


def gate_ready(verb: str, who: str, gate: str, what: str) -> SafeMarkdown:
    """The one reply that tells of a gate."""
    return fitting(
        f"@{who} `/pool {verb}` waits for approval: {what}. The comment above shows it. To push exactly that patch: "
        f"`/pool approve {gate}`"
    )


# ---- what was decided


def cancelled(chain_id: str, verb: str, requester: str = "") -> SafeMarkdown:
    """A chain was cancelled. `requester`: whose it was, where somebody else cancels it."""
    whose = f"@{requester} " if requester else ""
    return fitting(
        f"{whose}`/pool {verb}` ({code(chain_id)}) is being cancelled. Its results so far and its cost are kept."
    )


def trusted(commit: str) -> SafeMarkdown:
    """An outsider's commit may be read."""
    return fitting(f"Agents may read `{commit[:12]}`. Each push needs a new `/pool ok`.")


def wrong_commit(given: str, head: str) -> SafeMarkdown:
    """An ok for something else than the head."""
    return fitting(
        f"{code(given)} is not the head of this pull request, which is `{head[:12]}`. Review that commit first, then: "
        f"`/pool ok {head[:12]}`"
    )


def short_commit(given: str, head: str) -> SafeMarkdown:
    """An ok that names a commit by too few digits."""
    return fitting(
        f"{code(given)} is too short: another commit can be made that begins so. At least {COMMIT_DIGITS} digits are "
        f"needed. If the present head is the commit that you have looked at: `/pool ok {head}`"
    )


def answer(told: AnswerReport) -> SafeMarkdown:
    """An agent's answer, with links to what it speaks of."""
    parts: list[str] = [neutralize(told.text, 12_000)]
    if told.links:
        parts.append(
            "Where to look: "
            + ", ".join(f"[{code(_place(link))}]({link.url})" for link in told.links[:20])
        )
    return fitting("\n\n".join(parts))


def withheld(kinds: Sequence[str]) -> SafeMarkdown:
    """In place of a post that holds what looks like a secret."""
    named = ", ".join(kinds)
    return fitting(
        f"🔒 This post was withheld: it contains what looks like a secret ({named}). Only the operator can read it, "
        "with `claude-pool-gh show`. If the secret is real, replace it: an agent has seen it."
    )


def _place(link: Link) -> str:
    return f"{link.path}:{link.start}" + (f"-{link.end}" if link.end != link.start else "")


def _copyable(line: str) -> str:
    """A command line as it may stand in a fence of ours."""
    return " ".join(line.replace("`", "").split())[:300]


def moved_on(was: str, now: str, line: str) -> SafeMarkdown:
    """The answer where something was begun at another head and cannot go on at this one."""
    return fitting(
        f"That run was about `{was[:9]}`, but the head is now `{now[:9]}`. To start again: {code(_copyable(line))}"
    )


def only_app(verb: str) -> SafeMarkdown:
    """A verb that waits for people, asked of a job that ends."""
    return fitting(
        f"`/pool {verb}` waits for an approval, and a GitHub Actions job ends before that. Let its jobs keep "
        "what waits: add `contents: write` to the `permissions:` of the job and, where it has no API key of its own, "
        "the input `state_key`. Nothing was run."
    )
