import pytest

from shop.stock import OutOfStock, count_in_warehouse


class TestReserve:
    def test_lowers_what_is_available(self, stock):
        stock.reserve("tea", 10)
        assert stock.available("tea") == 140

    def test_all_of_it(self, stock):
        stock.reserve("kettle", 4)
        assert stock.available("kettle") == 0

    def test_more_than_there_is(self, stock):
        with pytest.raises(OutOfStock) as error:
            stock.reserve("kettle", 5)
        assert (error.value.wanted, error.value.available) == (5, 4)


def test_release_gives_back_no_more_than_was_held(stock):
    stock.reserve("tea", 10)
    stock.release("tea", 99)
    assert stock.available("tea") == 150


def test_ship_needs_a_reservation(stock):
    with pytest.raises(OutOfStock):
        stock.ship("lamp", 1)


def test_delivery_has_pieces(stock):
    stock.add("bread", 5)
    assert stock.available("bread") == 25
    with pytest.raises(ValueError, match="at least one"):
        stock.add("bread", 0)


def test_running_low(stock):
    stock.reserve("bread", 16)
    assert stock.running_low() == ["bread", "kettle"]


def test_warehouse_agrees(stock, catalogue):
    stock.reserve("novel", 1)
    assert count_in_warehouse(stock, catalogue)["novel"] == 59
