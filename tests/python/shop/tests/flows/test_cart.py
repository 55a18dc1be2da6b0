import pytest

from shop import Cart, OutOfStock
from shop.cart import EmptyCart
from shop.discounts import UnknownVoucher
from shop.prices import UnknownProduct


def test_total_has_tax_and_delivery(cart):
    cart.add("tea", 2)
    assert cart.total() == 640 + 32 + 350


def test_delivery_is_free_from_forty_pounds(cart):
    cart.add("lamp")
    assert cart.total() == 3900 + 780


def test_remove_gives_back(cart, stock):
    cart.add("tea", 3)
    cart.remove("tea", 3)
    assert len(cart) == 0
    assert stock.available("tea") == 150
    with pytest.raises(ValueError, match="out of the cart"):
        cart.remove("tea")


def test_empty_cart_has_no_total(cart):
    with pytest.raises(EmptyCart):
        cart.total()


def test_unknown_product_reserves_nothing(cart):
    with pytest.raises(UnknownProduct):
        cart.add("yacht")
    assert len(cart) == 0


class TestVoucher:
    def test_comes_off_the_goods(self, cart):
        cart.add("novel", 3)
        cart.use_voucher("welcome")
        assert cart.total() == 2697 - 500 + 350

    def test_unknown_is_refused_at_once(self, cart):
        with pytest.raises(UnknownVoucher):
            cart.use_voucher("nonsense")


class TestOrder:
    def test_all_lines(self, cart):
        cart.add_order("2 x tea\nbread\n")
        assert cart.quantities == {"tea": 2, "bread": 1}

    def test_all_or_nothing(self, cart, stock):
        with pytest.raises(OutOfStock):
            cart.add_order("2 x tea\n9 x kettle\n")
        assert cart.quantities == {}
        assert stock.available("tea") == 150


def test_loyal_customer_pays_less(stock, prices):
    cart = Cart(stock, prices, years=5)
    cart.add("novel", 10)
    assert cart.total() == 8990 - 450
