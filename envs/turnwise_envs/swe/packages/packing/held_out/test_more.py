import pytest
from packing import (
    codes,
    crc,
    decode,
    digit_for,
    encode,
    expand,
    from_base,
    hex_dump,
    isbn_is_valid,
    luhn_is_valid,
    pack_bits,
    read_varint,
    shorten,
    squeeze,
    to_base,
    unpack_bits,
    unsqueeze,
    varint,
)

TEXT = "she sells sea shells by the sea shore"


def test_numbers_one_after_the_other():
    """Packed numbers can be read one after the other."""
    numbers = [0, 1, 127, 128, 129, 16383, 16384, 10**12]
    data = b"".join(varint(number) for number in numbers)
    place = 0
    for number in numbers:
        found, place = read_varint(data, place)
        assert found == number
    assert place == len(data) == 18


def test_numbers_that_are_cut():
    """A number that is cut off, or below zero, is refused."""
    for data in (b"", b"\x80", b"\xff\xff"):
        with pytest.raises(ValueError):
            read_varint(data)
    with pytest.raises(ValueError):
        varint(-1)


def test_bits_there_and_back():
    """As many bits are read as were packed, and not more than there are."""
    for count in range(18):
        bits = [int(place % 3 == 1 or place == 8) for place in range(count)]
        data = pack_bits(bits)
        assert len(data) == (count + 7) // 8
        assert unpack_bits(data, count) == bits
    with pytest.raises(ValueError, match="only 8"):
        unpack_bits(b"\x01", 9)


def test_codes_of_equal_letters():
    """Letters of equal count have codes of equal length, in the order of the alphabet."""
    assert codes(dict.fromkeys("dacb", 3)) == {"a": "00", "b": "01", "c": "10", "d": "11"}
    assert codes({"x": 4}) == {"x": "0"}
    assert codes({"x": 4, "y": 0}) == {"x": "0"}


def test_codes_are_as_short_as_possible():
    """A coded text takes as few bits as possible, and no code begins another."""
    table, data = encode(TEXT)
    assert sum(len(table[letter]) for letter in TEXT) == read_varint(data)[0] == 114
    ordered = sorted(table.values())
    assert not any(after.startswith(before) for before, after in zip(ordered, ordered[1:]))
    assert decode(table, data) == TEXT


def test_a_cut_code():
    """A text whose last code is cut off is refused."""
    with pytest.raises(ValueError, match="not complete"):
        decode({"a": "00", "b": "01"}, b"\x03\x40")
    assert decode({"a": "00", "b": "01"}, b"\x04\x40") == "ba"


def test_all_characters_in_runs():
    """Whatever is shortened is expanded to itself."""
    for text in ("", "\\\\\\", "1", "7777x", "a1b22", "xyz", "a" * 123 + "b"):
        assert expand(shorten(text)) == text
    assert shorten("a" * 12) == "12a"
    for bad in ("3", "a\\", "2\\"):
        with pytest.raises(ValueError):
            expand(bad)


def test_repetitions_there_and_back():
    """Repetitions are found in the window only, and give the text again."""
    for text in (TEXT, "aaaa", "abababab", ""):
        for window in (1, 4, 99):
            assert unsqueeze(squeeze(text, window)) == text
    assert squeeze("abc-abc", window=3) == list("abc-abc")
    assert squeeze("abc-abc", window=4) == [*"abc-", (4, 3)]
    assert squeeze("ab-ab-", shortest=2)[3:] == [(3, 3)]
    assert squeeze("xabyabab", shortest=2)[-1] == (2, 2)


def test_nearest_repetitions():
    """Of several places the nearest is told, and nothing before the beginning can be repeated."""
    assert squeeze("abc1abc2abc")[-1] == (4, 3)
    for parts in ([(1, 1)], ["a", (0, 1)], ["a", "b", (3, 1)]):
        with pytest.raises(ValueError):
            unsqueeze(parts)


def test_many_check_digits():
    """Every check digit makes its number valid, and no other digit does."""
    for number in ("1", "18", "59", "4012-8888", "99999"):
        right = digit_for(number)
        valid = [luhn_is_valid(f"{number}{digit}") for digit in range(10)]
        assert valid.index(True) == right
        assert sum(valid) == 1
    assert luhn_is_valid("0") is False
    assert luhn_is_valid("00") is True


def test_book_numbers_with_an_x():
    """The last digit of an old book number may be an X; other lengths are wrong."""
    assert isbn_is_valid("080442957X") is True
    assert isbn_is_valid("080442957x") is True
    assert isbn_is_valid("0804429570") is False
    assert isbn_is_valid("978030640615X") is False
    for bad in ("", "030640615", "97803064061570"):
        assert isbn_is_valid(bad) is False


def test_other_check_sums():
    """Check sums depend on polynomial, start, and every byte."""
    assert crc(b"") == 0xFFFF
    assert crc(b"123456789", start=0) == 0x31C3
    assert crc(b"123456789", polynomial=0x8005, start=0) == 0xFEE8
    assert crc(b"\x00", start=0) == 0


def test_bases_there_and_back():
    """Numbers in any base are read again; bases and digits that are none are refused."""
    for base in (2, 7, 36):
        for number in (0, 1, -1, base, base**3 - 1, -123456):
            assert from_base(to_base(number, base), base) == number
    assert (to_base(0, 2), to_base(-5, 3, 4), to_base(0, 9, 0)) == ("0", "-0012", "")
    assert from_base("1_000", 2) == 8
    for base in (1, 37):
        with pytest.raises(ValueError):
            to_base(1, base)
    for bad in ("", "-", "9", "1-"):
        with pytest.raises(ValueError):
            from_base(bad, 9)


def test_dumps_of_several_lines():
    """Every line tells its place; letters are those between blank and tilde."""
    lines = hex_dump(b" ~\x7f\x1fabcdefgh")
    assert lines[0] == "0000  20 7e 7f 1f 61 62 63 64   ~..abcd"
    assert lines[1] == "0008  65 66 67 68              efgh"
    assert hex_dump(b"") == []
