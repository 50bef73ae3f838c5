"""The bot's decisions on a recorded event, and how a shell shows them: in words or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from claude_pool_gh.conversation.intake.command_policy import Decision, Refusal, Silence
from claude_pool_gh.conversation.services import Act, Answer
from claude_pool_gh.pool.model.plan import AgentRun
from claude_pool_gh.reports.figures import dollars
from claude_pool_gh.service.plain import echo, echo_json


class Fate(StrEnum):
    """The kinds of decisions on a command."""

    silent = "silent"
    refused = "refused"
    answered = "answered"
    done = "done"
    """At once, without an agent."""
    started = "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """A step of the run that a command starts."""

    name: str
    model: str = ""
    """Empty where no agent runs."""
    gate: bool = False
    """True where it then waits for an approval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A command of the event, and the decision on it."""

    line: str
    fate: Fate
    text: str = ""
    """The answer or refusal in Markdown, or why there is no answer."""
    asked_by: str = ""
    budget_microdollars: int | None = None
    steps: tuple[StepShown, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """All of it."""

    event: str
    action: str
    sender: str
    role: str = ""
    """That of the sender; empty where there is no command."""
    ignored: str = ""
    """The reason why nothing is done, where the event is none for us."""
    malformed: bool = False
    noted: tuple[str, ...] = ()
    """Events of the repository or the thread that are noted."""
    commands: tuple[Judged, ...] = ()


def judged(line: str, decision: Decision, model: str) -> Judged:
    """A decision as it is shown; `model` is the one of steps that name none. Pure."""
    match decision:
        case Silence(why):
            return Judged(line=line, fate=Fate.silent, text=why)
        case Refusal(text):
            return Judged(line=line, fate=Fate.refused, text=text)
        case Answer(text):
            return Judged(line=line, fate=Fate.answered, text=text)
        case Act():
            return Judged(line=line, fate=Fate.done)
        case (asked, start):
            steps = (
                StepShown(
                    name=step.name,
                    model=step.overrides.model or model if isinstance(step, AgentRun) else "",
                    gate=step.gate,
                )
                for step in start.plan.steps
            )
            return Judged(
                line=line,
                fate=Fate.started,
                asked_by=asked.request.actor.login,
                budget_microdollars=start.caps.chain,
                steps=tuple(steps),
            )


def show(replayed: Replayed, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        echo_json(json.dumps(asdict(replayed), indent=2))
        return
    echo(f"{replayed.event} ({replayed.action or 'no action'}) by {replayed.sender}")
    if replayed.ignored:
        echo(f"Nothing is done: {replayed.ignored}.")
        return
    for each in replayed.noted:
        echo(f"It is noted: {each}")
    if not replayed.commands:
        echo("There is no command in it.")
        return
    echo(
        f"{replayed.sender} is taken for somebody with the role {replayed.role}: --role changes that."
    )
    for command in replayed.commands:
        _show(command)


def _show(command: Judged) -> None:
    echo(f"\n{command.line}")
    match command.fate:
        case Fate.silent:
            echo(f"  gets no answer: {command.text}")
        case Fate.refused:
            echo(f"  is refused:\n{_indented(command.text)}")
        case Fate.answered:
            echo(f"  is answered:\n{_indented(command.text)}")
        case Fate.done:
            echo("  is done at once, without an agent")
        case Fate.started:
            caps = f"at most {dollars(command.budget_microdollars or 0)}"
            echo(f"  starts a run for {command.asked_by}, {caps}, with these steps:")
            for step in command.steps:
                agent = f"an agent ({step.model})" if step.model else "no agent"
                gate = ", then waits for an approval" if step.gate else ""
                echo(f"    {step.name}: {agent}{gate}")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
