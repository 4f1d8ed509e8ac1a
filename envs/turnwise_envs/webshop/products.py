"""`Product`, and what follows from its raw fields: price tag, price, the text that is searched."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

PATH_SEPARATOR = " › "
NO_PRICE = 100.0
"""Price in dollars of a product without one, as in the original."""


@dataclass(frozen=True, slots=True)
class Review:
    """What a buyer wrote.

    Attributes:
        title: headline.
        score: stars, 1 to 5.
        body: text.
    """

    title: str
    score: int
    body: str


@dataclass(frozen=True, slots=True)
class Product:
    """One article of a catalogue.

    Attributes:
        asin: unique id, upper case.
        title: name of the article.
        category: department, such as "beauty".
        query: product type in the plural, such as "hair masks".
        product_category: path of categories, joined by `PATH_SEPARATOR`.
        price: in dollars; what a purchase costs.
        price_tag: what the pages show: "$9.99" or "$9.99 to $12.5".
        description: one text.
        bullets: the lines of the features page.
        attributes: what the article is, hidden from the agent; the texts speak of it.
        options: values to choose from, by option name.
        reviews: of the reviews page.
        rating: "4.5", or "N.A.".
        image: address of the picture, shown in html pages only.
    """

    asin: str
    title: str
    category: str
    query: str
    product_category: str
    price: float
    price_tag: str
    description: str
    bullets: tuple[str, ...]
    attributes: tuple[str, ...]
    options: dict[str, tuple[str, ...]]
    reviews: tuple[Review, ...] = ()
    rating: str = "N.A."
    image: str = ""

    @property
    def categories(self) -> tuple[str, ...]:
        """The segments of `product_category`, outermost first."""
        return tuple(part.strip() for part in self.product_category.split(PATH_SEPARATOR.strip()))

    @property
    def document(self) -> str:
        """The text that is indexed: title, description, first bullet point and options."""
        options = ", and ".join(f"{name}: {', '.join(v)}" for name, v in self.options.items())
        first = self.bullets[0] if self.bullets else ""
        return f"{self.title} {self.description} {first} {options}".lower()


def price_tag(pricing: list[float]) -> str:
    """Returns what the pages show for one price, or for the two ends of a range, in dollars."""
    return " to ".join(f"${price}" for price in pricing[:2])


def settle_price(asin: str, pricing: list[float]) -> float:
    """Returns what the article costs, in dollars.

    The original draws a price from a range anew in every process; here the draw is a hash of the
    article's id, so that one purchase costs the same everywhere.

    Args:
        asin: id of the article.
        pricing: nothing, one price, or the two ends of a range.
    """
    if not pricing:
        return NO_PRICE
    if len(pricing) == 1:
        return pricing[0]
    share = int.from_bytes(blake2b(asin.encode(), digest_size=6).digest(), "little") / 2**48
    return pricing[0] + (pricing[1] - pricing[0]) * share
