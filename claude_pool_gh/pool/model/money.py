"""Money in words."""

from __future__ import annotations


def dollars(microdollars: int) -> str:
    """An amount exactly, such as `$0.50` or `$0.004125`: who reads of a limit can set it to just that."""
    whole, rest = divmod(abs(microdollars), 1_000_000)
    digits = f"{rest:06d}"
    kept = digits.rstrip("0")
    return f"{'-' if microdollars < 0 else ''}${whole}.{kept if len(kept) > 2 else digits[:2]}"
