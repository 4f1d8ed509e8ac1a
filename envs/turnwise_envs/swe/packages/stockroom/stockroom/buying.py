"""When to buy, and how much."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stockroom.stock import StockError


@dataclass
class Policy:
    """Buy when there are `low` or fewer, until there are `high`, in boxes of `box`."""

    low: int
    high: int
    box: int = 1

    def wants(self, count: int, coming: int = 0) -> int:
        """Returns how many pieces to buy when `count` are there and `coming` were bought."""
        expected = count + coming
        if expected > self.low:
            return 0
        return rounded(self.high - expected, self.box)


def rounded(count: int, box: int) -> int:
    """Returns a count rounded up to whole boxes."""
    if box < 1:
        raise StockError("a box has at least one piece")
    if count <= 0:
        return 0
    return (count + box - 1) // box * box


def needs(
    policies: Mapping[str, Policy], counts: Mapping[str, int], coming: Mapping[str, int]
) -> dict[str, int]:
    """Returns what to buy of each article, articles of which there is nothing first, then by name.

    Articles that need not be bought are left out.
    """
    found = {}
    for article in sorted(policies, key=lambda name: (counts.get(name, 0) > 0, name)):
        count = policies[article].wants(counts.get(article, 0), coming.get(article, 0))
        if count > 0:
            found[article] = count
    return found


def forecast(sold: Sequence[int], days: int, window: int = 7) -> int:
    """Returns how many pieces will be sold in some days, by the mean of the last ones, rounded up.

    A day of no sales at the beginning does not count: the article was not there yet.
    """
    first = 0
    while first < len(sold) and sold[first] == 0:
        first += 1
    seen = sold[first:][-window:]
    if not seen:
        return 0
    return -(-sum(seen) * days // len(seen))
