import pytest
from ledger import Book, LedgerError, balance_sheet, statement, trial_balance


def shop():
    book = Book()
    book.open("bank", limit=500)
    book.open("till")
    book.open("sales", kind="income", limit=100000)
    book.transfer(1, "sales", "till", 2000, "monday")
    book.transfer(2, "till", "bank", 1500)
    return book


def test_a_transfer_moves_money():
    """A transfer takes from one account what it gives to the other."""
    book = shop()
    assert [book.accounts[name].balance for name in ("bank", "till", "sales")] == [1500, 500, -2000]


def test_an_account_cannot_be_overdrawn():
    """A transfer beyond the balance and the limit is refused."""
    book = shop()
    with pytest.raises(LedgerError, match="too little"):
        book.transfer(3, "till", "bank", 501)


def test_the_limit_can_be_used():
    """An account with a limit can go below zero by exactly that much."""
    book = shop()
    book.transfer(3, "bank", "till", 2000)
    assert book.accounts["bank"].balance == -500


def test_a_closed_day_takes_no_postings():
    """After a day is closed nothing is posted on it or before it."""
    book = shop()
    book.close_day(3)
    with pytest.raises(LedgerError, match="closed"):
        book.transfer(3, "till", "bank", 1)


def test_the_sheet_adds_up_kinds():
    """The balance sheet adds the accounts of a kind together as of the given day."""
    assert balance_sheet(shop(), 1) == {"asset": 2000, "income": -2000}


def test_a_statement_has_its_days():
    """A statement lists the entries of its days between opening and closing balance."""
    assert statement(shop(), "till", 2, 2) == [
        "opening 20.00",
        "2 out -15.00 -> 5.00",
        "closing 5.00",
    ]


def test_the_trial_balance_is_sorted():
    """The trial balance has the largest amounts first."""
    assert list(trial_balance(shop())) == ["sales", "bank", "till"]
