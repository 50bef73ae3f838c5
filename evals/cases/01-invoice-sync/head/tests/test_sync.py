from billing.api import InvoiceApi
from billing.model import Invoice
from billing.sync import Ledger, sync_account


def rows(count, account="acme"):
    return [Invoice(f"{account}-{n:05}", account, 100 * n) for n in range(count)]


def test_copies_everything():
    api, ledger = InvoiceApi(rows(250) + rows(3, "other")), Ledger()
    assert sync_account(api, ledger, "acme") == 250
    assert len(ledger.entries) == 250


def test_second_run_changes_nothing():
    api, ledger = InvoiceApi(rows(5)), Ledger()
    sync_account(api, ledger, "acme")
    assert sync_account(api, ledger, "acme") == 0


def test_small_account_takes_one_request():
    api = InvoiceApi(rows(5))
    sync_account(api, Ledger(), "acme")
    assert api.requests == 1


def test_void_is_not_copied():
    api, ledger = InvoiceApi([Invoice("a-1", "acme", 5, "void")]), Ledger()
    assert sync_account(api, ledger, "acme") == 0
