import pytest
from packing import crc, digit_for, from_base, hex_dump, isbn_is_valid, luhn_is_valid, to_base


def test_card_numbers():
    """One wrong digit, or two that are exchanged, make a card number invalid."""
    assert luhn_is_valid("4539 1488 0343 6467") is True
    assert luhn_is_valid("4539 1488 0343 6476") is False
    assert luhn_is_valid("4539 1488 0343 6468") is False


def test_check_digits():
    """The check digit makes a number valid."""
    assert digit_for("7992739871") == 3


def test_book_numbers():
    """Old and new book numbers are checked."""
    assert isbn_is_valid("0-306-40615-2") is True
    assert isbn_is_valid("978-0-306-40615-7") is True
    assert isbn_is_valid("978-0-306-40615-8") is False


def test_check_sums():
    """The check sum of the nine digits is the published one."""
    assert crc(b"123456789") == 0x29B1


def test_bases():
    """Numbers are written and read in other bases."""
    assert (to_base(255, 16), to_base(5, 2, width=8)) == ("ff", "00000101")
    assert from_base("-zz", 36) == -1295
    with pytest.raises(ValueError):
        from_base("12", 2)


def test_dumps():
    """Bytes are shown as numbers, and as letters where they are some."""
    assert hex_dump(b"Hi\n", 4) == ["0000  48 69 0a     Hi."]
