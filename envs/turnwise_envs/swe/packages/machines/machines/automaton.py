"""An automaton that reads letters; states are numbers, and state 0 is the first."""

from dataclasses import dataclass


@dataclass
class Automaton:
    """One step a state and letter; where there is none, the automaton is stuck."""

    steps: list[dict[str, int]]
    final: set[int]

    def run(self, text: str) -> int | None:
        """Returns the state after a text, None where it is stuck before its end."""
        state = 0
        for letter in text:
            following = self.steps[state].get(letter)
            if following is None:
                return None
            state = following
        return state

    def accepts(self, text: str) -> bool:
        """Says whether a text ends in a final state."""
        return self.run(text) in self.final

    def letters(self) -> list[str]:
        """Returns all letters that it can read, sorted."""
        return sorted({letter for step in self.steps for letter in step})

    def reached(self) -> list[int]:
        """Returns the states that some text leads to, sorted."""
        found = {0}
        waiting = [0]
        while waiting:
            for state in self.steps[waiting.pop()].values():
                if state not in found:
                    found.add(state)
                    waiting.append(state)
        return sorted(found)

    def useful(self) -> list[int]:
        """Returns the reached states from which a final one can be reached, sorted."""
        before: dict[int, set[int]] = {}
        for state in self.reached():
            for following in self.steps[state].values():
                before.setdefault(following, set()).add(state)
        found = self.final.intersection(self.reached())
        waiting = sorted(found)
        while waiting:
            for state in before.get(waiting.pop(), set()) - found:
                found.add(state)
                waiting.append(state)
        return sorted(found)

    def longest_match(self, text: str, start: int = 0) -> int:
        """Returns where the longest accepted part that begins at `start` ends, -1 for none."""
        state, longest = 0, -1
        for place in range(start, len(text) + 1):
            if state in self.final:
                longest = place
            if place == len(text) or text[place] not in self.steps[state]:
                break
            state = self.steps[state][text[place]]
        return longest

    def find_all(self, text: str) -> list[str]:
        """Returns the longest accepted parts of a text from left to right, without empty ones."""
        found = []
        place = 0
        while place < len(text):
            end = self.longest_match(text, place)
            if end > place:
                found.append(text[place:end])
                place = end
            else:
                place += 1
        return found


def words(automaton: Automaton, longest: int) -> list[str]:
    """Returns the accepted words up to a length, shortest first, then by name."""
    found = []
    layer = [("", 0)]
    for length in range(longest + 1):
        found += [word for word, state in layer if state in automaton.final]
        if length < longest:
            layer = [
                (word + letter, state)
                for word, before in layer
                for letter, state in sorted(automaton.steps[before].items())
            ]
    return found
