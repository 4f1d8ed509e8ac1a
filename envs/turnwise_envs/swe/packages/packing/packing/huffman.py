"""Short codes for frequent letters."""

import heapq
from collections.abc import Mapping

from packing.bits import pack_bits, read_varint, unpack_bits, varint


def codes(counts: Mapping[str, int]) -> dict[str, str]:
    """Returns a code of 0 and 1 for each letter; none is the beginning of another.

    Codes are assigned in order of length, then of letter, so that lengths determine them.
    """
    lengths = _lengths(counts)
    ordered = sorted(lengths, key=lambda letter: (lengths[letter], letter))
    result = {}
    code, length = 0, 0
    for letter in ordered:
        code <<= lengths[letter] - length
        length = lengths[letter]
        result[letter] = f"{code:0{length}b}"
        code += 1
    return result


def _lengths(counts: Mapping[str, int]) -> dict[str, int]:
    heap = [(count, letter, letter) for letter, count in counts.items() if count > 0]
    if len(heap) == 1:
        return {heap[0][1]: 1}
    lengths = {letter: 0 for _, letter, _ in heap}
    heapq.heapify(heap)
    while len(heap) > 1:
        one, other = heapq.heappop(heap), heapq.heappop(heap)
        for letter in one[2] + other[2]:
            lengths[letter] += 1
        heapq.heappush(heap, (one[0] + other[0], min(one[1], other[1]), one[2] + other[2]))
    return lengths


def encode(text: str) -> tuple[dict[str, str], bytes]:
    """Returns the codes of a text, and the text: its length, then the codes of its letters."""
    counts: dict[str, int] = {}
    for letter in text:
        counts[letter] = counts.get(letter, 0) + 1
    table = codes(counts)
    bits = [int(bit) for letter in text for bit in table[letter]]
    return table, varint(len(bits)) + pack_bits(bits)


def decode(table: Mapping[str, str], data: bytes) -> str:
    """Returns the text again."""
    count, start = read_varint(data)
    letters = {code: letter for letter, code in table.items()}
    result, code = [], ""
    for bit in unpack_bits(data[start:], count):
        code += str(bit)
        if code in letters:
            result.append(letters[code])
            code = ""
    if code:
        raise ValueError("the last letter is not complete")
    return "".join(result)
