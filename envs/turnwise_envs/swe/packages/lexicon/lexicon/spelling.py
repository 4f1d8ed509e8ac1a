"""Words that are nearly right."""

from lexicon.tree import Tree


def distance(left: str, right: str) -> int:
    """Returns how many letters must be inserted, removed, replaced, or exchanged with the next."""
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in range(len(left) + 1):
        table[i][0] = i
    for j in range(len(right) + 1):
        table[0][j] = j
    for i in range(1, len(left) + 1):
        for j in range(1, len(right) + 1):
            other = 0 if left[i - 1] == right[j - 1] else 1
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + other)
            if i > 1 and j > 1 and left[i - 2] == right[j - 1] and left[i - 1] == right[j - 2]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[len(left)][len(right)]


def suggest(tree: Tree, word: str, most: int = 3, farthest: int = 2) -> list[str]:
    """Returns the nearest words, those added more often first; only the word if it is known."""
    if tree.count(word) > 0:
        return [word]
    found = []
    for known in tree.words():
        if abs(len(known) - len(word)) > farthest:
            continue
        steps = distance(word, known)
        if steps <= farthest:
            found.append((steps, -tree.count(known), known))
    return [known for _, _, known in sorted(found)[:most]]
