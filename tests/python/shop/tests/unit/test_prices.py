import pytest

from shop.prices import TAX_RATES, PriceList, UnknownProduct, net_of, tax, tax_rate


def test_every_product_has_a_price(prices, catalogue):
    assert all(prices.price(product) > 0 for product in catalogue)


def test_unknown_product(prices):
    assert "yacht" not in prices
    with pytest.raises(UnknownProduct):
        prices.price("yacht")


def test_set_price():
    prices = PriceList({"pen": "1.10"})
    prices.set_price("ink", "4.00")
    assert prices.price("ink") == 400


def test_cheapest_goes_by_name_when_equal():
    prices = PriceList({"b": "1.00", "a": "1.00", "c": "2.00"})
    assert prices.cheapest(["c", "b", "a"]) == "a"


class TestTax:
    @pytest.mark.parametrize("product", ["apple", "novel"])
    def test_zero_rated(self, product):
        assert tax(product, 1000) == 0

    class TestRates:
        def test_standard(self):
            assert tax("lamp", 3900) == 780

        def test_reduced_without_a_class(self):
            assert tax_rate("tea") == TAX_RATES["reduced"]
            assert tax("tea", 320) == 16

    def test_net_of_gross(self):
        assert net_of("lamp", 4680) == 3900
