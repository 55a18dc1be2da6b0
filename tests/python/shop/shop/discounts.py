"""Discounts: by quantity, by voucher, by loyalty. The best one counts, they do not add up."""

from decimal import Decimal

from shop.money import whole_pennies


class UnknownVoucher(ValueError):
    """A voucher code that the shop never gave out."""


class BulkDiscount:
    """So many percent off from so many pieces on."""

    # (pieces, percent), the highest tier first.
    TIERS = (
        (100, 15),
        (50, 10),
        (10, 5),
    )

    def percent(self, quantity):
        """The percentage for a number of pieces of one product."""
        for pieces, percent in self.TIERS:
            if quantity >= pieces:
                return percent
        return 0

    @whole_pennies
    def amount(self, quantity, pennies):
        """What comes off the price of so many pieces."""
        return Decimal(pennies) * self.percent(quantity) / 100


class Vouchers:
    """Codes that take a fixed amount off orders of at least some amount."""

    # code: (off, least order), in pennies
    CODES = {
        "WELCOME": (500, 2000),
        "SPRING": (1000, 5000),
    }

    def amount(self, code, pennies):
        """What the code takes off an order of this amount."""
        try:
            off, least = self.CODES[code.strip().upper()]
        except KeyError:
            raise UnknownVoucher(code) from None
        return off if pennies >= least else 0


@whole_pennies
def loyalty(years, pennies):
    """One percent for each full year, five at most."""
    return Decimal(pennies) * min(int(years), 5) / 100


def best_discount(quantity, pennies, years=0):
    """The larger of the bulk and the loyalty discount."""
    return max(BulkDiscount().amount(quantity, pennies), loyalty(years, pennies))
