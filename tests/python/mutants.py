"""Small faults in Python source: each replaces one piece of text. Seeded by whoever shuffles them; standard library only."""
import ast, itertools, re
from dataclasses import dataclass

OPERATORS = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "+"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"), ast.Pow: ("**", "*"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
    ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<"),
}
COMPARISONS = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
BOOLEANS = {ast.And: ("and", "or"), ast.Or: ("or", "and")}
SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr, ast.Raise, ast.Assert)
BRANCHES = (ast.If, ast.While)
DELETED = (ast.Assign, ast.AugAssign, ast.Raise)


@dataclass(frozen=True)
class Mutant:
    """One fault: the bytes `start` to `end` of a file become `text`."""
    kind: str
    function: str  # what it stands in, with dots; empty at module scope
    first: int     # the lines of its statement, or of the condition of one
    last: int
    start: int
    end: int
    text: str

    def apply(self, source):
        return source[:self.start] + self.text.encode() + source[self.end:]


class _File:
    def __init__(self, source):
        self.source = source
        self.starts = [0, *itertools.accumulate(map(len, source.splitlines(keepends=True)))]

    def start(self, node):
        return self.starts[node.lineno - 1] + node.col_offset

    def end(self, node):
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def between(self, left, right, old, new):
        """Replaces the operator between two operands, where nothing but brackets stands beside it."""
        start, end = self.end(left), self.start(right)
        text = self.source[start:end].decode()
        pattern = r"([\s()]*)" + r"\s+".join(map(re.escape, old.split())) + r"([\s()]*)"
        found = re.fullmatch(pattern, text)
        return [(start, end, found[1] + new + found[2])] if found else []

    def whole(self, node, text):
        return [(self.start(node), self.end(node), text)]

    def removal(self, statement, body):
        """Takes a statement out: its lines, or `pass` where a block would be empty or a line is shared."""
        first, last = self.starts[statement.lineno - 1], self.starts[statement.end_lineno]
        alone = self.source[first:last].strip() == self.source[self.start(statement):self.end(statement)]
        return [(first, last, "")] if alone and len(body) > 1 else self.whole(statement, "pass")


def _constant(value):
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, (int, float)):
        return repr(value + 1)
    return '""' if isinstance(value, str) and value else None


def _is_none(node):
    return isinstance(node, ast.Constant) and node.value is None


def _expressions(file, root):
    """(kind, replacement) of every operator and constant of an expression; f-strings are left alone."""
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.JoinedStr, ast.Lambda)):
            continue
        pending.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            edits = [("operator", e) for e in file.between(node.left, node.right, *OPERATORS[type(node.op)])]
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            edits = [("comparison", e) for e in file.between(node.left, node.comparators[0], *COMPARISONS[type(node.ops[0])])]
        elif isinstance(node, ast.BoolOp):
            edits = [("boolean", e) for e in file.between(*node.values[:2], *BOOLEANS[type(node.op)])] if len(node.values) == 2 else []
        elif isinstance(node, ast.Constant) and (text := _constant(node.value)):
            edits = [("constant", e) for e in file.whole(node, text)]
        else:
            edits = []
        yield from edits


def _statement(file, statement, body):
    if isinstance(statement, BRANCHES):
        condition = file.source[file.start(statement.test):file.end(statement.test)].decode()
        yield from (("condition", e) for e in file.whole(statement.test, f"not ({condition})"))
        yield from _expressions(file, statement.test)
        return
    if isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Call):
        return  # A doc string, or a yield.
    if isinstance(statement, ast.Return) and statement.value is not None and not _is_none(statement.value):
        yield from (("return", e) for e in file.whole(statement.value, "None"))
    if isinstance(statement, (ast.Expr, *DELETED)):
        yield from (("deletion", e) for e in file.removal(statement, body))
    yield from _expressions(file, statement)


def mutants(source):
    """All mutants of a file, in the order of its text."""
    file, found = _File(source), []

    def blocks(node, function):
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            body = getattr(node, field, None) or []
            for statement in body if isinstance(body, list) else []:
                inner = function
                if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    inner = f"{function}.{statement.name}".lstrip(".")
                if isinstance(statement, (*SIMPLE, *BRANCHES)):
                    last = (statement.test if isinstance(statement, BRANCHES) else statement).end_lineno
                    for kind, (start, end, text) in _statement(file, statement, body):
                        found.append(Mutant(kind, function, statement.lineno, last, start, end, text))
                blocks(statement, inner)

    blocks(ast.parse(source), "")
    return found
