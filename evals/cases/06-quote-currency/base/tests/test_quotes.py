from decimal import Decimal

import pytest

from shop.quotes import quote


@pytest.fixture(autouse=True)
def empty_cache():
    quote.forget()


def test_total():
    assert quote("mug", 2).total == Decimal("17.00")


def test_ten_pieces_are_cheaper():
    assert quote("mug", 10).total == Decimal("80.75")


def test_count_must_be_positive():
    with pytest.raises(ValueError):
        quote("mug", 0)
