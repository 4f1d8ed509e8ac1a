"""Numbers that find mistakes in others."""


def _digits(text: str) -> list[int]:
    return [int(letter) for letter in text if letter.isdigit()]


def luhn_is_valid(text: str) -> bool:
    """Says whether the last digit of a card number fits; other characters do not count."""
    digits = _digits(text)
    return len(digits) > 1 and _luhn(digits) == 0


def digit_for(text: str) -> int:
    """Returns the digit that makes a valid card number of a text."""
    return (10 - _luhn([*_digits(text), 0])) % 10


def _luhn(digits: list[int]) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = digit
        if place % 2 == 1:
            value = 2 * digit
            if value > 9:
                value -= 9
        total += value
    return total % 10


def isbn_is_valid(text: str) -> bool:
    """Says whether a book number of 10 or 13 digits is right; the last of 10 may be an X."""
    digits = _digits(text)
    if text.upper().endswith("X"):
        digits.append(10)
    if len(digits) == 10:
        return sum((10 - place) * digit for place, digit in enumerate(digits)) % 11 == 0
    if len(digits) == 13 and max(digits) < 10:
        return sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0
    return False


def crc(data: bytes, polynomial: int = 0x1021, start: int = 0xFFFF) -> int:
    """Returns a check sum of 16 bits: the remainder of the bits divided by a polynomial."""
    remainder = start
    for byte in data:
        remainder ^= byte << 8
        for _ in range(8):
            overflow = remainder & 0x8000
            remainder = remainder << 1 & 0xFFFF
            if overflow:
                remainder ^= polynomial
    return remainder
