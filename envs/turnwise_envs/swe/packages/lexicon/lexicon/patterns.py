"""Words by their look: "?" is any letter, "*" any letters or none."""

from lexicon.tree import Node, Tree


def matching(tree: Tree, pattern: str) -> list[str]:
    """Returns the words that look like a pattern, sorted."""
    found: set[str] = set()
    _match(tree.root, pattern, 0, "", found)
    return sorted(found)


def _match(node: Node, pattern: str, place: int, word: str, found: set[str]) -> None:
    if place == len(pattern):
        if node.count > 0:
            found.add(word)
        return
    sign = pattern[place]
    if sign == "*":
        _match(node, pattern, place + 1, word, found)
    for letter, child in node.children.items():
        if sign == "*":
            _match(child, pattern, place, word + letter, found)
        elif sign in ("?", letter):
            _match(child, pattern, place + 1, word + letter, found)


def anagrams(tree: Tree, letters: str, blanks: int = 0) -> list[str]:
    """Returns the words that can be laid with all of these letters; a blank is any letter."""
    left: dict[str, int] = {}
    for letter in letters:
        left[letter] = left.get(letter, 0) + 1
    found: set[str] = set()
    _lay(tree.root, left, blanks, "", found)
    return sorted(word for word in found if len(word) == len(letters) + blanks)


def _lay(node: Node, left: dict[str, int], blanks: int, word: str, found: set[str]) -> None:
    if node.count > 0:
        found.add(word)
    for letter, child in node.children.items():
        if left.get(letter, 0) > 0:
            _lay(child, {**left, letter: left[letter] - 1}, blanks, word + letter, found)
        elif blanks > 0:
            _lay(child, left, blanks - 1, word + letter, found)
