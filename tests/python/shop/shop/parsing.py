r"""Orders as text: one line a product, `3 x tea`, `tea`, `"green tea" * 2`, `# a comment`.

A name in double quotes may hold anything; `\"` and `\\` stand for the quote and the backslash in it.
"""

COMMENT = "#"
ESCAPE = "\\"
QUOTE = '"'
TIMES = ("x", "*")


class OrderError(ValueError):
    """A line that is not an order line."""

    def __init__(self, line, problem):
        super().__init__(f"{problem}: {line!r}")
        self.line = line


def unquote(word):
    """The name inside quotes, with its escapes read; a bare word is its own name."""
    if not word.startswith(QUOTE):
        return word
    name, escaped = [], False
    for position, letter in enumerate(word[1:], start=1):
        if escaped:
            name.append(letter)
            escaped = False
        elif letter == ESCAPE:
            escaped = True
        elif letter == QUOTE:
            if position + 1 != len(word):
                raise OrderError(word, "text after the closing quote")
            return "".join(name)
        else:
            name.append(letter)
    raise OrderError(word, "no closing quote")


def split_words(line):
    """Splits at white space outside quotes."""
    words, word, quoted, escaped = [], [], False, False
    for letter in line:
        if letter.isspace() and not quoted:
            if word:
                words.append("".join(word))
                word = []
            continue
        word.append(letter)
        if escaped:
            escaped = False
        elif letter == ESCAPE:
            escaped = quoted
        elif letter == QUOTE:
            quoted = not quoted
    if word:
        words.append("".join(word))
    return words


def parse_line(line):
    """Reads one order line as (product, quantity)."""
    words = split_words(line)
    if len(words) == 1:
        return unquote(words[0]), 1
    if len(words) != 3 or words[1] not in TIMES:
        raise OrderError(line, "expected `product` or `quantity x product`")
    count, name = (words[0], words[2]) if words[0].isdigit() else (words[2], words[0])
    if not count.isdigit() or int(count) == 0:
        raise OrderError(line, "the quantity is a whole number of one or more")
    return unquote(name), int(count)


def parse_order(text):
    """Reads an order, adding up lines about the same product; keeps the order in which products first came."""
    quantities = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith(COMMENT):
            continue
        product, quantity = parse_line(line)
        quantities[product] = quantities.get(product, 0) + quantity
    return quantities
