import pytest

from shop.money import MoneyError, mean_pennies, parse_pennies, show_pennies, split_evenly, whole_pennies


@pytest.mark.parametrize(
    ("text", "pennies"),
    [("12.50", 1250), ("£12.50", 1250), ("12", 1200), (" 0.05 ", 5)],
    ids=["plain", "with sign", "whole", "white space"],
)
def test_parse(text, pennies):
    assert parse_pennies(text) == pennies


@pytest.mark.parametrize("text", ["", "12.5", "1,00", "-3", "£"])
def test_parse_refuses(text):
    with pytest.raises(MoneyError):
        parse_pennies(text)


def test_show():
    assert show_pennies(123450) == "£1,234.50"
    assert show_pennies(-5) == "-£0.05"


class TestSplit:
    def test_adds_up(self):
        assert sum(split_evenly(1000, 3)) == 1000

    def test_larger_shares_first(self):
        assert split_evenly(1001, 4) == [251, 250, 250, 250]

    def test_needs_a_part(self):
        with pytest.raises(MoneyError):
            split_evenly(10, 0)


def test_mean_rounds_half_to_even():
    assert mean_pennies([1, 2]) == 2
    assert mean_pennies([2, 3]) == 2
    assert mean_pennies([]) == 0


def test_whole_pennies_keeps_the_name():
    @whole_pennies
    def fee():
        return "2.5"

    assert fee.__name__ == "fee"
    assert fee() == 3
