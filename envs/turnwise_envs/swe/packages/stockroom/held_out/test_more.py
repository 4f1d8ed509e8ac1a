import pytest
from stockroom import Desk, Policy, StockError, Stockroom, forecast, needs, rounded


def filled(*lots):
    room = Stockroom()
    for count, cents, expires in lots:
        room.receive("x", count, cents, expires)
    return room


def test_lots_of_one_kind():
    """Goods of the same price and last day are one lot, others are not."""
    room = filled((1, 5, 9), (2, 5, 9), (4, 6, 9), (8, 5, 0), (3, 5, 9))
    assert [lot.count for lot in room.lots["x"]] == [6, 4, 8]


def test_goods_that_never_spoil():
    """Goods that never spoil are taken last, and never thrown away."""
    room = filled((2, 7, 0), (2, 1, 30))
    assert room.take("x", 3) == 9
    assert room.expire(1000) == {}
    assert (room.count("x"), room.spoilt) == (1, 0)


def test_lots_of_one_day():
    """Of lots that spoil together the one that came first goes first."""
    room = filled((1, 10, 5), (1, 20, 5), (1, 30, 4))
    assert [room.take("x", 1) for _ in range(3)] == [30, 10, 20]
    assert room.count("x") == 0
    assert room.lots["x"] == []


def test_taking_nothing():
    """Nothing, less than nothing, and what is not there cannot be taken."""
    for count in (0, -1, 2):
        with pytest.raises(StockError):
            filled((1, 1, 0)).take("x", count)
    with pytest.raises(StockError, match="only 0 of y"):
        Stockroom().take("y", 1)
    assert filled((3, 0, 0)).take("x", 3) == 0


def test_several_spoilt_lots():
    """All spoilt lots of all articles are thrown away, and their cost adds up."""
    room = filled((1, 10, 3), (2, 20, 4), (4, 5, 8))
    room.receive("y", 1, 50, 1)
    assert room.expire(5) == {"x": 3, "y": 1}
    assert room.spoilt == 100
    assert room.expire(9) == {"x": 4}
    assert (room.spoilt, room.value()) == (120, 0)


def test_mean_prices():
    """The mean price counts every piece; without pieces it is 0."""
    room = filled((1, 10, 3), (3, 20, 4))
    assert (room.average("x"), room.average("y")) == (17.5, 0.0)


def test_orders_are_numbered():
    """Orders have numbers from 1 on, and those that are none are refused."""
    desk = Desk(filled((9, 1, 0)))
    assert [desk.order({"x": 1}), desk.order({"x": 1})] == [1, 2]
    for bad in ({}, {"x": 0}, {"x": 2, "y": -1}):
        with pytest.raises(StockError):
            desk.order(bad)
    assert desk.order({"x": 1}) == 3
    assert desk.free("x") == 6


def test_sending_what_is_not_ready():
    """Orders that are unknown, sent, or not ready are not sent."""
    desk = Desk(filled((3, 4, 0)))
    first, second = desk.order({"x": 2}), desk.order({"x": 2})
    with pytest.raises(StockError, match="not ready"):
        desk.ship(second)
    assert desk.ship(first) == 8
    for number in (first, 99):
        with pytest.raises(StockError, match="no order"):
            desk.ship(number)
    assert (desk.room.count("x"), desk.free("x")) == (1, 1)


def test_parts_of_orders():
    """Parts are set aside only where this is wanted; a smaller order may overtake."""
    whole, partial = Desk(filled((3, 1, 0))), Desk(filled((3, 1, 0)), partial=True)
    for desk in (whole, partial):
        assert [desk.order({"x": 5}), desk.order({"x": 2})] == [1, 2]
    assert (whole.free("x"), partial.free("x")) == (1, 0)
    assert (whole.ready(2), partial.ready(2)) == (True, False)
    assert (whole.missing(), partial.missing()) == ({"x": 5}, {"x": 4})


def test_goods_that_come_later():
    """Goods that come in go to the oldest order first."""
    desk = Desk(filled((1, 1, 0)), partial=True)
    desk.order({"x": 3, "y": 1})
    desk.order({"x": 1})
    desk.room.receive("x", 2, 1)
    desk.assign()
    assert (desk.ready(2), desk.missing()) == (False, {"y": 1, "x": 1})
    desk.room.receive("y", 1, 1)
    desk.assign()
    assert (desk.ready(1), desk.ready(2)) == (True, False)


def test_cancelling():
    """An order can be cancelled once, and its goods are free."""
    desk = Desk(filled((3, 1, 0)))
    number = desk.order({"x": 3})
    assert desk.free("x") == 0
    assert desk.cancel(number) is True
    assert desk.cancel(number) is False
    assert desk.free("x") == 3


def test_whole_boxes():
    """Counts are rounded up to boxes; nothing needs no box, and a box is not empty."""
    assert [rounded(count, 4) for count in (-3, 0, 1, 4, 5)] == [0, 0, 4, 4, 8]
    with pytest.raises(StockError):
        rounded(1, 0)
    assert Policy(9, 5).wants(7) == 0
    assert Policy(5, 9).wants(2, coming=3) == 4
    assert Policy(5, 9).wants(2, coming=4) == 0


def test_nothing_to_buy():
    """Articles of which there is enough are not bought."""
    policies = {"b": Policy(1, 3, box=10), "a": Policy(0, 1)}
    assert needs(policies, {"a": 1, "b": 1}, {}) == {"b": 10}
    assert list(needs(policies, {}, {})) == ["a", "b"]


def test_forecasts_of_few_days():
    """A forecast uses the last week only, and days before the first sale not at all."""
    assert forecast([100, 1, 1, 1, 1, 1, 1, 1], days=2) == 2
    assert forecast([5, 0, 0, 1], days=1) == 2
    assert forecast([9, 9, 1], days=5, window=1) == 5
    assert forecast([0, 0], days=9) == forecast([], days=9) == 0
