"""Numbers and bytes that people can read."""

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def to_base(number: int, base: int, width: int = 1) -> str:
    """Returns a number in a base from 2 to 36, with zeros in front up to a width."""
    if not 2 <= base <= len(DIGITS):
        raise ValueError(f"there is no base {base}")
    left = abs(number)
    result = ""
    while left > 0:
        result = DIGITS[left % base] + result
        left //= base
    result = "0" * (width - len(result)) + result
    return "-" + result if number < 0 else result


def from_base(text: str, base: int) -> int:
    """Returns the number; underscores between digits do not count."""
    negative = text.startswith("-")
    digits = text.removeprefix("-").replace("_", "").lower()
    if not digits:
        raise ValueError("a number has digits")
    number = 0
    for digit in digits:
        value = DIGITS.find(digit)
        if value < 0 or value >= base:
            raise ValueError(f"{digit!r} is no digit of base {base}")
        number = number * base + value
    return -number if negative else number


def hex_dump(data: bytes, width: int = 8) -> list[str]:
    """Returns lines of place, bytes and letters; what is no letter or sign is a dot."""
    lines = []
    for start in range(0, len(data), width):
        part = data[start : start + width]
        numbers = " ".join(f"{byte:02x}" for byte in part)
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:04x}  {numbers.ljust(3 * width - 1)}  {letters}")
    return lines
