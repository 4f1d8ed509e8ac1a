"""Bytes and numbers made shorter, and digits that tell whether others are right."""

from packing.bits import pack_bits, read_varint, unpack_bits, varint
from packing.checks import crc, digit_for, isbn_is_valid, luhn_is_valid
from packing.huffman import codes, decode, encode
from packing.repeats import expand, shorten, squeeze, unsqueeze
from packing.texts import from_base, hex_dump, to_base

__all__ = [
    "codes",
    "crc",
    "decode",
    "digit_for",
    "encode",
    "expand",
    "from_base",
    "hex_dump",
    "isbn_is_valid",
    "luhn_is_valid",
    "pack_bits",
    "read_varint",
    "shorten",
    "squeeze",
    "to_base",
    "unpack_bits",
    "unsqueeze",
    "varint",
]
