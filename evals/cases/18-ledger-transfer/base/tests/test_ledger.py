import pytest

from wallet.db import connect
from wallet.ledger import TransferError, balance, open_account, transfer


@pytest.fixture
def connection():
    connection = connect(":memory:")
    open_account(connection, "ann", 1000)
    open_account(connection, "bob")
    yield connection
    connection.close()


def test_transfer(connection):
    transfer(connection, "ann", "bob", 300)
    assert (balance(connection, "ann"), balance(connection, "bob")) == (700, 300)


@pytest.mark.parametrize(("target", "cents"), [("bob", 1001), ("eve", 1), ("bob", 0)])
def test_refused(connection, target, cents):
    with pytest.raises(TransferError):
        transfer(connection, "ann", target, cents)
    assert balance(connection, "ann") == 1000
