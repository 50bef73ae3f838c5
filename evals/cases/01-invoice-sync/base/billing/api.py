"""The invoice listing, as served to clients."""

from __future__ import annotations

from billing.model import Invoice, Page

MAX_LIMIT = 100


class InvoiceApi:
    def __init__(self, rows: list[Invoice]) -> None:
        self._rows = sorted(rows, key=lambda row: row.number)
        self.requests = 0

    def list_invoices(self, account: str, *, offset: int = 0, limit: int = MAX_LIMIT) -> Page:
        """Invoices of an account in order of number, `limit` rows from `offset`."""
        if not 1 <= limit <= MAX_LIMIT:
            raise ValueError(f"limit must be between 1 and {MAX_LIMIT}")
        if offset < 0:
            raise ValueError("offset must not be negative")
        self.requests += 1
        rows = [row for row in self._rows if row.account == account]
        window = rows[offset : offset + limit]
        visible = [row for row in window if row.status != "void"]
        end = offset + len(window)
        return Page(items=visible, next_offset=end if window else None)
