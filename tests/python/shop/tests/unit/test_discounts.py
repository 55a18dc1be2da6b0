import pytest

from shop.discounts import BulkDiscount, UnknownVoucher, Vouchers, best_discount, loyalty


class TestBulkDiscount:
    @pytest.mark.parametrize(("quantity", "percent"), [(1, 0), (11, 5), (60, 10), (500, 15)])
    def test_inside_a_tier(self, quantity, percent):
        assert BulkDiscount().percent(quantity) == percent

    @pytest.mark.parametrize(("quantity", "percent"), [(10, 5), (50, 10), (100, 15)], ids=["ten", "fifty", "a hundred"])
    def test_tier_starts_at_its_bound(self, quantity, percent):
        assert BulkDiscount().percent(quantity) == percent

    def test_amount_rounds_half_up(self):
        assert BulkDiscount().amount(10, 30) == 2


class TestVouchers:
    def test_takes_off(self):
        assert Vouchers().amount("WELCOME", 2000) == 500

    def test_needs_the_least_order(self):
        assert Vouchers().amount("SPRING", 4999) == 0

    def test_case_and_space_do_not_matter(self):
        assert Vouchers().amount(" spring ", 6000) == 1000

    def test_unknown(self):
        with pytest.raises(UnknownVoucher):
            Vouchers().amount("FREE", 100)


def test_loyalty_stops_at_five_years():
    assert loyalty(3, 1000) == 30
    assert loyalty(9, 1000) == 50


def test_best_of_bulk_and_loyalty():
    assert best_discount(10, 1000, years=1) == 50
    assert best_discount(1, 1000, years=2) == 20
