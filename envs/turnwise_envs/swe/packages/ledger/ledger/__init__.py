"""Double-entry bookkeeping in whole cents."""

from ledger.accounts import Account, Book, LedgerError
from ledger.money import allocate, format_cents, parse_cents
from ledger.reports import balance_sheet, statement, trial_balance

__all__ = [
    "Account",
    "Book",
    "LedgerError",
    "allocate",
    "balance_sheet",
    "format_cents",
    "parse_cents",
    "statement",
    "trial_balance",
]
