"""Receipts and the day's figures as text."""

from shop.money import mean_pennies, show_pennies

WIDTH = 32
RULE = "-" * WIDTH


def row(label, value):
    """A label on the left, a value on the right; a long label is cut."""
    room = WIDTH - len(value) - 1
    if len(label) > room:
        label = label[: room - 1] + "…"
    return f"{label:<{room}} {value}"


def receipt(cart):
    """The receipt for a cart that is about to be paid."""
    rows = [row(f"{quantity} {product}", show_pennies(net + tax)) for product, quantity, net, tax in cart.lines()]
    return "\n".join([*rows, RULE, row("Total", show_pennies(cart.total()))])


def histogram(amounts, step_pennies=1000):
    """Counts amounts by steps: [(lower bound, count)], without empty steps."""
    counts = {}
    for amount in amounts:
        lower = amount // step_pennies * step_pennies
        counts[lower] = counts.get(lower, 0) + 1
    return sorted(counts.items())


def day_report(payments, stock):
    """The figures of a day: payments in pennies and what to order again."""
    low = stock.running_low()
    return "\n".join(
        [
            row("Orders", str(len(payments))),
            row("Takings", show_pennies(sum(payments))),
            row("Mean order", show_pennies(mean_pennies(payments))),
            row("Order again", ", ".join(low) if low else "nothing"),
        ]
    )
