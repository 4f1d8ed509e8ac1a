"""Accounts, and the book that moves money between them."""


class LedgerError(Exception):
    """A posting that the book refuses."""


class Account:
    """One account; `limit` is how far its balance may fall below zero, in cents."""

    def __init__(self, name: str, kind: str = "asset", limit: int = 0) -> None:
        self.name = name
        self.kind = kind
        self.limit = limit
        self.entries: list[tuple[int, int, str]] = []

    @property
    def balance(self) -> int:
        """Sum of all entries, in cents."""
        return sum(amount for _, amount, _ in self.entries)

    def balance_on(self, day: int) -> int:
        """Balance at the end of a day."""
        return sum(amount for when, amount, _ in self.entries if when <= day)

    def available(self) -> int:
        """Cents that can still be taken out."""
        return self.balance + self.limit


class Book:
    """All accounts, and the days that are closed."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.closed_until = 0

    def open(self, name: str, kind: str = "asset", limit: int = 0) -> Account:
        """Opens an account; a name is given once."""
        if name in self.accounts:
            raise LedgerError(f"{name} exists already")
        self.accounts[name] = Account(name, kind, limit)
        return self.accounts[name]

    def close_day(self, day: int) -> None:
        """Allows no more postings up to and including this day."""
        self.closed_until = max(self.closed_until, day)

    def transfer(self, day: int, source: str, target: str, cents: int, note: str = "") -> None:
        """Moves money from one account to another."""
        if cents <= 0:
            raise LedgerError("an amount must be positive")
        if source == target:
            raise LedgerError("source and target are the same")
        if day <= self.closed_until:
            raise LedgerError(f"day {day} is closed")
        for name in (source, target):
            if name not in self.accounts:
                raise LedgerError(f"there is no account {name}")
        if self.accounts[source].available() < cents:
            raise LedgerError(f"{source} has too little")
        self.accounts[source].entries.append((day, -cents, note))
        self.accounts[target].entries.append((day, cents, note))

    def undo_last(self, name: str) -> int:
        """Takes back an account's last entry with its other half; returns the cents."""
        entries = self.accounts[name].entries
        if not entries:
            raise LedgerError(f"{name} has no entries")
        day, amount, note = entries.pop()
        for other in self.accounts.values():
            if other.name != name and (day, -amount, note) in other.entries:
                other.entries.remove((day, -amount, note))
                break
        return abs(amount)
