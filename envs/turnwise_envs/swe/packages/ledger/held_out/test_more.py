import pytest
from ledger import (
    Book,
    LedgerError,
    allocate,
    balance_sheet,
    format_cents,
    parse_cents,
    statement,
    trial_balance,
)


def test_reading_and_writing_agree():
    """What is written as an amount is read back as the same amount."""
    for cents in (0, 5, -5, 99, 100, -12345, 123456789):
        assert parse_cents(format_cents(cents)) == cents


def test_no_cent_is_lost():
    """The shares of a division add up to the amount, and zero weights get nothing."""
    for cents in range(0, 40):
        shares = allocate(cents, [3, 0, 2, 2])
        assert sum(shares) == cents
        assert shares[1] == 0
    assert allocate(10, [0, 3, 3, 1]) == [0, 5, 4, 1]


def test_weights_are_checked():
    """Weights that are negative, or all zero, are refused."""
    for weights in ([0, 0], [2, -1]):
        with pytest.raises(ValueError):
            allocate(1, weights)


def test_postings_are_checked():
    """Amounts must be positive, accounts different and known, names new."""
    book = Book()
    book.open("a", limit=10)
    book.open("b")
    for arguments in ((1, "a", "b", 0), (1, "a", "a", 5), (1, "a", "c", 5), (1, "b", "a", 1)):
        with pytest.raises(LedgerError):
            book.transfer(*arguments)
    with pytest.raises(LedgerError, match="exists"):
        book.open("a")
    book.transfer(1, "a", "b", 10)
    assert (book.accounts["a"].available(), book.accounts["b"].available()) == (0, 10)


def test_closing_an_earlier_day_reopens_nothing():
    """Closing an earlier day later on does not open the days in between."""
    book = Book()
    book.open("a", limit=10)
    book.open("b")
    book.close_day(5)
    book.close_day(2)
    with pytest.raises(LedgerError):
        book.transfer(5, "a", "b", 1)
    book.transfer(6, "a", "b", 1)
    assert book.accounts["b"].balance == 1


def test_the_last_entry_is_taken_back():
    """Undoing takes back both halves of the last transfer, and no other."""
    book = Book()
    for name in "abc":
        book.open(name, limit=100)
    book.transfer(1, "a", "b", 7)
    book.transfer(2, "a", "c", 9)
    assert book.undo_last("a") == 9
    assert [book.accounts[name].balance for name in "abc"] == [-7, 7, 0]
    with pytest.raises(LedgerError):
        book.undo_last("c")


def test_reports_over_several_days():
    """Statements open with the day before; empty accounts are in no trial balance."""
    book = Book()
    book.open("a", limit=1000)
    book.open("b", kind="debt")
    book.open("idle")
    book.transfer(1, "a", "b", 100)
    book.transfer(3, "a", "b", 50, "rent")
    book.transfer(5, "b", "a", 20)
    assert statement(book, "b", 3, 5) == [
        "opening 1.00",
        "3 rent 0.50 -> 1.50",
        "5 out -0.20 -> 1.30",
        "closing 1.30",
    ]
    assert trial_balance(book) == {"a": -130, "b": 130}
    assert list(trial_balance(book)) == ["a", "b"]
    assert balance_sheet(book, 4) == {"asset": -150, "debt": 150}
