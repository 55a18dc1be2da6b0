"""Whole visits to the shop. They ask the warehouse and the bank, which are slow."""

import time

import pytest

from shop import Cart
from shop.report import day_report, receipt
from shop.stock import count_in_warehouse


@pytest.fixture(scope="module")
def bank():
    """Takes payments slowly; connecting takes its time too."""
    time.sleep(0.1)

    def charge(pennies, delay_s):
        time.sleep(delay_s)
        return pennies > 0

    return charge


@pytest.mark.parametrize("order", ["2 x tea", "bread\n3 x apple", "lamp"], ids=["one line", "two lines", "it's a lamp"])
def test_pay_for_an_order(cart, bank, order):
    cart.add_order(order)
    assert bank(cart.pay(), delay_s=0.4)
    assert len(cart) == 0


def test_bulk_order_end_to_end(cart, stock, bank):
    cart.add("tea", 60)
    assert bank(cart.pay(), delay_s=0.8)
    assert count_in_warehouse(stock, ["tea"]) == {"tea": 90}


def test_voucher_end_to_end(cart, bank):
    cart.add("novel", 8)
    cart.use_voucher("SPRING")
    assert bank(cart.pay(), delay_s=0.7)


class TestDay:
    def test_three_customers(self, stock, prices, bank):
        payments = []
        for years, product in [(0, "tea"), (2, "novel"), (7, "lamp")]:
            cart = Cart(stock, prices, years)
            cart.add(product, 2)
            payments.append(cart.pay())
        assert bank(sum(payments), delay_s=1.0)
        assert "Orders" in day_report(payments, stock)

    class TestReceipts:
        def test_printed_before_payment(self, cart, bank):
            cart.add("kettle")
            assert "1 kettle" in receipt(cart)
            assert bank(cart.pay(), delay_s=0.5)

    def test_warehouse_count_stays(self, cart, stock, catalogue):
        cart.add("bread", 4)
        cart.remove("bread", 4)
        assert count_in_warehouse(stock, catalogue, delay_s=0.6)["bread"] == 20
