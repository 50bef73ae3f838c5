"""Nightly copy of invoices into the ledger."""

from __future__ import annotations

from typing import Iterator

from billing.api import MAX_LIMIT, InvoiceApi
from billing.model import Invoice


class Ledger:
    def __init__(self) -> None:
        self.entries: dict[str, Invoice] = {}

    def upsert(self, invoice: Invoice) -> bool:
        """Store an invoice; tell whether that changed anything."""
        if self.entries.get(invoice.number) == invoice:
            return False
        self.entries[invoice.number] = invoice
        return True


def iter_invoices(api: InvoiceApi, account: str) -> Iterator[Invoice]:
    """All invoices of an account, page by page."""
    offset = 0
    while True:
        page = api.list_invoices(account, offset=offset, limit=MAX_LIMIT)
        yield from page.items
        if len(page.items) < MAX_LIMIT:
            return
        offset += MAX_LIMIT


def sync_account(api: InvoiceApi, ledger: Ledger, account: str) -> int:
    """Copy one account's invoices; return how many entries changed."""
    return sum(ledger.upsert(invoice) for invoice in iter_invoices(api, account))
