"""Prices in cents."""

BULK_FROM = 10


def line_total(unit_cents: int, quantity: int) -> int:
    """What a line of an order costs."""
    return unit_cents * quantity


def order_total(lines: list[tuple[int, int]]) -> int:
    """What an order costs: (unit price, quantity) for each line."""
    return sum(line_total(unit, quantity) for unit, quantity in lines)
