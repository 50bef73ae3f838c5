"""Short answers to a person: mistakes, refusals, help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from claude_pool_gh.commands.grammar import Mistake, Verb
from claude_pool_gh.pool.errors import CapReached
from claude_pool_gh.pool.yaml_file import Fault
from claude_pool_gh.reports.neutralize import code, neutralize_line
from claude_pool_gh.reports.words import dollars, fitting
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.terms.roles import Role


def mistake(found: Mistake) -> SafeMarkdown:
    """A faulty command line, with the nearest right one."""
    nearest = f" Did you mean {code(found.nearest)}?" if found.nearest else ""
    problem = f"{code(found.line)}: {neutralize_line(found.problem)}.{nearest}"
    return fitting(f"{problem} Nothing was run; `/pool help` lists the commands.")


def not_allowed(verb: str, needed: Role, has: Role) -> SafeMarkdown:
    """The actor's role is too low."""
    return fitting(
        f"`/pool {verb}` needs the role **{needed.name}** in this repository; yours is **{has.name}**. "
        "A maintainer can run it for you, or lower `permissions` in `.github/claude-pool.yml`."
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


def faulty_config(path: str, faults: Iterable[Fault]) -> SafeMarkdown:
    """The repository's configuration is wrong."""
    lines = [f"- line {fault.line}: {neutralize_line(fault.problem)}" for fault in list(faults)[:10]]
    return fitting(
        f"{code(path)} on the default branch has errors, so nothing was run:\n\n" + "\n".join(lines)
    )


def faulty_recipe(problem: str) -> SafeMarkdown:
    """A workflow or skill of the repository is wrong."""
    return fitting(
        f"A recipe of this repository has an error, so nothing was run: {neutralize_line(problem, 600)}"
    )


def cap_reached(refusal: CapReached) -> SafeMarkdown:
    """The run would pass a cap."""
    text = (
        f"Nothing was run: it would need {dollars(refusal.asked)}, and the cap per {refusal.cap} "
        f"of {dollars(refusal.limit)} has {dollars(refusal.left)} left."
    )
    if refusal.left >= 50_000:
        text += f" To run within that: `/pool review --budget {refusal.left // 10_000 / 100:.2f}`"
    return fitting(text)


def already_running(verb: str) -> SafeMarkdown:
    """The same is being done already."""
    return fitting(
        f"A `{verb}` of this thread is running already; its comment shows how far it is. Nothing else was run."
    )


def closed() -> SafeMarkdown:
    """The pull request is closed."""
    return fitting("This pull request is closed. Nothing was run.")


def broken(reason: str) -> SafeMarkdown:
    """Our own failure before anything ran."""
    return fitting(
        f"The command could not be carried out: {neutralize_line(reason)}. Nothing was run; try it again later."
    )


def help_all(verbs: Mapping[str, Verb]) -> SafeMarkdown:
    """Every verb in a line."""
    rows = ["| command | on | needs | does |", "|---|---|---|---|"]
    for verb in verbs.values():
        places = ", ".join("PR" if place == "pull" else place for place in sorted(verb.places, reverse=True))
        usage = f"/pool {verb.name} {verb.arguments}".strip()
        rows.append(
            f"| `{usage}` | {places} | {verb.role.name} | {verb.summary} |".replace("[PATH…]|", "[PATH…]\\|")
        )
    rows.append("\n`/pool help VERB` shows a command's flags.")
    return fitting("\n".join(rows))


def help_verb(verb: Verb) -> SafeMarkdown:
    """One verb in full."""
    usage = f"/pool {verb.name} {verb.arguments}".strip()
    lines = [f"`{usage}`", verb.summary, f"Needs the role **{verb.role.name}**."]
    flags = [f"- `--{flag.name}` {flag.what}" for flag in verb.flags]
    return fitting("\n\n".join([*lines, "\n".join(flags)] if flags else lines))
