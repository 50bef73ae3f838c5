from shop.prices import order_total


def test_order_total():
    assert order_total([(250, 2), (100, 1)]) == 600
