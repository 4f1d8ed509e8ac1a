"""Numbers of any size, and bits in bytes."""

from collections.abc import Sequence


def varint(number: int) -> bytes:
    """Returns a number in groups of seven bits, the lowest first; a set eighth bit says: more."""
    if number < 0:
        raise ValueError("numbers below zero are not packed")
    result = bytearray()
    while number > 127:
        result.append(number % 128 + 128)
        number //= 128
    result.append(number)
    return bytes(result)


def read_varint(data: bytes, start: int = 0) -> tuple[int, int]:
    """Returns the number that begins at a place, and the place behind it."""
    number, factor = 0, 1
    for place in range(start, len(data)):
        number += data[place] % 128 * factor
        factor *= 128
        if data[place] < 128:
            return number, place + 1
    raise ValueError("the number is not complete")


def pack_bits(bits: Sequence[int]) -> bytes:
    """Returns bits as bytes, the first bit highest; the last byte is filled up with zeros."""
    result = bytearray()
    for start in range(0, len(bits), 8):
        value = 0
        for offset in range(8):
            value *= 2
            if start + offset < len(bits) and bits[start + offset]:
                value += 1
        result.append(value)
    return bytes(result)


def unpack_bits(data: bytes, count: int) -> list[int]:
    """Returns the first bits of some bytes."""
    if count > 8 * len(data):
        raise ValueError(f"there are only {8 * len(data)} bits")
    return [data[place // 8] >> (7 - place % 8) & 1 for place in range(count)]
