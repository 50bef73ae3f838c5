"""Prices in cents."""

BULK_FROM = 10
BULK_PERCENT = 5


def line_total(unit_cents: int, quantity: int) -> int:
    """What a line of an order costs; from `BULK_FROM` pieces on with the bulk discount."""
    total = unit_cents * quantity
    if quantity > BULK_FROM:
        total -= total * BULK_PERCENT // 100
    return total


def order_total(lines: list[tuple[int, int]], voucher_percent: int = 0) -> int:
    """What an order costs: (unit price, quantity) for each line, less a voucher."""
    total = sum(line_total(unit, quantity) for unit, quantity in lines)
    return total - total * voucher_percent // 100
