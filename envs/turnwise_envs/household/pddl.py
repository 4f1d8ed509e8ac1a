"""Reading PDDL: expressions, typed objects, initial facts, goal; with places in error messages.

Every `where` is a place inside a game file ("pddl_problem"); who knows the file adds its path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from turnwise_envs.errors import DataError

Expression = str | list["Expression"]
Fact = tuple[str, ...]

_COMMENT = re.compile(r";[^\n]*")


def words(text: str) -> frozenset[str]:
    """Returns the set of the words of `text`."""
    return frozenset(text.split())


TYPES = words("agent location receptacle object rtype otype")
"""Types of the ALFRED domain."""

# The original, too, takes no notice of these where the argument has another type.
_FLAGS = words(
    "isreceptacleobject isclean cleanable ishot heatable iscool coolable pickupable moveable "
    "toggleable ison istoggled sliceable issliced"
)
# No rule and no text asks for these.
_IGNORED = words(
    "isreceptacleobjectfull wasinreceptacle checked examined holdsanyreceptacleobject full"
)
PREDICATES: dict[str, Fact | None] = {
    "atlocation": ("agent", "location"),
    "receptacleatlocation": ("receptacle", "location"),
    "objectatlocation": ("object", "location"),
    "openable": ("receptacle",),
    "opened": ("receptacle",),
    "inreceptacle": ("object", "receptacle"),
    "inreceptacleobject": ("object", "object"),
    "receptacletype": ("receptacle", "rtype"),
    "objecttype": ("object", "otype"),
    "cancontain": ("rtype", "otype"),
    "holds": ("agent", "object"),
    "holdsany": ("agent",),
    **dict.fromkeys(sorted(_FLAGS | _IGNORED)),
}
"""Predicates of the ALFRED domain, with the types of the arguments where they are checked."""


def parse(text: str, where: str) -> Expression:
    """Returns the one expression in `text`, lower-cased (PDDL ignores case).

    Raises:
        DataError: If the parentheses do not match.
    """
    stack: list[list[Expression]] = []
    current: list[Expression] = []
    code = _COMMENT.sub("", text).lower().replace("(", " ( ").replace(")", " ) ")
    for token in code.split():
        if token == "(":
            stack.append(current)
            current = []
        elif token == ")":
            if not stack:
                raise DataError(
                    f"{where}, line {_line_of_stray(text)}: a ')' closes nothing. Restore the file."
                )
            done, current = current, stack.pop()
            current.append(done)
        else:
            current.append(token)
    if stack or len(current) != 1:
        raise DataError(
            f"{where}: must be one balanced (define ...), it is cut off or damaged. "
            "Restore the file."
        )
    return current[0]


def _line_of_stray(text: str) -> int:
    depth = 0
    for number, line in enumerate(text.split("\n"), start=1):
        for sign in re.findall("[()]", _COMMENT.sub("", line)):
            depth += 1 if sign == "(" else -1
            if depth < 0:
                return number
    raise AssertionError("There is a stray parenthesis.")


def section(expression: Expression, name: str, where: str) -> list[Expression]:
    """Returns what follows `name` in the (define ...) expression.

    Raises:
        DataError: If there is no such section.
    """
    for part in expression[1:]:
        if isinstance(part, list) and part and part[0] == name:
            return part[1:]
    raise DataError(f"{where}: has no ({name} ...) section. Restore the file.")


@dataclass
class Problem:
    """A parsed problem.

    Attributes:
        types: type of each declared object.
        facts: argument tuples of the initial facts by predicate.
        goal: the goal formula.
    """

    types: dict[str, str]
    facts: dict[str, list[Fact]]
    goal: Expression


def parse_problem(text: str, where: str) -> Problem:
    """Parses a problem of the ALFRED domain.

    Raises:
        DataError: If a section is missing, an object has no type or one that the domain lacks, or
            a fact uses an unknown predicate, an undeclared object, or one of another type.
    """
    problem = parse(text, where)
    types = typed_names(section(problem, ":objects", where))
    for name, kind in types.items():
        if kind not in TYPES:
            found = f"the type {kind!r}" if kind else "no type"
            raise DataError(
                f"{where}, :objects: {name!r} must have one of the types "
                f"{', '.join(sorted(TYPES))}, has {found}. Was the game made for another version?"
            )
    facts: dict[str, list[Fact]] = {}
    for expression in section(problem, ":init", where):
        fact = _fact(expression, types, f"{where}, :init")
        if fact is not None:
            facts.setdefault(fact[0], []).append(fact[1:])
    goal = section(problem, ":goal", where)
    if len(goal) != 1:
        raise DataError(f"{where}, :goal: must be one formula, got {len(goal)}. Restore the file.")
    return Problem(types, facts, goal[0])


def _fact(expression: Expression, types: dict[str, str], where: str) -> Fact | None:
    """Returns a checked initial fact; None for a number, which is a cost."""
    if not isinstance(expression, list) or not expression:
        raise DataError(f"{where}: {expression!r} is no fact. Restore the file.")
    if expression[0] == "=":
        return None
    fact = tuple([str(part) for part in expression])
    if fact[0] not in PREDICATES:
        raise DataError(
            f"{where}: unknown predicate {fact[0]!r} in {_shown(fact)}. The ALFRED domain has none "
            "of this name; was the game made for another version?"
        )
    kinds = tuple([types.get(name, "") for name in fact[1:]])
    if "" in kinds:
        raise DataError(
            f"{where}: {_shown(fact)} names {fact[1 + kinds.index('')]!r}, which :objects does not "
            "declare with a type. Restore the file."
        )
    wanted = PREDICATES[fact[0]]
    if (wanted is not None and kinds != wanted) or not kinds:
        raise DataError(
            f"{where}: the arguments of {_shown(fact)} must be {', '.join(wanted or ('one',))}, "
            f"got {', '.join(kinds) or 'none'}. Correct :objects, or restore the file."
        )
    return fact


def _shown(fact: Fact) -> str:
    return f"({' '.join(fact)})"


def typed_names(names: list[Expression]) -> dict[str, str]:
    """Returns {name: type} of a typed list "a b - t c - u"; "" for a name without a type."""
    typed: dict[str, str] = {}
    waiting: list[str] = []
    items = iter(names)
    for item in items:
        if item == "-":
            kind = str(next(items, ""))
            typed.update(dict.fromkeys(waiting, kind))
            waiting = []
        else:
            waiting.append(str(item))
    typed.update(dict.fromkeys(waiting, ""))
    return typed
