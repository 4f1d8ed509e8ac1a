"""What is there, in lots of one price and one last day."""

from dataclasses import dataclass


class StockError(Exception):
    """Something that cannot be taken or brought."""


@dataclass
class Lot:
    """Goods that came together; `expires` is the last day on which they are good, 0 for never."""

    count: int
    cents: int
    expires: int = 0


class Stockroom:
    """Lots of each article; those that spoil first go first."""

    def __init__(self) -> None:
        self.lots: dict[str, list[Lot]] = {}
        self.spoilt = 0

    def receive(self, article: str, count: int, cents: int, expires: int = 0) -> None:
        """Brings goods in; those of the same price and last day are one lot."""
        if count < 1 or cents < 0:
            raise StockError("goods have a count above 0 and no negative price")
        lots = self.lots.setdefault(article, [])
        for lot in lots:
            if lot.cents == cents and lot.expires == expires:
                lot.count += count
                return
        lots.append(Lot(count, cents, expires))
        # Those that never spoil come last; of two that spoil together the older one is first.
        lots.sort(key=lambda lot: (lot.expires == 0, lot.expires))

    def count(self, article: str) -> int:
        """Returns how much of an article is there."""
        return sum(lot.count for lot in self.lots.get(article, []))

    def take(self, article: str, count: int) -> int:
        """Takes goods out, and returns what they had cost."""
        if count < 1:
            raise StockError("nobody takes nothing")
        if count > self.count(article):
            raise StockError(f"there are only {self.count(article)} of {article}")
        cost = 0
        lots = self.lots[article]
        while count > 0:
            lot = lots[0]
            taken = min(count, lot.count)
            cost += taken * lot.cents
            lot.count -= taken
            count -= taken
            if lot.count == 0:
                lots.pop(0)
        return cost

    def expire(self, day: int) -> dict[str, int]:
        """Throws away what is not good any more on a day, and returns how much of each article."""
        gone: dict[str, int] = {}
        for article, lots in self.lots.items():
            old = [lot for lot in lots if 0 < lot.expires < day]
            if old:
                gone[article] = sum(lot.count for lot in old)
                self.spoilt += sum(lot.count * lot.cents for lot in old)
                self.lots[article] = [lot for lot in lots if lot not in old]
        return gone

    def value(self, article: str = "") -> int:
        """Returns what the goods had cost, of one article or of all."""
        articles = [article] if article else list(self.lots)
        return sum(lot.count * lot.cents for name in articles for lot in self.lots.get(name, []))

    def average(self, article: str) -> float:
        """Returns the mean price of one piece, 0 where there is none."""
        count = self.count(article)
        return self.value(article) / count if count else 0.0
