"""PDDL goal formulas over a scene: the six task types recognised, anything else evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from turnwise_envs.errors import DataError
from turnwise_envs.household.goals import Goal
from turnwise_envs.household.pddl import PREDICATES, Expression, Problem, typed_names, words
from turnwise_envs.household.scene import Scene, State, mask_of

Test = Callable[[State, dict[str, str]], bool]

_STATIC = words(
    "openable isreceptacleobject inreceptacleobject receptacletype cancontain objecttype cleanable "
    "heatable coolable pickupable moveable toggleable sliceable receptacleatlocation"
)
_UNARY = {
    "isclean": "clean",
    "ishot": "hot",
    "iscool": "cool",
    "ison": "on",
    "istoggled": "toggled",
    "issliced": "sliced",
}

_ARITY = {"=": 2, **{name: len(kinds) for name, kinds in PREDICATES.items() if kinds}}


@dataclass
class Names:
    """Identifiers of a game's things.

    Attributes:
        receptacles, objects, locations: identifier to index.
        problem: the parsed problem.
    """

    receptacles: dict[str, int]
    objects: dict[str, int]
    locations: dict[str, int]
    problem: Problem


@dataclass(frozen=True)
class FormulaGoal(Goal):
    """A goal that is none of the six task types; no plan is known for it."""

    test: Test = field(default=lambda state, bound: False, compare=False)

    def holds(self, scene: Scene, state: State) -> bool:
        """Returns whether the formula holds."""
        return self.test(state, {})


def read_goal(formula: Expression, names: Names, where: str) -> Goal:
    """Returns the goal of a game.

    Raises:
        DataError: If the formula uses an unknown predicate, connective, object or type.
    """
    test = compile_formula(formula, names, where)
    return _recognise(formula, names) or FormulaGoal("other", 0, 0, test=test)


# -------------------------------------------------------------------- evaluation


def compile_formula(
    formula: Expression, names: Names, where: str, bound: frozenset[str] = frozenset()
) -> Test:
    """Returns a test of `formula`, which may use and, or, not, imply, exists, forall and =.

    Args:
        formula: what is tested.
        names: the game's identifiers.
        where: place of the problem, for messages.
        bound: variables of the quantifiers around it.

    Raises:
        DataError: If it is none.
    """
    if not isinstance(formula, list) or not formula or not isinstance(formula[0], str):
        raise DataError(f"{where}, :goal: {formula!r} is no formula. Restore the file.")
    head, rest = formula[0], formula[1:]
    if head in ("exists", "forall"):
        return _quantified(head, rest, names, where, bound)
    if head not in ("and", "or", "not", "imply"):
        return _atom(head, [str(term) for term in rest], names, where, bound)
    if len(rest) != {"not": 1, "imply": 2}.get(head, len(rest)):
        raise DataError(f"{where}, :goal: ({head} ...) has {len(rest)} parts. Restore the file.")
    parts = [compile_formula(part, names, where, bound) for part in rest]
    if head == "and":
        return lambda s, b: all(part(s, b) for part in parts)
    if head == "or":
        return lambda s, b: any(part(s, b) for part in parts)
    if head == "imply":
        return lambda s, b: not parts[0](s, b) or parts[1](s, b)
    return lambda s, b: not parts[0](s, b)


def _quantified(
    head: str, rest: list[Expression], names: Names, where: str, bound: frozenset[str]
) -> Test:
    if len(rest) != 2 or not isinstance(rest[0], list):
        raise DataError(f"{where}, :goal: ({head} ...) must have variables and one formula.")
    variables = typed_names(rest[0])
    body = compile_formula(rest[1], names, where, bound | variables.keys())
    for variable, kind in variables.items():
        members = [name for name, its in names.problem.types.items() if its == kind]
        if not members:
            raise DataError(
                f"{where}, :goal: no object has the type {kind!r} of {variable}. "
                "Was the game made for another version?"
            )
        body = _loop(head, variable, members, body)
    return body


def _loop(head: str, variable: str, members: list[str], body: Test) -> Test:
    combine = any if head == "exists" else all
    return lambda s, b: combine(body(s, {**b, variable: member}) for member in members)


def _atom(
    predicate: str, terms: list[str], names: Names, where: str, bound: frozenset[str]
) -> Test:
    value = _fluent(predicate, names)
    if value is None and predicate not in _STATIC and predicate != "=":
        unknown = "" if predicate in PREDICATES else "; the ALFRED domain has none of this name"
        raise DataError(
            f"{where}, :goal: predicate {predicate!r} cannot be a goal{unknown}. "
            "Was the game made for another version?"
        )
    for term in terms:
        if term not in (bound if term[:1] == "?" else names.problem.types):
            what = "unbound variable" if term[:1] == "?" else "unknown object"
            raise DataError(f"{where}, :goal: {what} {term!r} in ({predicate} ...).")
    if len(terms) != _ARITY.get(predicate, 1):
        raise DataError(
            f"{where}, :goal: ({predicate} ...) must have {_ARITY.get(predicate, 1)} arguments, "
            f"got {len(terms)}. Restore the file."
        )
    if predicate == "=":
        return lambda s, b: b.get(terms[0], terms[0]) == b.get(terms[1], terms[1])
    if value is not None:
        return lambda s, b: bool(value(s, *[b.get(term, term) for term in terms]))
    facts = set(names.problem.facts.get(predicate, ()))
    return lambda s, b: tuple([b.get(term, term) for term in terms]) in facts


def _fluent(predicate: str, names: Names) -> Callable[..., Any] | None:
    objects, receptacles, locations = names.objects, names.receptacles, names.locations
    if predicate in _UNARY:
        attribute = _UNARY[predicate]
        return lambda s, o: o in objects and getattr(s, attribute) >> objects[o] & 1
    tests: dict[str, Callable[..., Any]] = {
        "opened": lambda s, r: r in receptacles and s.opened >> receptacles[r] & 1,
        "inreceptacle": lambda s, o, r: (
            o in objects and r in receptacles and s.contents[receptacles[r]] >> objects[o] & 1
        ),
        "holds": lambda s, a, o: o in objects and s.held == objects[o],
        "holdsany": lambda s, a: s.held >= 0,
        "atlocation": lambda s, a, place: locations.get(place) == s.location,
        "objectatlocation": lambda s, o, place: (
            o in objects
            and place in locations
            and s.object_at.get(objects[o], 0) >> locations[place] & 1
        ),
    }
    return tests.get(predicate)


# -------------------------------------------------------------------- recognition


class _Scope:
    """Atoms of a conjunction of existentials, every variable with a name of its own."""

    def __init__(self) -> None:
        self.atoms: list[tuple[str, ...]] = []
        self.types: dict[str, str] = {}

    def add(self, formula: Expression, bound: dict[str, str]) -> bool:
        """Adds a formula; returns whether it is such a conjunction."""
        if not isinstance(formula, list):
            return False
        head, *rest = formula
        if head == "and":
            return all(self.add(part, bound) for part in rest)
        if head == "exists":
            bound = dict(bound)
            for variable, kind in typed_names(list(rest[0])).items():
                bound[variable] = f"{variable}{len(self.types)}"
                self.types[bound[variable]] = kind
            return self.add(rest[1], bound)
        if head == "not" and isinstance(rest[0], list) and rest[0][0] == "=":
            head, rest = "distinct", rest[0][1:]
        if not isinstance(head, str) or any(isinstance(term, list) for term in rest):
            return False
        self.atoms.append((head, *[bound.get(str(term), str(term)) for term in rest]))
        return head not in ("or", "not", "imply", "forall")

    def pop(self, predicate: str) -> list[tuple[str, ...]]:
        """Takes the atoms of a predicate out; returns their arguments."""
        found = [atom[1:] for atom in self.atoms if atom[0] == predicate]
        self.atoms = [atom for atom in self.atoms if atom[0] != predicate]
        return found


def _recognise(formula: Expression, names: Names) -> Goal | None:
    scope = _Scope()
    if not scope.add(formula, {}):
        return None
    placed, held, distinct = scope.pop("inreceptacle"), scope.pop("holds"), scope.pop("distinct")
    states = {p: scope.pop(p) for p in ("isclean", "ishot", "iscool", "istoggled")}
    used = {p: [args[0] for args in found] for p, found in states.items() if found}
    if held:
        return _recognise_look(scope, placed, held, used, names)
    if any(atom[0] not in _STATIC for atom in scope.atoms):
        return None
    if len({r for _, r in placed}) != 1 or len(used) > 1:
        return None
    objects = [o for o, _ in placed]
    places = _candidates(scope, placed[0][1], names.receptacles, names)
    targets = [_candidates(scope, o, names.objects, names) for o in objects]
    if len(objects) == 2 and not used and len(distinct) == 1 and targets[0] == targets[1]:
        return Goal("pick_two", targets[0], places) if set(distinct[0]) == set(objects) else None
    if len(objects) != 1 or distinct:
        return None
    kind = "pick_and_place"
    if used:
        ((predicate, about),) = used.items()
        kind = {"isclean": "clean", "ishot": "heat", "iscool": "cool"}.get(predicate, "")
        if not kind or about != objects:
            return None
    return Goal(kind, targets[0], places)


def _recognise_look(
    scope: _Scope,
    placed: list[tuple[str, ...]],
    held: list[tuple[str, ...]],
    used: dict[str, list[str]],
    names: Names,
) -> Goal | None:
    standing, where = scope.pop("atlocation"), scope.pop("receptacleatlocation")
    once = len(placed) == len(held) == len(standing) == len(where) == 1
    if (
        not once
        or list(used) != ["istoggled"]
        or any(atom[0] not in _STATIC for atom in scope.atoms)
    ):
        return None
    (lamp, r), (_, target) = placed[0], held[0]
    if used["istoggled"] != [lamp] or where[0] != (r, standing[0][1]):
        return None
    if any(r in atom for atom in scope.atoms):
        return None
    targets = _candidates(scope, target, names.objects, names)
    return Goal("look_at_obj_in_light", targets, 0, _candidates(scope, lamp, names.objects, names))


def _candidates(scope: _Scope, variable: str, index: dict[str, int], names: Names) -> int:
    """Returns the mask of the things that fulfil every static atom about `variable`."""
    found: Iterable[str] = index
    for predicate, *terms in scope.atoms:
        if variable not in terms:
            continue
        facts = set(names.problem.facts.get(predicate, ()))
        found = [
            name
            for name in found
            if tuple([name if term == variable else term for term in terms]) in facts
        ]
    return mask_of(index[name] for name in found)
