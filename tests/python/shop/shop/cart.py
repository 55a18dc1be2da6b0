"""A cart: products and quantities, the stock it holds, what it comes to."""

from shop.discounts import Vouchers, best_discount
from shop.parsing import parse_order
from shop.prices import PriceList, tax

FREE_DELIVERY_FROM = 4000
DELIVERY_PENNIES = 350


class EmptyCart(Exception):
    """There is nothing to pay for."""


class Cart:
    """Holds its pieces in the stock until it is paid for or emptied."""

    def __init__(self, stock, prices=None, years=0):
        self._stock = stock
        self._prices = prices or PriceList()
        self._years = years
        self._voucher = None
        self.quantities = {}

    def __len__(self):
        return sum(self.quantities.values())

    def add(self, product, quantity=1):
        """Reserves pieces and puts them in."""
        self._prices.price(product)
        self._stock.reserve(product, quantity)
        self.quantities[product] = self.quantities.get(product, 0) + quantity

    def remove(self, product, quantity=1):
        """Takes pieces out and gives them back to the stock."""
        left = self.quantities.get(product, 0) - quantity
        if left < 0:
            raise ValueError(f"cannot take {quantity} of {product} out of the cart")
        self._stock.release(product, quantity)
        if left:
            self.quantities[product] = left
        else:
            del self.quantities[product]

    def add_order(self, text):
        """Puts a whole order in, or nothing of it."""
        done = []
        try:
            for product, quantity in parse_order(text).items():
                self.add(product, quantity)
                done.append((product, quantity))
        except Exception:
            for product, quantity in done:
                self.remove(product, quantity)
            raise

    def use_voucher(self, code):
        """Takes a voucher; the last one counts."""
        Vouchers().amount(code, 0)
        self._voucher = code

    def lines(self):
        """Per product: name, quantity, net after discount, tax."""
        for product, quantity in self.quantities.items():
            full = self._prices.price(product) * quantity
            net = full - best_discount(quantity, full, self._years)
            yield product, quantity, net, tax(product, net)

    def delivery(self, goods_pennies):
        """The delivery charge for goods of this value."""
        return 0 if goods_pennies >= FREE_DELIVERY_FROM else DELIVERY_PENNIES

    def total(self):
        """What there is to pay, in pennies."""
        if not self.quantities:
            raise EmptyCart
        goods = sum(net + tax_pennies for _, _, net, tax_pennies in self.lines())
        off = Vouchers().amount(self._voucher, goods) if self._voucher else 0
        return goods - off + self.delivery(goods)

    def pay(self):
        """Ships everything and empties the cart; gives the amount paid."""
        paid = self.total()
        for product, quantity in self.quantities.items():
            self._stock.ship(product, quantity)
        self.quantities = {}
        self._voucher = None
        return paid
