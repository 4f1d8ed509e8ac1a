"""Bugs that people write, injected into Python source by its syntax tree.

A mutation replaces one stretch of the text, so that all else, comments and layout, stays as it is.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random

KINDS = (
    "boundary",
    "operator",
    "off_by_one",
    "wrong_variable",
    "missing_guard",
    "dropped_branch",
    "swapped_arguments",
    "wrong_function",
    "negation",
)

_BOUNDARIES: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
}
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.FloorDiv: "*",
    ast.Mod: "//",
    ast.BitOr: "&",
    ast.BitAnd: "|",
}
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "sum": "len", "len": "sum"}
_LEAVES = (ast.Raise, ast.Return, ast.Continue, ast.Break)


@dataclass(frozen=True, order=True)
class Mutation:
    """One bug: the text of `path` from `start` to `end` becomes `text`."""

    path: str
    start: int
    end: int
    text: str
    kind: str

    def apply(self, source: str) -> str:
        """Returns the source with the bug."""
        return source[: self.start] + self.text + source[self.end :]


def mutated(files: Mapping[str, bytes], mutations: Sequence[Mutation]) -> dict[str, bytes]:
    """Returns the files with all bugs; the mutations must not overlap."""
    changed = dict(files)
    for mutation in sorted(mutations, reverse=True):  # from the end, so that places stay valid
        changed[mutation.path] = mutation.apply(changed[mutation.path].decode()).encode()
    return changed


def find_mutations(path: str, source: str) -> list[Mutation]:
    """Returns every mutation of a file that leaves it a syntactically valid program, sorted."""
    finder = _Finder(path, source)
    return [mutation for mutation in sorted(set(finder.all())) if finder.is_sound(mutation)]


def sample_mutations(files: Mapping[str, bytes], count: int, rng: Random) -> list[Mutation]:
    """Returns some of the mutations of some files, without looking at all of them."""
    finders = {path: _Finder(path, content.decode()) for path, content in files.items()}
    found = sorted({mutation for finder in finders.values() for mutation in finder.all()})
    rng.shuffle(found)
    sound = (mutation for mutation in found if finders[mutation.path].is_sound(mutation))
    return list(islice(sound, count))


class _Finder:
    """Walks one file's tree."""

    def __init__(self, path: str, source: str) -> None:
        self._path, self._source = path, source
        self._tree = ast.parse(source)
        self._dumped = ast.dump(self._tree)
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def is_sound(self, mutation: Mutation) -> bool:
        """Says whether what comes out is a program, and another one."""
        try:
            return ast.dump(ast.parse(mutation.apply(self._source))) != self._dumped
        except SyntaxError:
            return False

    def all(self) -> Iterator[Mutation]:
        """Yields the mutations of every function."""
        finders: tuple[Callable[[ast.AST], Iterator[Mutation]], ...] = (
            self._comparisons,
            self._operators,
            self._numbers,
            self._branches,
            self._calls,
            self._negations,
        )
        for function in ast.walk(self._tree):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    for finder in finders:
                        yield from finder(node)
                yield from self._variables(function)

    def _at(self, line: int, column: int) -> int:
        # Columns of the tree count bytes.
        text = self._source[self._lines[line - 1] :].split("\n", 1)[0]
        return self._lines[line - 1] + len(text.encode()[:column].decode())

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._at(node.lineno, node.col_offset)
        return start, self._at(node.end_lineno, node.end_col_offset)

    def _text(self, node: ast.expr | ast.stmt) -> str:
        start, end = self._span(node)
        return self._source[start:end]

    def _replace(self, node: ast.expr | ast.stmt, text: str, kind: str) -> Mutation:
        return Mutation(self._path, *self._span(node), text, kind)

    def _between(self, left: ast.expr, right: ast.expr, text: str, kind: str) -> Mutation:
        """Replaces the operator that stands between two operands."""
        start, end = self._span(left)[1], self._span(right)[0]
        gap = self._source[start:end]
        word = gap.strip(" ()\n")
        place = start + gap.index(word) if word else start
        return Mutation(self._path, place, place + len(word), text, kind)

    def _comparisons(self, node: ast.AST) -> Iterator[Mutation]:
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
                if text := _BOUNDARIES.get(type(operator)):
                    yield self._between(left, right, text, "boundary")
                if text := _COMPARISONS.get(type(operator)):
                    yield self._between(left, right, text, "operator")

    def _operators(self, node: ast.AST) -> Iterator[Mutation]:
        if isinstance(node, ast.BinOp) and (text := _ARITHMETIC.get(type(node.op))):
            yield self._between(node.left, node.right, text, "operator")
        if isinstance(node, ast.AugAssign) and (text := _ARITHMETIC.get(type(node.op))):
            yield self._between(node.target, node.value, f"{text}=", "operator")
        if isinstance(node, ast.BoolOp):
            text = "or" if isinstance(node.op, ast.And) else "and"
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield self._between(left, right, text, "operator")

    def _numbers(self, node: ast.AST) -> Iterator[Mutation]:
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value < 1000:
            yield self._replace(node, str(node.value + 1), "off_by_one")
            if node.value > 0:
                yield self._replace(node, str(node.value - 1), "off_by_one")

    def _branches(self, node: ast.AST) -> Iterator[Mutation]:
        if not isinstance(node, ast.If):
            return
        start = self._lines[node.lineno - 1]
        if not node.orelse and isinstance(node.body[-1], _LEAVES):
            end = self._lines[(node.end_lineno or node.lineno)]
            first = self._source[start:end].lstrip()
            if first.startswith("if"):
                yield Mutation(self._path, start, end, "", "missing_guard")
        elif node.orelse and not isinstance(node.orelse[0], ast.If):
            begin = self._span(node.body[-1])[1]
            yield Mutation(self._path, begin, self._span(node)[1], "", "dropped_branch")

    def _calls(self, node: ast.AST) -> Iterator[Mutation]:
        if not isinstance(node, ast.Call):
            return
        if isinstance(node.func, ast.Name) and (name := _FUNCTIONS.get(node.func.id)):
            yield self._replace(node.func, name, "wrong_function")
        for left, right in zip(node.args, node.args[1:], strict=False):
            first, second = self._span(left), self._span(right)
            text = self._text(right) + self._source[first[1] : second[0]] + self._text(left)
            yield Mutation(self._path, first[0], second[1], text, "swapped_arguments")

    def _negations(self, node: ast.AST) -> Iterator[Mutation]:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            yield self._replace(node, self._text(node.operand), "negation")
        if isinstance(node, ast.Constant) and type(node.value) is bool:
            yield self._replace(node, str(not node.value), "negation")

    def _variables(self, function: ast.FunctionDef) -> Iterator[Mutation]:
        """Puts one local name in the place of another of its group."""
        partners: dict[str, set[str]] = {}
        for group in _groups(function):
            for name in group:
                partners.setdefault(name, set()).update(group - {name})
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                for name in sorted(partners.get(node.id, ())):
                    yield self._replace(node, name, "wrong_variable")


def _groups(function: ast.FunctionDef) -> Iterator[set[str]]:
    """Yields the names that a person could confuse: of one type, or bound side by side."""
    by_type: dict[str, set[str]] = {}
    for argument in function.args.args:
        if argument.annotation is not None:
            by_type.setdefault(ast.dump(argument.annotation), set()).add(argument.arg)
    yield from by_type.values()
    for node in ast.walk(function):
        if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store):
            yield {part.id for part in node.elts if isinstance(part, ast.Name)}
        if isinstance(node, ast.Assign) and len(node.targets) > 1:
            yield {target.id for target in node.targets if isinstance(target, ast.Name)}
