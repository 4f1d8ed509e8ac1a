"""Automata combined like sets of texts."""

from collections.abc import Callable

from machines.automaton import Automaton


def _product(
    left: Automaton, right: Automaton, letters: list[str], rule: Callable[[bool, bool], bool]
) -> Automaton:
    """Runs two automata at once; -1 is the state of one that is stuck."""
    numbers = {(0, 0): 0}
    result = Automaton([{}], set())
    waiting = [(0, 0)]
    while waiting:
        pair = waiting.pop()
        number = numbers[pair]
        if rule(pair[0] in left.final, pair[1] in right.final):
            result.final.add(number)
        for letter in letters:
            following = (_next(left, pair[0], letter), _next(right, pair[1], letter))
            if following not in numbers:
                numbers[following] = len(result.steps)
                result.steps.append({})
                waiting.append(following)
            result.steps[number][letter] = numbers[following]
    return result


def _next(automaton: Automaton, state: int, letter: str) -> int:
    return -1 if state < 0 else automaton.steps[state].get(letter, -1)


def _all_letters(left: Automaton, right: Automaton) -> list[str]:
    return sorted({*left.letters(), *right.letters()})


def both(left: Automaton, right: Automaton) -> Automaton:
    """Returns an automaton for the texts that both accept."""
    return _product(left, right, _all_letters(left, right), lambda a, b: a and b)


def either(left: Automaton, right: Automaton) -> Automaton:
    """Returns an automaton for the texts that one of them accepts, or both."""
    return _product(left, right, _all_letters(left, right), lambda a, b: a or b)


def difference(left: Automaton, right: Automaton) -> Automaton:
    """Returns an automaton for the texts that the left one accepts and the right one does not."""
    return _product(left, right, _all_letters(left, right), lambda a, b: a and not b)


def opposite(automaton: Automaton, letters: str) -> Automaton:
    """Returns an automaton for the texts of some letters that are not accepted."""
    return _product(automaton, automaton, sorted(set(letters)), lambda a, b: not (a or b))


def equivalent(left: Automaton, right: Automaton) -> bool:
    """Says whether two automata accept the same texts."""
    apart = _product(left, right, _all_letters(left, right), lambda a, b: a != b)
    return not apart.useful()
