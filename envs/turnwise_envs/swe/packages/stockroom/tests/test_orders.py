from stockroom import Desk, Policy, Stockroom, forecast, needs, rounded


def desk(partial=False):
    room = Stockroom()
    room.receive("nut", 10, 2)
    room.receive("bolt", 4, 5)
    return Desk(room, partial)


def test_an_order_is_sent():
    """An order that is ready is sent at the price of its goods."""
    found = desk()
    number = found.order({"nut": 4, "bolt": 4})
    assert found.ready(number) is True
    assert found.ship(number) == 28
    assert found.room.count("nut") == 6


def test_goods_are_set_aside():
    """What is set aside for one order is not free for the next."""
    found = desk()
    found.order({"nut": 7})
    assert found.free("nut") == 3
    assert found.ready(found.order({"nut": 4})) is False


def test_orders_wait_for_goods():
    """An order that waits gets what an order that is cancelled leaves."""
    found = desk()
    first, second = found.order({"nut": 7}), found.order({"nut": 6})
    assert found.missing() == {"nut": 6}
    assert found.cancel(first) is True
    assert (found.ready(second), found.missing()) == (True, {})


def test_when_to_buy():
    """Articles are bought when there are few, in whole boxes."""
    policy = Policy(low=5, high=20, box=6)
    assert [policy.wants(count) for count in (6, 5, 0)] == [0, 18, 24]
    assert rounded(12, 6) == 12


def test_what_to_buy():
    """Articles of which there is nothing come first; what is coming counts as there."""
    policies = {name: Policy(2, 5) for name in "abcd"}
    assert list(needs(policies, {"a": 1, "c": 9}, {"b": 3}).items()) == [("d", 5), ("a", 4)]


def test_forecasts():
    """A forecast goes by the mean of the last days, rounded up."""
    assert forecast([0, 0, 2, 3], days=3) == 8
