r"""A recursive descent parser from LaTeX and plain notation to small trees.

    parse(r"\frac12 x^2 + \sqrt{3}")
    ("add", ("mul", ("num", ...), ("pow", ("sym", "x"), ("num", ...))), ("call", "sqrt", ...))

It knows what answers are made of and refuses everything else with `NotationError`; nothing that it
reads is ever evaluated as code. Depth and length are bounded.

Nodes are tuples: ("num", Number), ("sym", name), ("add", a, b, ...), ("mul", a, b, ...),
("neg", a), ("div", a, b), ("pow", a, b), ("call", name, a, ...), ("pm", a, b) and ("mp", a, b)
for a ± b and a ∓ b.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from turnwise_envs.math.exact import Number

Node = tuple[Any, ...]

MAX_DEPTH = 50

_FUNCTIONS = (
    "arcsin arccos arctan arccot asin acos atan sinh cosh tanh coth sech csch sin cos tan cot sec "
    "csc ln log lg exp sqrt cbrt abs det gcd lcm max min floor ceil sgn sign Re Im arg"
).split()
_ALIASES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "lg": "log10", "sgn": "sign"}
_CONSTANTS = {"pi": "pi", "infty": "infty", "infinity": "infty", "inf": "infty", "oo": "infty"}
_GREEK = set(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi "
    "rho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi "
    "Omega ell hbar".split()
)
_FONTS = ("mathrm", "mathbf", "mathit", "operatorname", "textbf", "mathbb", "boldsymbol", "vec")
_PRODUCTS = ("\\cdot", "\\times", "\\ast", "\\div", "\\bullet")
_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+")
_WORD = re.compile(r"[A-Za-z]+")
_COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_MIXED = re.compile(
    r"(\d+)(?:\s+(\d+)\s*/\s*(\d+)|\s*\\frac\s*(?:\{(\d+)\}|(\d))\s*(?:\{(\d+)\}|(\d)))"
)
_SUBSCRIPT = re.compile(r"_\s*(?:\{\s*([^{}]*)\s*\}|\\?([A-Za-z]+|\d))")
_REPEATING = re.compile(r"(\d*)\.(\d*)\\overline\s*\{?(\d+)\}?")


class NotationError(ValueError):
    """The text is not an expression of the grammar."""


def parse(text: str) -> Node:
    """Returns the tree of an expression.

    Raises:
        NotationError: If the text is no expression, or nested too deep.
    """
    parser = _Parser(text)
    node = parser.sum()
    parser.skip()
    if parser.place != len(parser.text):
        raise NotationError(f"unexpected {parser.text[parser.place : parser.place + 20]!r}")
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.depth = 0
        self.bars = 0

    # ---------------------------------------------------------------- reading

    def skip(self) -> None:
        text, place = self.text, self.place
        while place < len(text) and text[place].isspace():
            place += 1
        self.place = place

    def peek(self, *starts: str) -> str:
        """Returns which of `starts` comes next, "" where none does."""
        self.skip()
        for start in starts:
            if self.text.startswith(start, self.place):
                after = self.text[self.place + len(start) : self.place + len(start) + 1]
                if start[0] == "\\" and start[-1].isalpha() and after.isalpha():
                    continue
                return start
        return ""

    def take(self, *starts: str) -> str:
        found = self.peek(*starts)
        self.place += len(found)
        return found

    def expect(self, start: str) -> None:
        if not self.take(start):
            raise NotationError(f"{start!r} is missing")

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self.skip()
        found = pattern.match(self.text, self.place)
        if found is not None:
            self.place = found.end()
        return found

    # ---------------------------------------------------------------- grammar

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NotationError("nested too deep")
        node = self.signed()
        while sign := self.take("+", "-", "\\pm", "\\mp"):
            right = self.term()
            if sign == "+":
                node = ("add", node, right)
            elif sign == "-":
                node = ("add", node, ("neg", right))
            else:
                node = (sign[1:], node, right)
        self.depth -= 1
        return node

    def signed(self) -> Node:
        sign = self.take("+", "-", "\\pm", "\\mp")
        if sign == "-":
            return ("neg", self.term())
        if sign in ("\\pm", "\\mp"):
            return (sign[1:], ("num", Number(Fraction(0))), self.term())
        return self.term()

    def term(self) -> Node:
        node = self.factor()
        while True:
            bare = node[0] == "num"
            if self.peek("**"):
                return node
            sign = self.take("*", "/", *_PRODUCTS)
            if sign:
                negative = self.take("-")
                right = self.factor()
                if negative:
                    right = ("neg", right)
                node = ("div" if sign in ("/", "\\div") else "mul", node, right)
            elif self._starts_factor():
                digit = self.text[self.place].isdigit() or self.text[self.place] == "."
                if bare and digit:
                    raise NotationError("two numbers side by side")
                node = ("mul", node, self.factor())
            else:
                return node

    def _starts_factor(self) -> bool:
        self.skip()
        letter = self.text[self.place : self.place + 1]
        if not letter or letter in "+-*/^_!%)]},;=<>&'\"":
            return False
        if letter == "|":
            return self.bars == 0
        if letter == "\\":
            return not self.peek("\\pm", "\\mp", "\\}", "\\rfloor", "\\rceil", "\\rvert", "\\%")
        return True

    def factor(self) -> Node:
        node = self.postfix(self.atom())
        if self.take("^", "**"):
            if self.take("\\circ", "{\\circ}", "{ \\circ}", "{\\circ }"):
                return self.postfix(("mul", node, ("call", "degree")))
            exponent = self.exponent()
            node = self.postfix(("pow", node, exponent))
        return node

    def exponent(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NotationError("nested too deep")
        if self.peek("{"):
            node = self.group()
        elif self.take("-"):
            node = ("neg", self.exponent())
        else:
            node = self.postfix(self.atom())
        if self.take("^", "**"):
            node = ("pow", node, self.exponent())
        self.depth -= 1
        return node

    def postfix(self, node: Node) -> Node:
        while True:
            if self.take("!"):
                node = ("call", "factorial", node)
            elif self.take("\\%", "%"):
                node = ("div", node, ("num", Number(Fraction(100))))
            elif self.take("°"):
                node = ("mul", node, ("call", "degree"))
            else:
                return node

    def group(self) -> Node:
        """Reads a braced group, or one digit, letter or command, as TeX does."""
        if self.take("{"):
            node = self.sum()
            self.expect("}")
            return node
        self.skip()
        letter = self.text[self.place : self.place + 1]
        if letter.isdigit():
            self.place += 1
            return ("num", Number(Fraction(int(letter))))
        if letter.isalpha():
            self.place += 1
            return self.symbol(letter)
        return self.atom()

    def atom(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NotationError("nested too deep")
        node = self._atom()
        self.depth -= 1
        return node

    def _atom(self) -> Node:
        self.skip()
        letter = self.text[self.place : self.place + 1]
        if not letter:
            raise NotationError("something is missing at the end")
        if letter.isdigit() or letter == ".":
            return self.number()
        for opening, closing in (("(", ")"), ("[", "]"), ("{", "}")):
            if self.take(opening):
                bars, self.bars = self.bars, 0
                node = self.sum()
                self.bars = bars
                self.expect(closing)
                return node
        if letter == "|":
            self.place += 1
            self.bars += 1
            node = self.sum()
            self.expect("|")
            self.bars -= 1
            return ("call", "abs", node)
        if letter == "\\":
            return self.command()
        if letter == "√":
            self.place += 1
            return ("call", "sqrt", self.group())
        if letter.isalpha() and letter.isascii():
            return self.word()
        raise NotationError(f"unexpected {letter!r}")

    def number(self) -> Node:
        if repeating := self.match(_REPEATING):
            whole, fixed, again = repeating.groups()
            fixed_value = Fraction(int((whole or "0") + fixed), 10 ** len(fixed))
            again_value = Fraction(int(again), 10 ** len(fixed) * (10 ** len(again) - 1))
            return ("num", Number(fixed_value + again_value))
        if mixed := self.match(_MIXED):
            whole, *rest = mixed.groups()
            top, bottom = (int(part) for part in rest if part is not None)
            if not 0 < top < bottom:
                raise NotationError("a mixed number's fraction must be below 1")
            return ("num", Number(int(whole) + Fraction(top, bottom)))
        found = self.match(_NUMBER)
        if found is None or len(found[0]) > 400:
            raise NotationError("a number is missing")
        whole, point, fraction = found[0].partition(".")
        value = Fraction(int((whole + fraction) or "0"), 10 ** len(fraction))
        if not point:
            based = self.match(_SUBSCRIPT)
            if based is not None:
                return self.based(whole, based[1] or based[2])
            return ("num", Number(value))
        return ("num", Number(value, len(fraction), len((whole + fraction).lstrip("0"))))

    def based(self, digits: str, base: str) -> Node:
        """Reads a numeral with its base as subscript; it is another thing than its value."""
        named = {"two": "2", "eight": "8", "ten": "10", "sixteen": "16"}.get(base, base)
        if not named.isdigit() or not 2 <= int(named) <= 36:
            raise NotationError("a base must be from 2 to 36")
        try:
            value = int(digits, int(named))
        except ValueError as error:
            raise NotationError("a digit does not exist in the base") from error
        if int(named) == 10:
            return ("num", Number(Fraction(value)))
        return ("call", "based", ("num", Number(Fraction(value))), ("num", Number(Fraction(named))))

    def word(self) -> Node:
        """Reads a function, a constant or a variable out of a run of letters."""
        found = _WORD.match(self.text, self.place)
        assert found is not None
        run = found[0]
        for name in _FUNCTIONS:
            if run.startswith(name) and (len(run) > len(name) or name not in ("Re", "Im", "arg")):
                rest = run[len(name) :]
                if not rest or (len(rest) == 1 and name in ("sin", "cos", "tan", "ln", "log")):
                    self.place += len(name)
                    return self.function(_ALIASES.get(name, name))
        if run in _CONSTANTS:
            self.place += len(run)
            return ("call", _CONSTANTS[run])
        if run in _GREEK:
            self.place += len(run)
            return self.symbol(run)
        if len(run) > 1 and run.isupper():
            self.place += len(run)
            return self.symbol(run)
        if run.startswith("pi"):
            self.place += 2
            return ("call", "pi")
        self.place += 1
        return self.symbol(run[0])

    def symbol(self, name: str) -> Node:
        subscript = self.match(_SUBSCRIPT)
        if subscript is not None:
            return ("sym", f"{name}_{(subscript[1] or subscript[2] or '').strip()}")
        if name in ("i", "I"):
            return ("call", "i")
        if name == "e":
            return ("call", "e")
        return ("sym", name)

    # ---------------------------------------------------------------- commands

    def command(self) -> Node:
        found = self.match(_COMMAND)
        assert found is not None
        name = found[1]
        if name in ("frac", "dfrac", "tfrac", "cfrac"):
            return ("div", self.group(), self.group())
        if name in ("binom", "dbinom", "tbinom"):
            return ("call", "binomial", self.group(), self.group())
        if name == "sqrt":
            return self.root()
        if name in _FUNCTIONS:
            return self.function(_ALIASES.get(name, name))
        if name in _CONSTANTS:
            return ("call", _CONSTANTS[name])
        if name in _GREEK:
            return self.symbol(name)
        if name in ("lfloor", "lceil", "lvert"):
            node = self.sum()
            self.expect({"lfloor": "\\rfloor", "lceil": "\\rceil", "lvert": "\\rvert"}[name])
            return ("call", {"lfloor": "floor", "lceil": "ceil", "lvert": "abs"}[name], node)
        if name in _FONTS:
            return self.styled()
        if name in ("circ", "degree"):
            return ("call", "degree")
        if name in ("overline", "bar"):
            return ("call", "conjugate", self.group())
        raise NotationError(f"unknown command \\{name}")

    def root(self) -> Node:
        if self.take("["):
            index = self.sum()
            self.expect("]")
            radicand = self.group()
            return ("call", "root", radicand, index)
        return ("call", "sqrt", self.group())

    def styled(self) -> Node:
        """Reads what a font command holds: an operator's name, or a symbol."""
        self.expect("{")
        found = self.match(_WORD)
        if found is None:
            raise NotationError("a font command must hold a name")
        self.expect("}")
        name = found[0]
        if name in _FUNCTIONS:
            return self.function(_ALIASES.get(name, name))
        return self.symbol(name)

    def function(self, name: str) -> Node:
        if name == "sqrt":
            return self.root()
        base: Node | None = None
        power: Node | None = None
        for _ in range(2):
            if name == "log" and self.take("_"):
                base = self.group()
            elif self.take("^"):
                power = self.group()
        arguments = self.arguments()
        if name == "log" and base is not None:
            node: Node = ("call", "logbase", *arguments, base)
        else:
            node = ("call", "ln" if name == "log" and base is None else name, *arguments)
        if power is None:
            return node
        minus_one = power == ("neg", ("num", Number(Fraction(1))))
        if minus_one and name in ("sin", "cos", "tan", "cot"):
            return ("call", "arc" + name, *arguments)
        return ("pow", node, power)

    def arguments(self) -> list[Node]:
        """Reads "(a, b)" or what stands after a function without parentheses."""
        opened = self.take("(", "[", "{")
        if opened:
            bars, self.bars = self.bars, 0
            found = [self.sum()]
            while self.take(","):
                found.append(self.sum())
            self.bars = bars
            self.expect({"(": ")", "[": "]", "{": "}"}[opened])
            return found
        if self.take("-"):
            return [("neg", self.factor())]
        node = self.factor()
        while self._starts_factor() and not self._starts_function() and self.peek("(") == "":
            node = ("mul", node, self.factor())
        if node[0] == "num" and self.take("/"):
            node = ("div", node, self.factor())
        return [node]

    def _starts_function(self) -> bool:
        self.skip()
        found = re.compile(r"\\?([A-Za-z]+)").match(self.text, self.place)
        return found is not None and found[1] in _FUNCTIONS
