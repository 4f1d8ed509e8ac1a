"""Generated catalogues: product `index` is a function of (seed, index) alone.

Nothing is stored: a catalogue of a million products is an index for the search and this function.
"""

from __future__ import annotations

from turnwise_envs.webshop.dice import Dice, mix
from turnwise_envs.webshop.products import PATH_SEPARATOR, Product, Review
from turnwise_envs.webshop.vocabulary import PRODUCT_TYPES, ProductType

GENERATOR = "webshop-1"
"""Name and version; part of every task id."""

_ALPHABET = "0123456789BCDFGHJKLMNPQRSTVWXYZA"
_CODE_BITS = 40
_CODES = 1 << _CODE_BITS
_FACTOR = 0x5DEECE66D  # odd, hence invertible modulo 2**40
_INVERSE = pow(_FACTOR, -1, _CODES)

_SYLLABLES = (
    "lu", "mo", "ra", "vel", "tor", "kan", "bri", "sol", "nor", "del", "fen", "mar", "pol", "ter",
    "vin", "wes", "zan", "oro", "ly", "tam", "rin", "cor", "hal", "jun", "kel", "lar", "mir",
    "nel", "ost", "per", "quil", "ren", "sal", "tel", "ula", "ven", "wal", "yor", "zel", "bas",
)  # fmt: skip
_ADJECTIVES = (
    "Classic", "Premium", "Everyday", "Deluxe", "Signature", "Essential", "Modern", "Original",
    "Professional", "Natural", "Compact", "Luxury",
)  # fmt: skip
_PRAISE = (
    "Exactly what I was looking for", "Very happy", "Would buy again", "Five stars from us",
)  # fmt: skip
_COMPLAINTS = ("Not as described", "Disappointed", "Sent it back", "Expected more")


def asin_of(seed: int, index: int) -> str:
    """Returns the id of product `index`: "B0" and eight digits or consonants."""
    code = (index * _FACTOR + mix(seed + 1)) % _CODES
    digits = (_ALPHABET[code >> shift & 31] for shift in range(_CODE_BITS - 5, -1, -5))
    return "B0" + "".join(digits)


def index_of(seed: int, asin: str) -> int | None:
    """Reverses `asin_of`; None where the text is no such id."""
    if len(asin) != 10 or not asin.startswith("B0"):
        return None
    code = 0
    for letter in asin[2:]:
        digit = _ALPHABET.find(letter)
        if digit < 0:
            return None
        code = code << 5 | digit
    return (code - mix(seed + 1)) * _INVERSE % _CODES


def type_of(index: int) -> ProductType:
    """Returns the type of product `index`; the types are dealt out in turn."""
    return PRODUCT_TYPES[index % len(PRODUCT_TYPES)]


def make_product(seed: int, index: int) -> Product:
    """Returns product `index` of the catalogue with this seed."""
    dice = Dice(seed, index)
    kind = type_of(index)
    brand = _brand(dice)
    qualities = dice.sample(kind.qualities, 2 + dice.below(2))
    parts = dice.sample(kind.parts, 1 + dice.below(2))
    options = {name: _choose_values(dice, values) for name, values in kind.options}
    low, high = kind.prices
    price = low + dice.below(100 * (high - low)) / 100
    price = round(price, 2) if dice.below(3) else float(int(price)) + 0.99
    reviews = _reviews(dice, kind, qualities)
    stars = [review.score for review in reviews]
    return Product(
        asin=asin_of(seed, index),
        title=_title(dice, kind, brand, index, qualities, parts),
        category=kind.category,
        query=kind.query,
        product_category=PATH_SEPARATOR.join(kind.path),
        price=price,
        price_tag=f"${price}",
        description=_description(dice, kind, brand, qualities, parts),
        bullets=_bullets(dice, kind, qualities, parts),
        attributes=tuple(qualities + [bare(part) for part in parts]),
        options=options,
        reviews=reviews,
        rating=f"{sum(stars) / len(stars):.1f}" if stars else "N.A.",
    )


def bare(part: str) -> str:
    """Returns a part without its article, as attributes are written."""
    return part.removeprefix("a ").removeprefix("an ")


def _brand(dice: Dice) -> str:
    return "".join(dice.pick(_SYLLABLES) for _ in range(2 + dice.below(2))).title()


def _choose_values(dice: Dice, values: tuple[str, ...]) -> tuple[str, ...]:
    count = min(len(values), 3 + dice.below(4))
    if values[0][:1].isdigit() or values[0] == "x-small":  # sizes on offer are neighbours
        first = dice.below(len(values) - count + 1)
        return values[first : first + count]
    return tuple(dice.sample(values, count))


def _title(
    dice: Dice, kind: ProductType, brand: str, index: int, qualities: list[str], parts: list[str]
) -> str:
    noun = kind.noun.title()
    model = f"{dice.pick('KLMRTX')}{dice.pick('ABDEGZ')}{index}"
    adjective = dice.pick(_ADJECTIVES)
    first = qualities[0].title()
    form = dice.below(4)
    if form == 0:
        return f"{brand} {first} {noun} with {bare(parts[0]).title()}, {adjective} {model}"
    if form == 1:
        return f"{brand} {adjective} {noun} {model}, {first}, {qualities[1].title()}"
    if form == 2:
        return f"{brand} {model} {noun} - {first} - {bare(parts[0]).title()}"
    return f"{noun} by {brand}, {adjective} and {first}, Model {model}"


def _description(
    dice: Dice, kind: ProductType, brand: str, qualities: list[str], parts: list[str]
) -> str:
    opening = dice.pick(
        (
            f"The {kind.noun} that {brand} is known for.",
            f"{brand} makes this {kind.noun} in small batches.",
            f"A {kind.noun} for every day, made by {brand}.",
            f"Meet the new {kind.noun} from {brand}.",
        )
    )
    return f"{opening} It is {' and '.join(qualities)}. It comes with {' and '.join(parts)}."


def _bullets(
    dice: Dice, kind: ProductType, qualities: list[str], parts: list[str]
) -> tuple[str, ...]:
    lines = [f"{quality.capitalize()}: tested before it is shipped." for quality in qualities]
    lines += [f"Made with {part}." for part in parts]
    lines = dice.sample(lines, len(lines))
    lines.append(dice.pick(("Packed without plastic.", "Made for gifts.", "One year of warranty.")))
    if dice.below(4) == 0:
        lacking = [quality for quality in kind.qualities if quality not in qualities]
        lines.append(f"Please note: this {kind.noun} is not {dice.pick(lacking)}.")
    return tuple(lines)


def _reviews(dice: Dice, kind: ProductType, qualities: list[str]) -> tuple[Review, ...]:
    """Returns up to four reviews; one in four contradicts what the product says of itself."""
    reviews = []
    for _ in range(dice.below(5)):
        quality = dice.pick(qualities)
        if dice.below(4):
            body = f"This {kind.noun} really is {quality}."
            reviews.append(Review(dice.pick(_PRAISE), 4 + dice.below(2), body))
        else:
            body = f"It says {quality}, but mine was not."
            reviews.append(Review(dice.pick(_COMPLAINTS), 1 + dice.below(2), body))
    return tuple(reviews)
