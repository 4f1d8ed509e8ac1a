"""Words in a prefix tree: completing, matching patterns, and correcting them."""

from lexicon.grids import find_words
from lexicon.patterns import anagrams, matching
from lexicon.spelling import distance, suggest
from lexicon.tree import Tree

__all__ = ["Tree", "anagrams", "distance", "find_words", "matching", "suggest"]
