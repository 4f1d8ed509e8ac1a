"""Amounts as whole cents: reading, writing, dividing."""


def parse_cents(text: str) -> int:
    """Returns the cents of a text such as "1,234.50", "-3" or "0.5"."""
    cleaned = text.strip().replace(",", "")
    sign = -1 if cleaned.startswith("-") else 1
    whole, _, fraction = cleaned.lstrip("+-").partition(".")
    if len(fraction) > 2 or not (whole or fraction):
        raise ValueError(f"no amount: {text!r}")
    return sign * (int(whole or "0") * 100 + int((fraction + "00")[:2]))


def format_cents(cents: int) -> str:
    """Returns cents as "1,234.50"; debts have a minus in front."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}{whole:,}.{rest:02d}"


def allocate(cents: int, weights: list[int]) -> list[int]:
    """Divides an amount in proportion to weights; no cent is lost.

    What does not divide evenly goes, cent by cent, to the first shares of a positive weight.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError("weights must not be negative, and not all zero")
    shares = [cents * weight // total for weight in weights]
    left = cents - sum(shares)
    for i, weight in enumerate(weights):
        if left == 0:
            break
        if weight > 0:
            shares[i] += 1
            left -= 1
    return shares
