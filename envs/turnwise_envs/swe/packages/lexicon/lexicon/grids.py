"""Words hidden in a grid of letters."""

from collections.abc import Sequence

from lexicon.tree import Node, Tree

_STEPS = ((-1, 0), (0, -1), (0, 1), (1, 0))


def find_words(tree: Tree, grid: Sequence[str], shortest: int = 2) -> list[str]:
    """Returns the words along paths of neighbouring fields, each field used once a word."""
    found: set[str] = set()
    for row, line in enumerate(grid):
        for column in range(len(line)):
            _follow(tree.root, grid, [(row, column)], "", found)
    return sorted(word for word in found if len(word) >= shortest)


def _follow(
    node: Node, grid: Sequence[str], path: list[tuple[int, int]], word: str, found: set[str]
) -> None:
    row, column = path[-1]
    letter = grid[row][column]
    if letter not in node.children:
        return
    child = node.children[letter]
    if child.count > 0:
        found.add(word + letter)
    for down, right in _STEPS:
        field = (row + down, column + right)
        inside = 0 <= field[0] < len(grid) and 0 <= field[1] < len(grid[field[0]])
        if inside and field not in path:
            _follow(child, grid, [*path, field], word + letter, found)
