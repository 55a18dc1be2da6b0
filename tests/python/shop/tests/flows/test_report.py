from shop.report import WIDTH, day_report, histogram, receipt, row


def test_row_cuts_a_long_label():
    assert len(row("a very long name for a small thing", "£1.00")) == WIDTH


def test_receipt_ends_with_the_total(cart):
    cart.add("lamp")
    assert receipt(cart).splitlines()[-1] == row("Total", "£46.80")


def test_histogram_has_no_empty_steps():
    assert histogram([10, 990, 1000, 5200]) == [(0, 2), (1000, 1), (5000, 1)]


def test_day_report(stock):
    text = day_report([1000, 2001], stock)
    assert row("Takings", "£30.01") in text
    assert row("Order again", "kettle") in text
