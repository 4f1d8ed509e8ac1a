"""Reports over a book."""

from ledger.accounts import Book
from ledger.money import format_cents


def trial_balance(book: Book) -> dict[str, int]:
    """Returns the balances that are not zero, largest amount first, then by name."""
    rows = [(name, account.balance) for name, account in book.accounts.items()]
    rows = [row for row in rows if row[1] != 0]
    rows.sort(key=lambda row: (-abs(row[1]), row[0]))
    return dict(rows)


def balance_sheet(book: Book, day: int) -> dict[str, int]:
    """Returns the sum of balances at the end of a day, by kind of account."""
    sums: dict[str, int] = {}
    for account in book.accounts.values():
        sums[account.kind] = sums.get(account.kind, 0) + account.balance_on(day)
    return sums


def statement(book: Book, name: str, first: int, last: int) -> list[str]:
    """Returns the lines of an account's statement for the days first to last, both included."""
    account = book.accounts[name]
    running = account.balance_on(first - 1)
    lines = [f"opening {format_cents(running)}"]
    for day, amount, note in sorted(account.entries):
        if first <= day <= last:
            running += amount
            label = note or ("in" if amount > 0 else "out")
            lines.append(f"{day} {label} {format_cents(amount)} -> {format_cents(running)}")
    lines.append(f"closing {format_cents(running)}")
    return lines
