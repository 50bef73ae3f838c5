"""The flags that every verb with an agent has."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from claude_pool_gh.commands.grammar import Flag
from claude_pool_gh.terms.efforts import EFFORTS

_LEAST_DOLLARS: Final = Decimal("0.01")


def _dollars(text: str) -> int:
    """Microdollars."""
    amount = re.fullmatch(r"\$?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)", text)
    if amount is None:
        raise ValueError("must be an amount in US dollars, such as 1.50")
    dollars = Decimal(amount[1])
    if not _LEAST_DOLLARS <= dollars <= 1000:
        raise ValueError("must be an amount from 0.01 to 1000 US dollars")
    return int(dollars * 1_000_000)


def _turns(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 500:
        raise ValueError("must be a number from 1 to 500")
    return int(text)


def _effort(text: str) -> str:
    if text not in EFFORTS:
        raise ValueError(f"must be one of {', '.join(EFFORTS)}")
    return text


def _model(text: str) -> str:
    if not re.fullmatch(r"claude-[A-Za-z0-9.@-]{1,73}", text):
        raise ValueError("must be the full id of a Claude model, such as claude-sonnet-5-5")
    return text


COMMON: Final = (
    Flag("model", "full id of a Claude model", _model, value="ID"),
    Flag("effort", f"one of {', '.join(EFFORTS)}", _effort, value="LEVEL"),
    Flag("budget", "maximum cost, in US dollars", _dollars, value="USD"),
    Flag("turns", "maximum turns of each agent", _turns, value="N"),
)
