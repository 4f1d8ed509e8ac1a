import pytest
from packing import (
    codes,
    decode,
    encode,
    expand,
    pack_bits,
    read_varint,
    shorten,
    squeeze,
    unpack_bits,
    unsqueeze,
    varint,
)


def test_numbers_of_any_size():
    """Small numbers take one byte, larger ones more, and are read again."""
    assert [varint(number) for number in (0, 127, 128, 300)] == [
        b"\x00",
        b"\x7f",
        b"\x80\x01",
        b"\xac\x02",
    ]
    assert read_varint(b"\xac\x02\x05") == (300, 2)


def test_bits():
    """Bits fill bytes from the highest on."""
    assert pack_bits([1, 0, 1, 0, 0, 0, 0, 1, 1]) == b"\xa1\x80"
    assert unpack_bits(b"\xa1", 4) == [1, 0, 1, 0]


def test_frequent_letters_have_short_codes():
    """The more frequent a letter is, the shorter is its code."""
    assert codes({"a": 5, "b": 2, "c": 1, "d": 1}) == {"a": "0", "b": "10", "c": "110", "d": "111"}


def test_coded_texts():
    """A coded text is decoded to itself."""
    for text in ("abracadabra", "aaa", ""):
        assert decode(*encode(text)) == text


def test_runs():
    """Runs are written by their length, and digits are not taken for lengths."""
    assert shorten("aaab11") == "3ab2\\1"
    assert expand("3ab2\\1") == "aaab11"


def test_repetitions():
    """What was there before is told by its place."""
    assert squeeze("abcabcab") == ["a", "b", "c", (3, 5)]
    assert unsqueeze(["x", (1, 4)]) == "xxxxx"
    with pytest.raises(ValueError):
        unsqueeze(["x", (2, 1)])
