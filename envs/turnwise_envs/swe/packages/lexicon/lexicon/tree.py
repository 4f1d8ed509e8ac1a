"""A prefix tree that counts how often a word was added."""

from collections.abc import Iterator


class Node:
    """What follows a prefix."""

    def __init__(self) -> None:
        self.children: dict[str, Node] = {}
        self.count = 0


class Tree:
    """Words, with the number of times each was added."""

    def __init__(self, words: list[str] | None = None) -> None:
        self.root = Node()
        self._words = 0
        for word in words or []:
            self.add(word)

    def __len__(self) -> int:
        return self._words

    def add(self, word: str, times: int = 1) -> None:
        """Adds a word."""
        if not word or times < 1:
            raise ValueError("a word has letters, and is added at least once")
        node = self.root
        for letter in word:
            node = node.children.setdefault(letter, Node())
        if node.count == 0:
            self._words += 1
        node.count += times

    def find(self, prefix: str) -> Node | None:
        """Returns the node behind a prefix, None where no word begins with it."""
        node: Node | None = self.root
        for letter in prefix:
            if node is None:
                break
            node = node.children.get(letter)
        return node

    def count(self, word: str) -> int:
        """Returns how often a word was added."""
        node = self.find(word)
        return 0 if node is None else node.count

    def remove(self, word: str) -> bool:
        """Removes a word and what only it needed; says whether it was there."""
        path = [self.root]
        for letter in word:
            if letter not in path[-1].children:
                return False
            path.append(path[-1].children[letter])
        if path[-1].count == 0:
            return False
        path[-1].count = 0
        self._words -= 1
        for depth in range(len(word), 0, -1):
            if path[depth].children or path[depth].count > 0:
                break
            del path[depth - 1].children[word[depth - 1]]
        return True

    def words(self, prefix: str = "") -> list[str]:
        """Returns the words with a prefix, sorted."""
        node = self.find(prefix)
        return [] if node is None else [word for word, _ in self._below(node, prefix)]

    def complete(self, prefix: str, most: int = 3) -> list[str]:
        """Returns the words with a prefix that were added most often, then by name."""
        node = self.find(prefix)
        if node is None:
            return []
        found = sorted(self._below(node, prefix), key=lambda pair: (-pair[1], pair[0]))
        return [word for word, _ in found[:most]]

    def longest_prefix(self, text: str) -> str:
        """Returns the longest word that a text begins with, "" if there is none."""
        node, longest = self.root, 0
        for place, letter in enumerate(text, start=1):
            if letter not in node.children:
                break
            node = node.children[letter]
            if node.count > 0:
                longest = place
        return text[:longest]

    def segment(self, text: str) -> list[str] | None:
        """Cuts a text into words, as few as possible; None where it cannot be done."""
        best: list[list[str] | None] = [[]] + [None] * len(text)
        for start in range(len(text)):
            before = best[start]
            if before is None:
                continue
            node = self.root
            for end in range(start, len(text)):
                if text[end] not in node.children:
                    break
                node = node.children[text[end]]
                known = best[end + 1]
                if node.count > 0 and (known is None or len(before) + 1 < len(known)):
                    best[end + 1] = [*before, text[start : end + 1]]
        return best[len(text)]

    def _below(self, node: Node, prefix: str) -> Iterator[tuple[str, int]]:
        if node.count > 0:
            yield prefix, node.count
        for letter in sorted(node.children):
            yield from self._below(node.children[letter], prefix + letter)
