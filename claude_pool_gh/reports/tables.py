"""Answers that are tables: what runs here, what it has cost, what is configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from claude_pool_gh.pool.model.caps import CapUse
from claude_pool_gh.reports.figures import dollars
from claude_pool_gh.reports.neutralize import cell, code, neutralize_line
from claude_pool_gh.reports.words import fitting, fold
from claude_pool_gh.terms.markdown import SafeMarkdown


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLine:
    """One chain in a table."""

    id: str
    verb: str
    title: str
    requester: str
    cost: int
    upper_bound: bool = False
    gate: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """The facts that `/pool status` shows."""

    chains: Sequence[ChainLine]
    busy: int
    slots: int
    waiting: int
    shares: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Recipe -> state -> findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostView:
    """The facts that `/pool cost` shows: sums in microdollars, each table with the dearest first."""

    by_verb: Sequence[tuple[str, int, int]]
    by_model: Sequence[tuple[str, int, int]]
    by_user: Sequence[tuple[str, int, int]]
    by_week: Sequence[tuple[str, int, int]]
    caps: Sequence[CapUse]
    month: int


def status(view: StatusView) -> SafeMarkdown:
    """The thread's chains, the line, and what people make of findings."""
    parts = []
    if view.chains:
        rows = ["| | command | state | asked by | cost |", "|---|---|---|---|--:|"]
        for chain in view.chains:
            gate = f" `{chain.gate}`" if chain.gate else ""
            cost = dollars(chain.cost, upper_bound=chain.upper_bound)
            cells = (code(chain.id), chain.verb, chain.title + gate, code(chain.requester), cost)
            rows.append("| " + " | ".join(map(cell, cells)) + " |")
        parts.append("\n".join(rows))
    else:
        parts.append("No commands yet.")
    slots = f"{view.busy} of {view.slots} slots are busy"
    parts.append(
        f"{slots}, {view.waiting} waiting in the queue."
        if view.waiting
        else f"{slots}, the queue is empty."
    )
    if view.shares:
        parts.append(fold("What became of earlier findings", _shares(view.shares)))
    return fitting("\n\n".join(parts))


def _shares(shares: Mapping[str, Mapping[str, int]]) -> str:
    states = ("fixed", "dismissed", "ignored", "open")
    rows = [
        "| recipe | findings | " + " | ".join(states) + " |",
        "|---|--:|" + "--:|" * len(states),
    ]
    for recipe, counts in sorted(shares.items()):
        total = sum(counts.values())
        cells = [_share(counts.get(state, 0), total) for state in states]
        rows.append(f"| {recipe} | {total} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _share(number: int, total: int) -> str:
    return f"{number} ({100 * number // total} %)" if total and number else str(number)


def cost(view: CostView) -> SafeMarkdown:
    """The spending of this repository, and what is left."""
    parts = [f"This repository has spent **{dollars(view.month)}** this month."]
    rows = ["| cap per | used or reserved | of | left |", "|---|--:|--:|--:|"]
    for use in view.caps:
        warning = " ⚠️" if use.used >= 0.8 * use.limit else ""
        rows.append(
            f"| {use.name}{warning} | {dollars(use.used)} | {dollars(use.limit)} | {dollars(use.left)} |"
        )
    parts.append("\n".join(rows))
    for what, lines in (
        ("verb", view.by_verb),
        ("model", view.by_model),
        ("user", view.by_user),
        ("week", view.by_week),
    ):
        if lines:
            parts.append(_sums(what, lines))
    return fitting("\n\n".join(parts))


def _sums(what: str, lines: Sequence[tuple[str, int, int]]) -> str:
    rows = [f"| {what} | runs | cost |", "|---|--:|--:|"]
    rows += [
        f"| {cell(code(name))} | {number} | {dollars(total)} |"
        for name, number, total in lines[:15]
    ]
    return "\n".join(rows)


def configuration(
    values: Mapping[str, Any], sources: Mapping[str, str], default: str
) -> SafeMarkdown:
    """Every value and where it came from, those that somebody has set first."""
    chosen = [(key, value, sources[key]) for key, value in values.items() if key in sources]
    rest = [(key, value, default) for key, value in values.items() if key not in sources]
    parts = []
    if chosen:
        parts.append(_values(chosen))
    else:
        parts.append("No configuration file: all settings are at their defaults.")
    parts.append(fold("Other settings, at their defaults", _values(rest)))
    return fitting("\n\n".join(parts))


def _values(lines: Sequence[tuple[str, Any, str]]) -> str:
    rows = ["| key | value | from |", "|---|---|---|"]
    for key, value, source in lines:
        shown = "" if value is None else code(_plain(value), 120)
        cells = (code(key), shown, neutralize_line(source))
        rows.append("| " + " | ".join(map(cell, cells)) + " |")
    return "\n".join(rows)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_plain, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_plain(each)}' for name, each in value.items())}}}"
    return str(value)
