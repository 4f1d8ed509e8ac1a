"""The smallest automaton that accepts the same texts."""

from machines.automaton import Automaton


def minimal(automaton: Automaton) -> Automaton:
    """Joins states that cannot be told apart, and leaves out those that are of no use.

    States are numbered in the order in which they are reached, letters in the order of the
    alphabet.
    """
    useful = automaton.useful()
    if 0 not in useful:
        return Automaton([{}], set())
    classes = _classes(automaton, useful)
    numbers = {classes[0]: 0}
    members = [0]
    result = Automaton([], set())
    for member in members:
        step = {}
        for letter, state in sorted(automaton.steps[member].items()):
            if state not in classes:
                continue
            if classes[state] not in numbers:
                numbers[classes[state]] = len(members)
                members.append(state)
            step[letter] = numbers[classes[state]]
        if member in automaton.final:
            result.final.add(len(result.steps))
        result.steps.append(step)
    return result


def _classes(automaton: Automaton, useful: list[int]) -> dict[int, int]:
    """Returns the class of each useful state: refined until steps lead from class to class."""
    classes = {state: int(state in automaton.final) for state in useful}
    count = len(set(classes.values()))
    while True:
        seen: dict[tuple[int, tuple[tuple[str, int], ...]], int] = {}
        finer = {}
        for state in useful:
            steps = sorted(automaton.steps[state].items())
            ahead = tuple((letter, classes[end]) for letter, end in steps if end in classes)
            finer[state] = seen.setdefault((classes[state], ahead), len(seen))
        classes = finer
        if len(seen) == count:
            return classes
        count = len(seen)
