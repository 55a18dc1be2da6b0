"""What is on the shelves, and what is promised to a cart."""

import time

LOW_STOCK = 5
# The warehouse answers slowly; everything that asks it is a slow test.
WAREHOUSE_DELAY_S = 0.3


class OutOfStock(Exception):
    """More was asked for than is there."""

    def __init__(self, product, wanted, available):
        super().__init__(f"{product}: wanted {wanted}, {available} available")
        self.product = product
        self.wanted = wanted
        self.available = available


class Stock:
    """Pieces by product; a reserved piece is still on the shelf but not available."""

    def __init__(self, pieces=None):
        self._pieces = dict(pieces or {})
        self._reserved = {}

    def available(self, product):
        """Pieces that nobody has reserved."""
        return self._pieces.get(product, 0) - self._reserved.get(product, 0)

    def add(self, product, pieces):
        """Puts delivered pieces on the shelf."""
        if pieces < 1:
            raise ValueError(f"a delivery has at least one piece, found {pieces}")
        self._pieces[product] = self._pieces.get(product, 0) + pieces

    def reserve(self, product, pieces):
        """Promises pieces to a cart."""
        available = self.available(product)
        if pieces > available:
            raise OutOfStock(product, pieces, available)
        self._reserved[product] = self._reserved.get(product, 0) + pieces

    def release(self, product, pieces):
        """Gives reserved pieces back; never more than were reserved."""
        held = self._reserved.get(product, 0)
        self._reserved[product] = held - min(pieces, held)

    def ship(self, product, pieces):
        """Takes reserved pieces off the shelf."""
        held = self._reserved.get(product, 0)
        if pieces > held:
            raise OutOfStock(product, pieces, held)
        self._reserved[product] = held - pieces
        self._pieces[product] -= pieces

    def running_low(self):
        """Products of which few are available, by name."""
        return sorted(product for product in self._pieces if self.available(product) < LOW_STOCK)


def count_in_warehouse(stock, products, delay_s=WAREHOUSE_DELAY_S):
    """Asks the warehouse for its own count of some products."""
    time.sleep(delay_s)
    return {product: stock.available(product) for product in products}
