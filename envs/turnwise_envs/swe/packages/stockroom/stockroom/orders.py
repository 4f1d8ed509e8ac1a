"""Orders of customers, who wait their turn."""

from stockroom.stock import StockError, Stockroom


class Desk:
    """Sets goods aside for orders, the oldest order first."""

    def __init__(self, room: Stockroom, partial: bool = False) -> None:
        self.room = room
        self.partial = partial
        self.wanted: dict[int, dict[str, int]] = {}
        self.reserved: dict[int, dict[str, int]] = {}
        self._last = 0

    def order(self, articles: dict[str, int]) -> int:
        """Takes an order and returns its number."""
        if not articles or min(articles.values()) < 1:
            raise StockError("an order has articles, at least one of each")
        self._last += 1
        self.wanted[self._last] = dict(articles)
        self.reserved[self._last] = {}
        self.assign()
        return self._last

    def free(self, article: str) -> int:
        """Returns how much of an article is set aside for nobody."""
        taken = sum(reserved.get(article, 0) for reserved in self.reserved.values())
        return self.room.count(article) - taken

    def assign(self) -> None:
        """Sets aside what is free; without `partial` an order gets an article whole or not."""
        for number in sorted(self.wanted):
            for article, count in self.wanted[number].items():
                missing = count - self.reserved[number].get(article, 0)
                given = min(missing, self.free(article))
                if given <= 0 or (given < missing and not self.partial):
                    continue
                old = self.reserved[number].get(article, 0)
                self.reserved[number][article] = old + given

    def ready(self, number: int) -> bool:
        """Says whether everything for an order is set aside."""
        return self.reserved[number] == self.wanted[number]

    def missing(self) -> dict[str, int]:
        """Returns how much of each article the orders still wait for."""
        found: dict[str, int] = {}
        for number, articles in self.wanted.items():
            for article, count in articles.items():
                left = count - self.reserved[number].get(article, 0)
                if left > 0:
                    found[article] = found.get(article, 0) + left
        return found

    def ship(self, number: int) -> int:
        """Sends an order, and returns what its goods had cost."""
        if number not in self.wanted:
            raise StockError(f"there is no order {number}")
        if not self.ready(number):
            raise StockError(f"order {number} is not ready")
        del self.wanted[number]
        goods = self.reserved.pop(number)
        return sum(self.room.take(article, count) for article, count in goods.items())

    def cancel(self, number: int) -> bool:
        """Forgets an order, so that others get its goods; says whether there was one."""
        if self.wanted.pop(number, None) is None:
            return False
        del self.reserved[number]
        self.assign()
        return True
