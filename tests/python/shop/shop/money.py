"""Amounts are whole pennies; this is the only place where fractions are rounded."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from functools import wraps

PENNIES_PER_POUND = 100
CURRENCY_SIGN = "£"


class MoneyError(ValueError):
    """An amount that cannot be read or must not be used."""


def whole_pennies(function):
    """Rounds what `function` returns to whole pennies and refuses an amount below zero."""

    @wraps(function)
    def rounded(*args, **kwargs):
        amount = Decimal(function(*args, **kwargs))
        if amount < 0:
            raise MoneyError(f"{function.__name__} gave {amount}, expected zero or more")
        return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))

    return rounded


def parse_pennies(text):
    """Reads `12.50`, `£12.50` or `12` as pennies."""
    digits = text.strip()
    if digits.startswith(CURRENCY_SIGN):
        digits = digits[len(CURRENCY_SIGN):]
    whole, dot, fraction = digits.partition(".")
    if not whole.isdigit() or (dot and (len(fraction) != 2 or not fraction.isdigit())):
        raise MoneyError(f"cannot read an amount from {text!r}")
    return int(whole) * PENNIES_PER_POUND + int(fraction or 0)


def show_pennies(pennies):
    """Writes pennies as `£12.50`."""
    sign = "-" if pennies < 0 else ""
    pounds, rest = divmod(abs(pennies), PENNIES_PER_POUND)
    return f"{sign}{CURRENCY_SIGN}{pounds:,}.{rest:02}"


def split_evenly(pennies, parts):
    """Shares an amount so that the shares differ by a penny at most and add up to it again."""
    if parts < 1:
        raise MoneyError(f"cannot split into {parts} parts")
    share, left_over = divmod(pennies, parts)
    return [share + 1] * left_over + [share] * (parts - left_over)


def mean_pennies(amounts):
    """The mean of some amounts, half pennies to the even side; zero when there are none."""
    amounts = list(amounts)
    if not amounts:
        return 0
    mean = Decimal(sum(amounts)) / len(amounts)
    return int(mean.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
