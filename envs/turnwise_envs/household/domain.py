"""Whether a game's PDDL domain is the one that the engine plays: types, predicates and rules.

A rule is compared by digests of its canonical form: comments, letter case and action costs are
dropped, parameters sorted, nested and one-element conjunctions and disjunctions flattened, their
parts sorted. Variables keep their names, because a game's grammar refers to them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from turnwise_envs.errors import DataError
from turnwise_envs.household.pddl import (
    PREDICATES,
    TYPES,
    Expression,
    parse,
    typed_names,
)

_RULES = {
    "look": ("b3b2ac10232efaf7", "c89bf6edb43bcb66"),
    "inventory": ("46f11905f417e4ed", "fffe6936c2dbf848"),
    "examinereceptacle": ("8c96e1c4ba843525", "adbeb56417a7ceba"),
    "examineobject": ("09362e82b0c425fe", "d8abe601776c3f6c"),
    "gotolocation": ("b2ce7b5ea1a842fd", "1e1749007b5355b3"),
    "openobject": ("4753ef70e654695c", "0331b11dda3529ef"),
    "closeobject": ("3652e4fda62cd379", "fd0eb7c7e8296799"),
    "pickupobject": ("d8c2e2b7aff62d76", "9060f209d5e48356"),
    "putobject": ("b6308a644877e8cd", "bdca262b3b63c5f2"),
    "cleanobject": ("e70383626868ac18", "287f33057c8954f4"),
    "heatobject": ("950eeedea8c5014f", "51a872c1892e9e6c"),
    "coolobject": ("93cf65245253823f", "886e44944df9ab99"),
    "toggleobject": ("8738b2ca4b47edca", "aca300c2a67b5180"),
    "sliceobject": ("2b37ff8d4f5b18e8", "267ead1485718dec"),
    "help": ("46f11905f417e4ed", "fffe6936c2dbf848"),
}
"""Digests of (parameters and precondition, effect) of each action of the ALFRED domain."""

_IN_PLACE = "7f721260527fcfbb"
"""Of `examineobject` without the stray comma of the ALFRED domain."""

_OPTIONAL = frozenset({"help"})
_ELSEWHERE = "Other PDDL games are played by turnwise/TextWorld-v0."


@dataclass(frozen=True)
class Rules:
    """In what two versions of the domain differ.

    Attributes:
        examine_in_place: whether objects can be examined where they lie. The rule's text says so,
            but ALFWorld's has "location," for a type, which no object is of.
        has_help: whether there is a command "help"; the games of before December 2024 lack it.
    """

    examine_in_place: bool
    has_help: bool


def check_domain(text: str, where: str) -> Rules:
    """Checks that a domain is ALFRED's, rule by rule.

    Raises:
        DataError: If it is no PDDL, lacks a type, a predicate or an action, has further actions, or
            if a precondition or effect is another than the engine plays.
    """
    domain = parse(text, where)
    parts = {str(part[0]): part[1:] for part in domain if isinstance(part, list) and part}
    types = typed_names(parts.get(":types", []))
    predicates = {str(p[0]) for p in parts.get(":predicates", []) if isinstance(p, list) and p}
    actions = {
        str(part[1]): part[2:]
        for part in domain
        if isinstance(part, list) and part[:1] == [":action"] and len(part) > 1
    }
    for what, missing in (
        ("types", TYPES - types.keys()),
        ("predicates", PREDICATES.keys() - predicates),
        ("actions", _RULES.keys() - _OPTIONAL - actions.keys()),
    ):
        if missing:
            raise DataError(
                f"{where}: must be the ALFRED domain, it lacks the {what} {sorted(missing)}. "
                + _ELSEWHERE
            )
    further = sorted(actions.keys() - _RULES.keys())
    further += [":derived"] if ":derived" in parts else []
    if further:
        raise DataError(f"{where}: must be the ALFRED domain, it also has {further}. {_ELSEWHERE}")
    in_place = False
    for name, body in actions.items():
        found = rule_digests(body, f"{where}, action {name}")
        if name == "examineobject" and found[0] == _IN_PLACE:
            in_place = True
            found = (_RULES[name][0], found[1])
        for part, mine, theirs in zip(("precondition", "effect"), _RULES[name], found, strict=True):
            if mine != theirs:
                raise DataError(
                    f"{where}, action {name}: its {part} must be that of the ALFRED domain, it is "
                    f"another; the game was made for another version. {_ELSEWHERE}"
                )
    return Rules(in_place, "help" in actions)


def rule_digests(body: list[Expression], where: str) -> tuple[str, str]:
    """Returns the digests of (parameters and precondition, effect) of an action's body.

    Raises:
        DataError: If the body is not parameters, precondition and effect.
    """
    keys = [str(key) for key in body[::2]]
    try:
        parts = dict(zip(keys, body[1::2], strict=True))
        parameters = sorted(typed_names(list(parts.pop(":parameters"))).items())
        precondition = _canonical(parts.pop(":precondition", []))
        effect = _canonical(parts.pop(":effect", []))
    except (LookupError, RecursionError, ValueError) as error:
        raise DataError(f"{where}: is damaged ({error!r}). Restore the file.") from None
    if parts:
        raise DataError(f"{where}: has a part that is not ALFRED's, {sorted(parts)}. {_ELSEWHERE}")
    return _digest([parameters, precondition]), _digest(effect)


def _digest(value: object) -> str:
    body = json.dumps(value, separators=(",", ":"))
    return hashlib.blake2b(body.encode(), digest_size=8).hexdigest()


def _canonical(formula: Expression) -> Expression:
    if not isinstance(formula, list) or not formula:
        return formula or ["and"]
    head, *rest = formula
    if head in ("exists", "forall"):
        variables = sorted(typed_names(list(rest[0])).items())
        return [head, [list(pair) for pair in variables], *map(_canonical, rest[1:])]
    if head not in ("and", "or"):
        return [head, *(_canonical(part) if isinstance(part, list) else part for part in rest)]
    parts: list[Expression] = []
    for part in map(_canonical, rest):
        if isinstance(part, list) and part[:1] == ["increase"]:
            continue  # the cost of an action is the planner's business
        parts.extend(part[1:] if isinstance(part, list) and part[:1] == [head] else [part])
    if len(parts) == 1:
        return parts[0]
    return [head, *sorted(parts, key=json.dumps)]
