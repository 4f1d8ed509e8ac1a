"""Reading PDDL: expressions, typed objects, initial facts, goal; with places in error messages."""

from __future__ import annotations

import re
from dataclasses import dataclass

from turnwise_envs.errors import DataError

Expression = str | list["Expression"]
Fact = tuple[str, ...]

_TOKEN = re.compile(r";[^\n]*|[()]|[^\s();]+")


def words(text: str) -> frozenset[str]:
    """Returns the set of the words of `text`."""
    return frozenset(text.split())


PREDICATES = words(
    """atlocation receptacleatlocation objectatlocation openable opened inreceptacle
    isreceptacleobject inreceptacleobject isreceptacleobjectfull wasinreceptacle checked examined
    receptacletype cancontain objecttype holds holdsany holdsanyreceptacleobject full isclean
    cleanable ishot heatable iscool coolable pickupable moveable toggleable ison istoggled sliceable
    issliced"""
)
"""Predicates of the ALFRED domain."""

ACTIONS = words(
    """look inventory examinereceptacle examineobject gotolocation openobject closeobject
    pickupobject putobject cleanobject heatobject coolobject toggleobject sliceobject"""
)
"""Actions without which a domain is not the ALFRED domain ("help" came later)."""


def parse(text: str, where: str) -> Expression:
    """Returns the one expression in `text`, lower-cased (PDDL ignores case).

    Raises:
        DataError: If the parentheses do not match.
    """
    stack: list[list[Expression]] = [[]]
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == "(":
            stack.append([])
        elif token == ")":
            if len(stack) == 1:
                line = text.count("\n", 0, match.start()) + 1
                raise DataError(f"{where}, line {line}: a ')' closes nothing. Restore the file.")
            done = stack.pop()
            stack[-1].append(done)
        elif token[0] != ";":
            stack[-1].append(token.lower())
    if len(stack) != 1 or len(stack[0]) != 1:
        raise DataError(f"{where}: must be one balanced (define ...), it is cut off or damaged.")
    return stack[0][0]


def section(expression: Expression, name: str, where: str) -> list[Expression]:
    """Returns what follows `name` in the (define ...) expression.

    Raises:
        DataError: If there is no such section.
    """
    for part in expression[1:]:
        if isinstance(part, list) and part and part[0] == name:
            return part[1:]
    raise DataError(f"{where}: has no ({name} ...) section. Restore the file.")


def check_domain(text: str, where: str) -> bool:
    """Checks that a domain is ALFRED's.

    Returns:
        Whether objects can be examined where they lie. The rule's text says so, but ALFWorld's
        has "location," for a type, which no object is of; a mended domain would differ here.

    Raises:
        DataError: If it lacks a predicate or an action that the engine plays.
    """
    domain = parse(text, where)
    declared = {part[0] for part in section(domain, ":predicates", where) if isinstance(part, list)}
    actions = {part[1] for part in domain if isinstance(part, list) and part[:1] == [":action"]}
    for what, missing in (("predicates", PREDICATES - declared), ("actions", ACTIONS - actions)):
        if missing:
            raise DataError(
                f"{where}: must be the ALFRED domain, it lacks the {what} {sorted(missing)}. "
                "Other PDDL games are played by turnwise/TextWorld-v0."
            )
    (examine,) = [part for part in domain if isinstance(part, list) and "examineobject" in part]
    types = set(section(domain, ":types", where)) | {"object"}
    return all(kind in types for kind in _quantified_types(examine))


def _quantified_types(expression: Expression) -> list[str]:
    if not isinstance(expression, list):
        return []
    found = [kind for part in expression for kind in _quantified_types(part)]
    if expression[:1] == ["exists"]:
        found += typed_names(list(expression[1])).values()
    return found


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
        DataError: If a section is missing, or a fact uses an unknown predicate or object.
    """
    problem = parse(text, where)
    types = typed_names(section(problem, ":objects", where))
    facts: dict[str, list[Fact]] = {}
    for fact in section(problem, ":init", where):
        if not isinstance(fact, list) or not fact:
            raise DataError(f"{where}, :init: {fact!r} is no fact. Restore the file.")
        predicate, *arguments = fact
        if predicate == "=":
            continue
        if predicate not in PREDICATES:
            raise DataError(
                f"{where}, :init: unknown predicate {predicate!r}. The ALFRED domain has none of "
                "this name; was the game made for another version?"
            )
        for argument in arguments:
            if argument not in types:
                raise DataError(
                    f"{where}, :init: ({' '.join(map(str, fact))}) names {argument!r}, which "
                    ":objects does not declare with a type."
                )
        facts.setdefault(str(predicate), []).append(tuple(map(str, arguments)))
    (goal,) = section(problem, ":goal", where)[:1] or [[]]
    return Problem(types, facts, goal)


def typed_names(names: list[Expression]) -> dict[str, str]:
    """Returns {name: type} of a typed list "a b - t c - u"; untyped names get "object"."""
    typed: dict[str, str] = {}
    waiting: list[str] = []
    items = iter(names)
    for item in items:
        if item == "-":
            kind = str(next(items, "object"))
            typed.update(dict.fromkeys(waiting, kind))
            waiting = []
        else:
            waiting.append(str(item))
    typed.update(dict.fromkeys(waiting, "object"))
    return typed
