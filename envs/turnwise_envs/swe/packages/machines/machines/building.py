"""Automata from lists of words and from patterns."""

from machines.automaton import Automaton


class PatternError(ValueError):
    """A pattern that cannot be read."""


def from_words(accepted: list[str]) -> Automaton:
    """Returns an automaton that accepts these words and no others."""
    result = Automaton([{}], set())
    for word in accepted:
        state = 0
        for letter in word:
            if letter not in result.steps[state]:
                result.steps[state][letter] = len(result.steps)
                result.steps.append({})
            state = result.steps[state][letter]
        result.final.add(state)
    return result


def from_pattern(pattern: str) -> Automaton:
    """Returns an automaton for a pattern of letters, brackets, "|", "*", "+" and "?"."""
    return _determined(*_Reader(pattern).read())


class _Reader:
    """Builds a net of steps by letters and of free moves."""

    def __init__(self, pattern: str) -> None:
        self._left = list(pattern)[::-1]
        self._steps: list[tuple[int, str, int]] = []
        self._states = 0

    def read(self) -> tuple[list[tuple[int, str, int]], int, int]:
        """Returns the steps, "" for free moves, the first state and the last."""
        begin, end = self._choice()
        if self._left:
            raise PatternError("a bracket is not opened")
        return self._steps, begin, end

    def _state(self) -> int:
        self._states += 1
        return self._states - 1

    def _step(self, start: int, letter: str, end: int) -> None:
        self._steps.append((start, letter, end))

    def _choice(self) -> tuple[int, int]:
        begin, end = self._state(), self._state()
        while True:
            first, last = self._sequence()
            self._step(begin, "", first)
            self._step(last, "", end)
            if not self._left or self._left[-1] != "|":
                return begin, end
            self._left.pop()

    def _sequence(self) -> tuple[int, int]:
        begin = end = self._state()
        while self._left and self._left[-1] not in "|)":
            first, last = self._repeated()
            self._step(end, "", first)
            end = last
        return begin, end

    def _repeated(self) -> tuple[int, int]:
        inner, outer = self._atom()
        while self._left and self._left[-1] in "*+?":
            sign = self._left.pop()
            begin, end = self._state(), self._state()
            self._step(begin, "", inner)
            self._step(outer, "", end)
            if sign in "*+":
                self._step(outer, "", inner)
            if sign in "*?":
                self._step(begin, "", end)
            inner, outer = begin, end
        return inner, outer

    def _atom(self) -> tuple[int, int]:
        letter = self._left.pop()
        if letter == "(":
            inside = self._choice()
            if not self._left:
                raise PatternError("a bracket is not closed")
            self._left.pop()
            return inside
        if letter in "*+?":
            raise PatternError(f"there is nothing before {letter!r}")
        begin, end = self._state(), self._state()
        self._step(begin, letter, end)
        return begin, end


def _determined(steps: list[tuple[int, str, int]], first: int, last: int) -> Automaton:
    """Returns an automaton whose states are sets of the net's states."""
    moves: dict[tuple[int, str], set[int]] = {}
    for start, letter, end in steps:
        moves.setdefault((start, letter), set()).add(end)
    letters = sorted({letter for _, letter, _ in steps if letter})
    begin = _closed({first}, moves)
    numbers = {begin: 0}
    result = Automaton([{}], set())
    waiting = [begin]
    while waiting:
        states = waiting.pop(0)
        if last in states:
            result.final.add(numbers[states])
        for letter in letters:
            ends = {end for state in states for end in moves.get((state, letter), ())}
            if not ends:
                continue
            following = _closed(ends, moves)
            if following not in numbers:
                numbers[following] = len(result.steps)
                result.steps.append({})
                waiting.append(following)
            result.steps[numbers[states]][letter] = numbers[following]
    return result


def _closed(states: set[int], moves: dict[tuple[int, str], set[int]]) -> frozenset[int]:
    found = set(states)
    waiting = list(states)
    while waiting:
        for state in moves.get((waiting.pop(), ""), set()) - found:
            found.add(state)
            waiting.append(state)
    return frozenset(found)
