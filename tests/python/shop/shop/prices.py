"""What things cost before discounts, and the tax on them."""

from decimal import Decimal

from shop.money import MoneyError, parse_pennies, whole_pennies

TAX_RATES = {
    "standard": Decimal("0.20"),
    "reduced": Decimal("0.05"),
    "zero": Decimal("0"),
}

DEFAULT_PRICES = {
    "apple": "0.30",
    "bread": "1.85",
    "kettle": "24.99",
    "lamp": "39.00",
    "novel": "8.99",
    "tea": "3.20",
}

TAX_CLASSES = {"apple": "zero", "bread": "zero", "novel": "zero", "lamp": "standard", "kettle": "standard"}


class UnknownProduct(KeyError):
    """A product without a price."""


class PriceList:
    """Prices in pennies by product name."""

    def __init__(self, prices=None):
        source = DEFAULT_PRICES if prices is None else prices
        self._pennies = {name: parse_pennies(text) for name, text in source.items()}

    def __contains__(self, product):
        return product in self._pennies

    def price(self, product):
        """The net price of one piece."""
        try:
            return self._pennies[product]
        except KeyError:
            raise UnknownProduct(product) from None

    def set_price(self, product, text):
        """Adds a product or changes its price."""
        self._pennies[product] = parse_pennies(text)

    def cheapest(self, products):
        """The cheapest of some products; the first by name where several cost the same."""
        return min(products, key=lambda product: (self.price(product), product))


def tax_rate(product):
    """The rate for a product; what has no class of its own is reduced."""
    return TAX_RATES[TAX_CLASSES.get(product, "reduced")]


@whole_pennies
def tax(product, net_pennies):
    """The tax on a net amount."""
    return net_pennies * tax_rate(product)


@whole_pennies
def net_of(product, gross_pennies):
    """The net part of an amount that holds the tax already."""
    if gross_pennies < 0:
        raise MoneyError("a gross amount is zero or more")
    return gross_pennies / (1 + tax_rate(product))
