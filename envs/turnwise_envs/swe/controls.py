"""Turns tests into their opposites: what a right repair passes, it must fail as an opposite.

A program that passes both has not passed a test: it has changed what a test is. A test that ends
with an assertion gets that one turned round; any other is made to fail after its end. So all that a
test does for others that depend on it is done.
"""

import ast
from collections.abc import Collection, Iterator
from itertools import accumulate

_OPPOSITES: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: ">=",
    ast.GtE: "<",
    ast.Gt: "<=",
    ast.LtE: ">",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
_WRAPPER = """

def {wrapper}(function):
    import functools

    @functools.wraps(function)
    def run(*arguments, **names):
        function(*arguments, **names)
        raise AssertionError

    return run


"""
_NAME = "_then_fails"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def opposite(source: bytes, tests: Collection[str]) -> tuple[bytes, frozenset[str]]:
    """Returns a test file with some of its tests turned round.

    Args:
        source: the file.
        tests: names of test functions, those of classes as `Class::name`.

    Returns:
        The file, and the names that were found in it; a file that cannot be read as UTF-8 Python is
        returned as it is, with none.
    """
    try:
        module = ast.parse(source.decode())
    except (SyntaxError, ValueError):
        return source, frozenset()
    starts = list(accumulate(map(len, source.splitlines(keepends=True)), initial=0))
    edits, footer, found = [], [], set()
    for name, function in _functions(module, ""):
        if name not in tests:
            continue
        found.add(name)
        asserted = _assertion(function)
        if asserted is None:
            dotted = name.replace("::", ".")
            footer.append(f"{dotted} = {_NAME}({dotted})\n")
        else:
            edits.append(_turned(asserted, starts))
    for start, end, text in sorted(edits, reverse=True):
        source = source[:start] + text + source[end:]
    if footer:
        source += (_WRAPPER.format(wrapper=_NAME) + "".join(footer)).encode()
    return source, frozenset(found)


def _functions(node: ast.Module | ast.ClassDef, above: str) -> Iterator[tuple[str, Function]]:
    for part in node.body:
        if isinstance(part, Function):
            yield above + part.name, part
        elif isinstance(part, ast.ClassDef):
            yield from _functions(part, f"{above}{part.name}::")


def _assertion(function: Function) -> ast.Assert | None:
    """Returns the assertion that every passing run of the function ends with, if one does."""
    last = function.body[-1]
    leaves = (ast.Return, ast.Yield, ast.YieldFrom)
    if isinstance(last, ast.Assert) and not any(isinstance(n, leaves) for n in ast.walk(function)):
        return last
    return None


def _turned(statement: ast.Assert, starts: list[int]) -> tuple[int, int, bytes]:
    """Returns (start, end, text) of the edit that turns an assertion round."""
    test = statement.test
    assert test.end_lineno is not None
    assert test.end_col_offset is not None
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        # Another operator, not a negation: an object that equals everything differs from nothing.
        left, right = ast.unparse(test.left), ast.unparse(test.comparators[0])
        text = f"(({left}) {_OPPOSITES[type(test.ops[0])]} ({right}))"
    else:
        text = f"(not ({ast.unparse(test)}))"
    start = starts[test.lineno - 1] + test.col_offset
    return start, starts[test.end_lineno - 1] + test.end_col_offset, text.encode()
