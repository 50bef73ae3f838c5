"""Money and time as people read them."""

from __future__ import annotations

from collections.abc import Sequence


def dollars(microdollars: int, *, upper_bound: bool = False) -> str:
    """An amount of money; fractions of a cent only where it is less than one."""
    amount = microdollars / 1_000_000
    text = f"${amount:.4f}" if 0 < amount < 0.01 else f"${amount:.2f}"
    return f"≤ {text}" if upper_bound else text


def amounts(parts: Sequence[int]) -> tuple[list[str], str]:
    """Amounts of money and their sum, rounded so that what is shown adds up: to cents, or finer where one is less."""
    unit, digits = (100, 4) if any(0 < part < 10_000 for part in parts) else (10_000, 2)
    shown = [part // unit for part in parts]
    missing = round(sum(parts) / unit) - sum(shown)
    by_remainder = sorted(range(len(parts)), key=lambda index: -(parts[index] % unit))
    for index in by_remainder[:missing]:
        shown[index] += 1
    texts = [f"${each * unit / 1_000_000:.{digits}f}" for each in shown]
    return texts, f"${sum(shown) * unit / 1_000_000:.{digits}f}"


def duration(milliseconds: int) -> str:
    """A span of time as people say it."""
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole, rest = divmod(int(seconds), 60)
    if whole < 10:
        return f"{whole} min {rest} s" if rest else f"{whole} min"
    hours, left = divmod(whole, 60)
    return (f"{hours} h {left} min" if left else f"{hours} h") if hours else f"{left} min"


def minutes(milliseconds: int) -> str:
    """A span of time that still grows: in whole minutes, so that it does not change at every look."""
    whole = milliseconds // 60_000
    return f"{whole} min" if whole else "under 1 min"
