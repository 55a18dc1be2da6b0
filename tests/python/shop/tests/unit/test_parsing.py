import pytest

from shop.parsing import OrderError, parse_line, parse_order, split_words, unquote


@pytest.mark.parametrize("name", ["tea", "a b", "it's", "c\\d", "tab\there", "caf\u00e9", "x;y|z", "$HOME", "-rf"])
def test_quoted_name_comes_back(name):
    """The ids hold what shells and xargs trip over: spaces, a quote, backslashes, `$`, `;`."""
    escaped = name.replace("\\", "\\\\")
    assert parse_line(f'"{escaped}" x 2') == (name, 2)


@pytest.mark.parametrize(
    ("line", "expected"),
    [("tea", ("tea", 1)), ("3 x tea", ("tea", 3)), ("tea * 3", ("tea", 3)), ('2 x "green tea"', ("green tea", 2))],
    ids=["bare", "a b", "it's", 'say "hi"'],
)
def test_line(line, expected):
    assert parse_line(line) == expected


@pytest.mark.parametrize("line", ["0 x tea", "tea x tea", "3 tea", "3 x", '"tea', '"tea"s'])
def test_line_refuses(line):
    with pytest.raises(OrderError) as error:
        parse_line(line)
    assert error.value.line == line


def test_unquote_escapes():
    assert unquote(r'"say \"hi\""') == 'say "hi"'


def test_split_words_keeps_quoted_space():
    assert split_words('2  x "a  b"') == ["2", "x", '"a  b"']


def test_order_adds_up_and_skips_comments():
    assert parse_order("tea\n# later\n\n2 x bread\n3 x tea\n") == {"tea": 4, "bread": 2}
