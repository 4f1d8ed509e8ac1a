import pytest
from stockroom import StockError, Stockroom


def milk():
    room = Stockroom()
    room.receive("milk", 10, 100, expires=20)
    room.receive("milk", 5, 90, expires=12)
    return room


def test_goods_are_counted():
    """All lots of an article count, and there are none of an unknown one."""
    assert (milk().count("milk"), milk().count("tea")) == (15, 0)


def test_what_spoils_first_goes_first():
    """Goods are taken from the lot that spoils first, and have the price of their lot."""
    room = milk()
    assert room.take("milk", 7) == 5 * 90 + 2 * 100
    assert room.count("milk") == 8


def test_too_much():
    """More than there is cannot be taken, and the attempt takes nothing."""
    room = milk()
    with pytest.raises(StockError, match="only 15"):
        room.take("milk", 16)
    assert room.count("milk") == 15


def test_spoilt_goods():
    """Goods are thrown away after their last day, not on it."""
    room = milk()
    assert room.expire(12) == {}
    assert room.expire(13) == {"milk": 5}
    assert (room.count("milk"), room.spoilt) == (10, 450)


def test_values():
    """Goods are worth what they had cost."""
    room = milk()
    room.receive("tea", 2, 300)
    assert (room.value("milk"), room.value()) == (1450, 2050)
    assert room.average("tea") == 300


def test_nothing_cannot_be_received():
    """Goods that are none, or have a negative price, are refused."""
    for count, cents in ((0, 5), (1, -1)):
        with pytest.raises(StockError):
            Stockroom().receive("tea", count, cents)
