"""Fixtures of every scope: what they run is recorded for the test that happened to need them first."""

import time

import pytest

from shop import Cart, PriceList, Stock

PIECES = {"apple": 200, "bread": 20, "kettle": 4, "lamp": 12, "novel": 60, "tea": 150}


@pytest.fixture(scope="session")
def prices():
    """The price list, made once."""
    return PriceList()


@pytest.fixture(scope="module")
def catalogue():
    """Names on offer, fetched once a module."""
    time.sleep(0.02)
    return tuple(sorted(PIECES))


@pytest.fixture
def stock():
    """Full shelves for each test."""
    return Stock(PIECES)


@pytest.fixture
def cart(stock, prices):
    """An empty cart."""
    return Cart(stock, prices)
