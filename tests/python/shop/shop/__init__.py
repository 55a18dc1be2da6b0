"""A small shop: prices, discounts, stock, orders as text, carts and reports."""

from shop.cart import Cart
from shop.prices import PriceList
from shop.stock import OutOfStock, Stock

__all__ = ["Cart", "OutOfStock", "PriceList", "Stock"]
